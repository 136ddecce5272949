"""Interactions of one user at one time: how many there are."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from genrec.data.tables import Group, Sequences


class TieCounter:
    """Counts ties in groups of users as they pass."""

    def __init__(self) -> None:
        self.rows = 0
        self.tied = 0

    def watch(self, groups: Iterable[Group]) -> Iterator[Group]:
        """Pass groups with times on."""
        for group in groups:
            self.rows += len(group.items)
            if group.times is not None:
                self.tied += _tied(group.lengths, group.times)
            yield group

    @property
    def share(self) -> float:
        """The share of interactions whose user has another at the same time."""
        return self.tied / max(self.rows, 1)


def tie_share(sequences: Sequences, times: NDArray[np.int64] | None) -> float | None:
    """The share of interactions whose user has another at the same time.

    >>> sequences = Sequences(np.array([1, 2, 3, 4], np.int32), np.array([0, 3, 4]))
    >>> tie_share(sequences, np.array([7, 7, 8, 8]))
    0.5

    Args:
        sequences: Every user's items, in time order.
        times: int64 [interactions], beside the items; None where they are not known, and then so is the share.
    """
    if times is None:
        return None
    return _tied(sequences.lengths, times) / max(len(times), 1)


def _tied(lengths: NDArray[np.int64], times: NDArray[np.int64]) -> int:
    starts = np.zeros(len(times) + 1, bool)
    starts[np.cumsum(lengths)] = True
    same = (times[1:] == times[:-1]) & ~starts[1:-1]
    # Each group of n tied interactions has n - 1 equal neighbours and one beginning.
    begins = np.count_nonzero(same) - np.count_nonzero(same[1:] & same[:-1])
    return int(np.count_nonzero(same) + begins)

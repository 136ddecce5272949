"""Interactions of one user at one time: how many there are."""

import numpy as np
from numpy.typing import NDArray

from genrec.data.tables import Sequences


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
    starts = np.zeros(len(times), bool)
    starts[sequences.offsets[:-1][sequences.lengths > 0]] = True
    same = (times[1:] == times[:-1]) & ~starts[1:]
    # Each group of n tied interactions has n - 1 equal neighbours and one beginning.
    begins = np.count_nonzero(same) - np.count_nonzero(same[1:] & same[:-1])
    return (np.count_nonzero(same) + begins) / max(len(times), 1)

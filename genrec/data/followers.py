"""Transition counts: which items came after each item, how often and how soon."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from genrec.data.tables import Sequences
from genrec.errors import GenRecError

MOST_FOLLOWERS = 64
"""Followers kept of each item, the most frequent: what everybody has is followed by half the catalogue."""

_LEAST = 1 / 16
"""Weight below which a step is not looked at."""

_MOST_DECAY = 0.98
"""Of a reach that a file tells: 138 steps."""

_PAIRS = 2**23
"""Pairs of items that are counted at once, which bounds the memory that long histories need."""


class Reach(NamedTuple):
    """How far apart two items of a history may stand."""

    decay: float
    """Weight of a step, by that of the step before it: from 0, where nothing counts but neighbours, to below 1."""
    back: float = 0.0
    """What it counts that the other item stood before, where it counts 1 that it stood after."""
    balance: float = 0.5
    """Power of an item's sum by which its counts are divided: 0 gives items that everybody has most to say in a
    history, 1 all the same."""

    @property
    def steps(self) -> int:
        """Steps that are looked at.

        >>> [Reach(decay).steps for decay in (0.0, 0.5, 0.8, 0.9)]
        [1, 5, 13, 27]
        """
        return 1 + int(math.log(_LEAST) / math.log(self.decay)) if self.decay > 0 else 1

    def weights(self) -> NDArray[np.float64]:
        """float64 [steps]: 1, and what the others weigh."""
        return np.power(self.decay, np.arange(self.steps), dtype=np.float64)

    def directions(self) -> list[tuple[int, float]]:
        """Where the other item may stand, 1 for after and -1 for before, and what it counts there."""
        return [(1, 1.0), (-1, self.back)] if self.back else [(1, 1.0)]


def told_reach(decay: Any) -> Reach:
    """The reach of counts whose file tells their decay; how they were counted is over.

    Raises:
        ValueError: It is no decay, or one that would look back for hundreds of steps.
    """
    if not isinstance(decay, int | float) or not 0 <= decay <= _MOST_DECAY:
        raise ValueError(f"decay {decay!r} is no number from 0 to {_MOST_DECAY}")
    return Reach(float(decay))


NEXT: Final = Reach(0.0, balance=0.0)
"""What came right after, plainly counted."""

REACHES: Final = (Reach(0.5), Reach(0.8), Reach(0.9, back=0.5))
"""Among which validation chooses: what is bought in a certain order, and what simply goes together."""


@dataclass(frozen=True)
class Followers:
    """Which items came after each item, and how often; the most frequent first."""

    starts: NDArray[np.int64]
    """int64 [items + 2]: the followers of item i are `items[starts[i] : starts[i + 1]]`."""
    items: NDArray[np.int64]
    counts: NDArray[np.float32]
    """Weighed as a `Reach` says."""

    @property
    def widest(self) -> int:
        """Most followers of an item; at least 1."""
        return int(np.diff(self.starts).max(initial=1))


def count_followers(
    sequences: Sequences, item_count: int, reach: Reach = NEXT, most: int = MOST_FOLLOWERS
) -> Followers:
    """Count how often each item stands right after each other, or soon after.

    Args:
        sequences: Whose neighbours are counted.
        item_count: Number of items, I.
        reach: How far they may stand apart.
        most: How many followers of each item are kept; ties by item index.
    """
    parts = [_most(keys, counts, item_count + 1, most) for keys, counts in _counted(sequences, item_count, reach)]
    keys, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
    starts = np.searchsorted(keys // (item_count + 1), np.arange(item_count + 2))
    return Followers(starts.astype(np.int64), keys % (item_count + 1), counts.astype(np.float32))


def _counted(
    sequences: Sequences, item_count: int, reach: Reach
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Some items after others: int64 [n], item * (I + 1) + follower, ascending; and float64 [n] its count."""
    items = sequences.items.astype(np.int64)
    owners = np.repeat(np.arange(len(sequences.lengths)), sequences.lengths)
    order = np.argsort(items, kind="stable")  # places, by their item
    ends = np.cumsum(np.bincount(items, minlength=item_count + 1))
    each = max(1, _PAIRS // (reach.steps * len(reach.directions())))
    cuts = np.unique(np.searchsorted(ends, np.arange(each, max(1, len(items)) + each, each)))
    bounds = np.concatenate([[0], ends[np.minimum(cuts, item_count)]])
    for first, last in pairwise(bounds):
        yield _pairs(items, owners, order[first:last], item_count + 1, reach)


def _pairs(
    items: NDArray[np.int64], owners: NDArray[np.int64], places: NDArray[np.int64], base: int, reach: Reach
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """What `_counted` yields, for the items at some places."""
    found, weights = list[NDArray[np.int64]](), list[NDArray[np.float64]]()
    for step, weight in enumerate(reach.weights(), start=1):
        for direction, counts in reach.directions():
            other = places + direction * step
            inside = (other >= 0) & (other < len(items))
            here, there = places[inside], other[inside]
            same = owners[here] == owners[there]
            found.append(items[here[same]] * base + items[there[same]])
            weights.append(np.full(len(found[-1]), counts * weight))
    keys, which = np.unique(np.concatenate(found), return_inverse=True)
    sums = np.bincount(which.ravel(), np.concatenate(weights), len(keys))
    return keys, sums / np.bincount(keys // base, sums, base)[keys // base] ** reach.balance


def _most(
    keys: NDArray[np.int64], counts: NDArray[np.float64], base: int, most: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The most frequent followers of each item, those first."""
    order = np.lexsort((keys, -counts, keys // base))
    keys, counts = keys[order], counts[order]
    first = np.searchsorted(keys // base, keys // base, side="left")
    kept = np.arange(len(keys)) - first < most
    return keys[kept], counts[kept]


def save_followers(followers: Followers, path: Path) -> None:
    """Write the counts as Parquet: item, follower, count."""
    items = np.repeat(np.arange(len(followers.starts) - 1), np.diff(followers.starts))
    columns = {"item": items.astype(np.int32), "follower": followers.items.astype(np.int32)}
    parquet.write_table(pa.table({**columns, "count": followers.counts}), path)


def load_followers(path: Path, item_count: int) -> Followers:
    """Read what `save_followers` wrote.

    Raises:
        GenRecError: The file is missing or damaged.
    """
    try:
        table = parquet.read_table(path)
        items, followers = (table[name].to_numpy().astype(np.int64) for name in ("item", "follower"))
        counts = table["count"].to_numpy().astype(np.float32)
    except (OSError, KeyError, pa.ArrowException) as error:
        raise GenRecError(f"the transition counts {path} are missing or damaged ({error}); train anew") from error
    return Followers(np.searchsorted(items, np.arange(item_count + 2)).astype(np.int64), followers, counts)

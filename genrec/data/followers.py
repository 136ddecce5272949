"""Transition counts: which items came right after each item, and how often."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from genrec.data.tables import Sequences
from genrec.errors import GenRecError

MOST_FOLLOWERS = 200
"""Followers kept of each item, the most frequent: what everybody has is followed by half the catalogue."""


@dataclass(frozen=True)
class Followers:
    """Which items came right after each item, and how often; the most frequent first."""

    starts: NDArray[np.int64]
    """int64 [items + 2]: the followers of item i are `items[starts[i] : starts[i + 1]]`."""
    items: NDArray[np.int64]
    counts: NDArray[np.int64]


def count_followers(
    sequences: Sequences, item_count: int, most: int = MOST_FOLLOWERS, window: int = 1
) -> Followers:
    """Count how often each item stands right after each other, or soon after.

    Args:
        sequences: Whose neighbours are counted.
        item_count: Number of items, I.
        most: How many followers of each item are kept; ties by item index.
        window: Steps ahead that are looked at. The last counts 1, each one nearer twice as much.
    """
    base = item_count + 1
    owners = np.repeat(np.arange(len(sequences.lengths)), sequences.lengths)
    steps = range(1, window + 1)
    found = [_pairs(sequences.items, owners, step, base) for step in steps]
    weights = [np.full(len(pairs), 2 ** (window - step)) for step, pairs in zip(steps, found, strict=True)]
    pairs, places = np.unique(np.concatenate(found), return_inverse=True)
    counts = np.bincount(places.ravel(), np.concatenate(weights), len(pairs)).astype(np.int64)
    order = np.lexsort((-counts, pairs // base))
    pairs, counts = pairs[order], counts[order]
    owners = pairs // base
    first = np.searchsorted(owners, owners, side="left")
    kept = np.arange(len(pairs)) - first < most
    pairs, counts = pairs[kept], counts[kept]
    starts = np.searchsorted(pairs // base, np.arange(item_count + 2))
    return Followers(starts.astype(np.int64), pairs % base, counts)


def _pairs(items: NDArray[np.int32], owners: NDArray[np.int64], step: int, base: int) -> NDArray[np.int64]:
    """int64 [n], item * base + the item so many steps later, wherever both are one user's."""
    inner = np.flatnonzero(owners[:-step] == owners[step:])
    return items[inner].astype(np.int64) * base + items[inner + step]


def save_followers(followers: Followers, path: Path) -> None:
    """Write the counts as Parquet: item, follower, count."""
    items = np.repeat(np.arange(len(followers.starts) - 1), np.diff(followers.starts))
    columns = {"item": items, "follower": followers.items, "count": followers.counts}
    table = pa.table({name: pa.array(values.astype(np.int32)) for name, values in columns.items()})
    parquet.write_table(table, path)


def load_followers(path: Path, item_count: int) -> Followers:
    """Read what `save_followers` wrote.

    Raises:
        GenRecError: The file is missing or damaged.
    """
    try:
        table = parquet.read_table(path)
        items, followers, counts = (
            table[name].to_numpy().astype(np.int64) for name in ("item", "follower", "count")
        )
    except (OSError, KeyError, pa.ArrowException) as error:
        raise GenRecError(f"the transition counts {path} are missing or damaged ({error}); train anew") from error
    return Followers(np.searchsorted(items, np.arange(item_count + 2)).astype(np.int64), followers, counts)

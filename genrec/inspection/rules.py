"""Rules that rank items without a model: what a dataset gives away for free."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.data.tables import Sequences
from genrec.evaluation.protocol import Ints

MOST_FOLLOWERS = 200
"""Followers kept of each item, the most frequent: what everybody has is followed by half the catalogue."""


@dataclass(frozen=True)
class Followers:
    """Which items came right after each item, and how often; the most frequent first."""

    starts: NDArray[np.int64]
    """int64 [items + 2]: the followers of item i are `items[starts[i] : starts[i + 1]]`."""
    items: NDArray[np.int64]
    counts: NDArray[np.int64]


def count_followers(sequences: Sequences, item_count: int, most: int = MOST_FOLLOWERS) -> Followers:
    """Count how often each item stands right after each other.

    Args:
        sequences: Whose neighbours are counted.
        item_count: Number of items, I.
        most: How many followers of each item are kept; ties by item index.
    """
    base = item_count + 1
    inner = np.ones(max(len(sequences.items) - 1, 0), bool)
    ends = sequences.offsets[1:-1] - 1
    inner[ends[(ends >= 0) & (ends < len(inner))]] = False  # the last item of one user precedes nothing
    before, after = sequences.items[:-1][inner], sequences.items[1:][inner]
    pairs, counts = np.unique(before.astype(np.int64) * base + after, return_counts=True)
    order = np.lexsort((-counts, pairs // base))
    pairs, counts = pairs[order], counts[order]
    owners = pairs // base
    first = np.searchsorted(owners, owners, side="left")
    kept = np.arange(len(pairs)) - first < most
    pairs, counts = pairs[kept], counts[kept]
    starts = np.searchsorted(pairs // base, np.arange(item_count + 2))
    return Followers(starts.astype(np.int64), pairs % base, counts)


class FollowersRanker:
    """Ranks by how often an item came right after the last items of the history, then by popularity.

    Args:
        followers: The counts.
        popularity: int [items] how often each item (from 1) occurs.
        last: How many of the history's last items are looked at; each step back halves the weight.
        k: Length of the list.
    """

    def __init__(self, followers: Followers, popularity: NDArray[np.int64], last: int, k: int) -> None:
        self.followers, self.last, self.k = followers, last, k
        self.base = len(popularity) + 1
        self.popular = np.argsort(-popularity, kind="stable") + 1
        self.place = np.empty(self.base, np.int64)
        self.place[self.popular] = np.arange(len(popularity))

    def __call__(self, users: Ints, histories: Ints, exclude_seen: bool) -> Ints:
        """Rank items; shapes as in `Ranker`."""
        batch = np.arange(len(histories))
        lengths = (histories > 0).sum(1)
        # The most popular fill lists with few followers; a history hides no more items than it is long.
        fill = self.popular[: self.k + (histories.shape[1] if exclude_seen else 0)]
        keys = [(batch[:, None] * self.base + fill).ravel()]
        weights: list[NDArray[np.float64]] = [np.zeros(len(keys[0]))]
        for back in range(self.last):
            rows = batch[lengths > back]
            found, owner = self._of(histories[rows, lengths[rows] - 1 - back])
            keys.append(rows[owner] * self.base + self.followers.items[found])
            weights.append((self.followers.counts[found] * 0.5**back).astype(np.float64))
        unique, places = np.unique(np.concatenate(keys), return_inverse=True)
        scores = np.bincount(places.ravel(), np.concatenate(weights), len(unique))
        if exclude_seen:
            new = ~np.isin(unique, (batch[:, None] * self.base + histories).ravel())
            unique, scores = unique[new], scores[new]
        return self._best(unique, scores, len(histories))

    def _of(self, items: Ints) -> tuple[Ints, Ints]:
        """Places in `followers.items` of all followers of some items, and whose each is (place in `items`)."""
        starts = self.followers.starts[items]
        counts = self.followers.starts[items + 1] - starts
        owner = np.repeat(np.arange(len(items)), counts)
        shift = np.repeat(starts - (np.cumsum(counts) - counts), counts)
        return np.arange(len(owner)) + shift, owner

    def _best(self, keys: Ints, scores: NDArray[Any], batch: int) -> Ints:
        """int64 [batch, k]: each row's best items, ties by popularity."""
        rows, items = keys // self.base, keys % self.base
        order = np.lexsort((self.place[items], -scores, rows))
        rows, items = rows[order], items[order]
        nth = np.arange(len(rows)) - np.searchsorted(rows, rows, side="left")
        listed = nth < self.k
        best = np.zeros((batch, self.k), np.int64)
        best[rows[listed], nth[listed]] = items[listed]
        return best


class RepeatRanker:
    """A list of one: the last item once more."""

    def __call__(self, users: Ints, histories: Ints, exclude_seen: bool) -> Ints:
        """Rank items; shapes as in `Ranker`."""
        last = histories[np.arange(len(histories)), (histories > 0).sum(1) - 1]
        return np.zeros_like(last)[:, None] if exclude_seen else last[:, None]


class NumberingRanker:
    """The history's largest number + 1, + 2, ..., in the numbering that the source came with.

    Args:
        numbers: int64 [items], the number of each item (from 1).
        count: Length of the list.
    """

    def __init__(self, numbers: NDArray[np.int64], count: int) -> None:
        self.numbers = np.concatenate([[np.iinfo(np.int64).min], numbers])  # padding is below every number
        self.order = np.argsort(self.numbers)
        self.steps = np.arange(1, count + 1)

    def __call__(self, users: Ints, histories: Ints, exclude_seen: bool) -> Ints:
        """Rank items; shapes as in `Ranker`. A number that no item has leaves a gap in the list."""
        wanted = self.numbers[histories].max(1)[:, None] + self.steps
        ascending = self.numbers[self.order]
        places = np.searchsorted(ascending, wanted).clip(max=len(ascending) - 1)
        return np.where(ascending[places] == wanted, self.order[places], 0)

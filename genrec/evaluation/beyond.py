"""What lists are like beside being right: how much of the catalogue they show, how obvious, how even."""

import numpy as np
from numpy.typing import NDArray

from genrec.evaluation.popularity import Counts
from genrec.evaluation.protocol import Ints, Ranker


class ItemTally:
    """Counts, batch by batch, how often each item is listed; holds no lists.

    Args:
        item_count: Number of items, I.
        ks: How much of a list is looked at.
    """

    def __init__(self, item_count: int, ks: tuple[int, ...]) -> None:
        self.counts = {k: np.zeros(item_count + 1, np.int64) for k in ks}

    def add(self, lists: Ints) -> None:
        """Count the items of lists, int64 [batch, n]; zeros are no items."""
        for k, counts in self.counts.items():
            items, times = np.unique(lists[:, :k], return_counts=True)
            counts[items] += times

    def watch(self, ranker: Ranker) -> Ranker:
        """The ranker, whose lists are counted on the way."""

        def rank(users: Ints, histories: Ints, exclude_seen: bool) -> Ints:
            lists = ranker(users, histories, exclude_seen)
            self.add(lists)
            return lists

        return rank

    def summarise(self, popularity: Counts) -> dict[str, float]:
        """coverage@k, novelty@k and Gini@k for each k.

        Args:
            popularity: Of `train_counts`.
        """
        listed = {k: counts[1:] for k, counts in self.counts.items()}
        return {
            **{f"coverage@{k}": coverage(counts) for k, counts in listed.items()},
            **{f"novelty@{k}": novelty(counts, popularity) for k, counts in listed.items()},
            **{f"Gini@{k}": gini(counts) for k, counts in listed.items()},
        }


def coverage(counts: NDArray[np.int64]) -> float:
    """The share of the catalogue that is in anybody's list.

    >>> coverage(np.array([3, 0, 1, 0]))
    0.5
    """
    return float((counts > 0).mean())


def novelty(counts: NDArray[np.int64], popularity: Counts) -> float:
    """Mean over all places of all lists of -log2 of the item's share of the training interactions, in bits.

    An item that training never shows counts as shown once.

    >>> novelty(np.array([1, 3, 0]), np.array([2, 4, 2]))
    1.25
    """
    bits = -np.log2(np.maximum(popularity, 1) / popularity.sum())
    return float(counts @ bits / max(1, counts.sum()))


def gini(counts: NDArray[np.int64]) -> float:
    """Gini index of how often items are listed: 0 where all are equally often, near 1 where few take it all.

    >>> gini(np.array([0, 4])), gini(np.array([2, 2]))
    (0.5, 0.0)
    """
    number, total = len(counts), int(counts.sum())
    if not total:
        return 0.0
    weights = 2 * np.arange(1, number + 1) - number - 1
    return float(weights @ np.sort(counts) / (number * total))

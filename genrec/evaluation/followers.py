"""A ranker that needs no training: what usually follows the last items."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.data.followers import REACHES, Followers, Reach, count_followers
from genrec.data.split import targets, train_part
from genrec.data.tables import Sequences
from genrec.evaluation.metrics import summarise
from genrec.evaluation.protocol import Ints, make_cases, rank_targets

_KS, _BEST = (10,), "NDCG@10"
"""By which the reference's reach is chosen, as a model's epoch is."""

_VALID_USERS = 5000
"""Users whose validation items choose the reference's reach."""


class FollowersRanker:
    """Ranks by how often an item came after the last items of the history, then by popularity.

    Args:
        followers: The counts.
        popularity: int [items] how often each item (from 1) occurs.
        reach: How far back the history is looked at, and what each step back weighs.
        k: Length of the list.
    """

    def __init__(self, followers: Followers, popularity: NDArray[np.int64], reach: Reach, k: int) -> None:
        self.followers, self.weights, self.k = followers, reach.weights(), k
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
        for back, weight in enumerate(self.weights):
            rows = batch[lengths > back]
            found, owner = self._of(histories[rows, lengths[rows] - 1 - back])
            keys.append(rows[owner] * self.base + self.followers.items[found])
            weights.append(self.followers.counts[found] * weight)
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


def transitions_ranker(sequences: Sequences, item_count: int, k: int) -> FollowersRanker:
    """What followed the last items in the training part, as far apart as the validation items like best."""
    rankers = _rankers(sequences, item_count, k)
    return rankers[_best(rankers, sequences)]


def choose_reach(sequences: Sequences, item_count: int) -> Reach:
    """The reach that `transitions_ranker` has."""
    return REACHES[_best(_rankers(sequences, item_count, max(_KS)), sequences)]


def _rankers(sequences: Sequences, item_count: int, k: int) -> list[FollowersRanker]:
    """One for each of `REACHES`."""
    train = train_part(sequences)
    popularity = np.bincount(train.items, minlength=item_count + 1)[1:]
    counted = ((count_followers(train, item_count, reach), reach) for reach in REACHES)
    return [FollowersRanker(followers, popularity, reach, k) for followers, reach in counted]


def _best(rankers: list[FollowersRanker], sequences: Sequences) -> int:
    """Which ranks the validation items best; the first, where there are none."""
    if not len(targets(sequences, "valid")[0]):
        return 0
    cases = make_cases(sequences, "valid", _VALID_USERS)
    found = [summarise(rank_targets(ranker, cases, exclude_seen=True), _KS)[0][_BEST] for ranker in rankers]
    return found.index(max(found))

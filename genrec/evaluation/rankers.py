"""The rankers: a model, and popularity; and a model that does not know its users."""

import numpy as np

from genrec.data.tables import Sequences
from genrec.evaluation.popularity import train_counts
from genrec.evaluation.protocol import Ints, Ranker
from genrec.ids import UNKNOWN
from genrec.scoring import Scorer


class ScorerRanker:
    """Ranks with a model, on torch or onnxruntime."""

    def __init__(self, scorer: Scorer, k: int) -> None:
        self.scorer, self.k = scorer, k

    def __call__(self, users: Ints, histories: Ints, exclude_seen: bool) -> Ints:
        """Rank items; shapes as in `Ranker`."""
        return self.scorer(histories, users, exclude_seen, k=self.k)[0]


class PopularityRanker:
    """Ranks everybody the same: by the number of interactions in the training part, ties by item index."""

    def __init__(self, sequences: Sequences, item_count: int, k: int) -> None:
        self.order = np.argsort(-train_counts(sequences, item_count), kind="stable") + 1
        self.k = min(k, item_count)

    def __call__(self, users: Ints, histories: Ints, exclude_seen: bool) -> Ints:
        """Rank items; shapes as in `Ranker`."""
        if not exclude_seen:
            return np.broadcast_to(self.order[: self.k], (len(users), self.k))
        enough = self.order[: self.k + histories.shape[1]]  # a history hides no more items than it is long
        hidden = (enough[None, :, None] == histories[:, None, :]).any(2)
        first = np.argsort(hidden, axis=1, kind="stable")[:, : self.k]
        return np.where(np.take_along_axis(hidden, first, 1), 0, enough[first])


def as_visitors(ranker: Ranker) -> Ranker:
    """The ranker, who is told nothing but the histories: everybody is the unknown user."""

    def rank(users: Ints, histories: Ints, exclude_seen: bool) -> Ints:
        return ranker(np.full_like(users, UNKNOWN), histories, exclude_seen)

    return rank

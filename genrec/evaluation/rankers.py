"""The rankers: a model, and popularity."""

import numpy as np

from genrec.data.split import train_part
from genrec.data.tables import Sequences
from genrec.evaluation.protocol import Ints
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
        counts = np.bincount(train_part(sequences).items, minlength=item_count + 1)[1:]
        self.order = np.argsort(-counts, kind="stable") + 1
        self.k = min(k, item_count)

    def __call__(self, users: Ints, histories: Ints, exclude_seen: bool) -> Ints:
        """Rank items; shapes as in `Ranker`."""
        if not exclude_seen:
            return np.broadcast_to(self.order[: self.k], (len(users), self.k))
        enough = self.order[: self.k + histories.shape[1]]  # a history hides no more items than it is long
        hidden = (enough[None, :, None] == histories[:, None, :]).any(2)
        first = np.argsort(hidden, axis=1, kind="stable")[:, : self.k]
        return np.where(np.take_along_axis(hidden, first, 1), 0, enough[first])

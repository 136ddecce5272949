"""The rankers: GenRec on torch, and popularity."""

import numpy as np
import torch

from genrec.data.split import train_part
from genrec.data.tables import Sequences
from genrec.decoding.recommender import RecommenderModule
from genrec.evaluation.protocol import Ints


class TorchRanker:
    """Ranks with the module that export traces."""

    def __init__(self, module: RecommenderModule, device: torch.device) -> None:
        self.module = module.to(device).eval()
        self.device = device

    @torch.inference_mode()
    def __call__(self, users: Ints, histories: Ints, exclude_seen: bool) -> Ints:
        """Rank items; shapes as in `Ranker`."""
        none = torch.zeros(len(users), 0, dtype=torch.int64, device=self.device)
        items, _ = self.module(
            torch.from_numpy(histories).to(self.device),
            torch.from_numpy(users).to(self.device),
            torch.tensor(exclude_seen, device=self.device),
            none,
            none,
        )
        return items.cpu().numpy()


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

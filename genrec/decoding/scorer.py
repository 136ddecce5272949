"""A model on torch behind the same method as a bundle on onnxruntime."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from genrec.decoding.prior import TransitionPrior
from genrec.decoding.recommender import RecommenderModule
from genrec.indexing.tokens import TokenScheme
from genrec.model.modeling import GenRecForConditionalGeneration
from genrec.scoring import Ranked, Rows, batch_users, item_batch_users, nothing, pad

BEAMS = 20
"""Beams of the search, unless longer lists are asked for (paper, section 7.1)."""


class ModuleScorer(ABC):
    """Runs a module with the inputs and outputs of a recommender; a `genrec.scoring.Scorer`.

    Args:
        device: Where the module computes.
        batch_users: Most users that it should be given together.
        least: Length of the lists that it is made for, unless longer ones are asked for.
    """

    backend = "torch"
    trouble: str | None = None

    def __init__(self, device: torch.device, batch_users: int, least: int) -> None:
        self.device, self.provider = device, str(device)
        self.batch_users, self.least = batch_users, least
        self._made: tuple[int, nn.Module] | None = None

    @abstractmethod
    def make_module(self, k: int) -> nn.Module:
        """The module for lists of `k` items, called as `RecommenderModule` is."""

    def __call__(
        self,
        history: Rows,
        users: Sequence[int] | NDArray[Any],
        exclude_seen: bool = True,
        banned: Rows | None = None,
        allowed: Rows | None = None,
        k: int | None = None,
    ) -> Ranked:
        """Recommend to a batch of users; arguments and result as in `genrec.scoring.Scorer.__call__`."""
        batch = len(users)
        if not batch:
            return nothing(k or self.least)
        lists = [torch.from_numpy(pad(rows, batch)).to(self.device) for rows in (history, banned, allowed)]
        user = torch.from_numpy(np.asarray(users, dtype=np.int64)).to(self.device)
        with torch.inference_mode():
            exclude = torch.tensor(exclude_seen, device=self.device)
            items, scores = self._sized(k or self.least)(lists[0], user, exclude, *lists[1:])
        return items[:, :k].cpu().numpy(), scores[:, :k].cpu().numpy()

    def _sized(self, k: int) -> nn.Module:
        """The module for lists of `k` items; a longer one than usual only where that needs it."""
        size = max(self.least, k)
        if self._made is None or self._made[0] != size:
            self._made = size, self.make_module(size).to(self.device).eval()
        return self._made[1]


class TorchScorer(ModuleScorer):
    """Runs GenRec.

    Args:
        model: Stays on the device where it is.
        scheme: Its tokens.
        beams: Beams of the search; as many as the list is long where that is more.
        prior: Mixed with the model's distribution.
        item_share: As in `genrec.decoding.mixture.make_mixer`.
    """

    def __init__(
        self,
        model: GenRecForConditionalGeneration,
        scheme: TokenScheme,
        beams: int = BEAMS,
        prior: TransitionPrior | None = None,
        item_share: float | None = None,
    ) -> None:
        together = batch_users(model.device.type == "cpu", model.config.d_model)
        if model.config.item_share if item_share is None else item_share:  # every item is scored
            together = item_batch_users(scheme.item_count, together)
        super().__init__(model.device, together, beams)
        self.model, self.scheme, self.beams, self.prior = model, scheme, beams, prior
        self.item_share = item_share

    def make_module(self, k: int) -> RecommenderModule:
        """The module for lists of `k` items by as many beams."""
        return RecommenderModule(self.model, self.scheme, k, k, self.prior, self.item_share)

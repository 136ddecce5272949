"""A model on torch behind the same method as a bundle on onnxruntime."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genrec.decoding.prior import TransitionPrior
from genrec.decoding.recommender import RecommenderModule
from genrec.indexing.tokens import TokenScheme
from genrec.model.modeling import GenRecForConditionalGeneration
from genrec.scoring import BATCH_USERS, Ranked, Rows, cpu_batch_users, nothing, pad

BEAMS = 20
"""Beams of the search, unless longer lists are asked for (paper, section 7.1)."""


class TorchScorer:
    """Runs a model; a `genrec.scoring.Scorer`.

    Args:
        model: Stays on the device where it is.
        scheme: Its tokens.
        beams: Beams of the search; as many as the list is long where that is more.
        prior: Mixed with the model's distribution.
    """

    backend = "torch"
    trouble: str | None = None

    def __init__(
        self,
        model: GenRecForConditionalGeneration,
        scheme: TokenScheme,
        beams: int = BEAMS,
        prior: TransitionPrior | None = None,
    ) -> None:
        self.model, self.scheme, self.beams, self.prior = model, scheme, beams, prior
        self.device = model.device
        self.provider = str(self.device)
        on_cpu = self.device.type == "cpu"
        self.batch_users = cpu_batch_users(model.config.d_model) if on_cpu else BATCH_USERS
        self._module: RecommenderModule | None = None

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
            return nothing(k or self.beams)
        lists = [torch.from_numpy(pad(rows, batch)).to(self.device) for rows in (history, banned, allowed)]
        user = torch.from_numpy(np.asarray(users, dtype=np.int64)).to(self.device)
        with torch.inference_mode():
            exclude = torch.tensor(exclude_seen, device=self.device)
            items, scores = self._sized(k or self.beams)(lists[0], user, exclude, *lists[1:])
        return items[:, :k].cpu().numpy(), scores[:, :k].cpu().numpy()

    def _sized(self, k: int) -> RecommenderModule:
        """The module for lists of `k` items; more beams only where that needs them."""
        beams = max(self.beams, k)
        if self._module is None or self._module.k != beams:
            module = RecommenderModule(self.model, self.scheme, beams, beams, self.prior)
            self._module = module.to(self.device).eval()
        return self._module

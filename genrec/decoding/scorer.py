"""A run's recommender on torch, behind the same method as a bundle's on onnxruntime."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genrec.decoding.recommender import RecommenderModule
from genrec.model.checkpoint import Run
from genrec.scoring import Ranked, Rows, pad

BEAMS = 20
"""Beams of the search, unless longer lists are asked for (paper, section 7.1)."""


class TorchScorer:
    """Runs a run's model; a `genrec.scoring.Scorer`.

    Args:
        run: Its model stays on the device where it is.
        module: A recommender made of the run already; by default one is made for the length of list asked for.
    """

    backend = "torch"

    def __init__(self, run: Run, module: RecommenderModule | None = None) -> None:
        self.run = run
        self.device = run.model.device
        self.provider = str(self.device)
        self._module = module
        self._fixed = module is not None

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
        lists = [torch.from_numpy(pad(rows, batch)).to(self.device) for rows in (history, banned, allowed)]
        user = torch.from_numpy(np.asarray(users, dtype=np.int64)).to(self.device)
        with torch.inference_mode():
            exclude = torch.tensor(exclude_seen, device=self.device)
            items, scores = self._sized(k or BEAMS)(lists[0], user, exclude, *lists[1:])
        return items[:, :k].cpu().numpy(), scores[:, :k].cpu().numpy()

    def _sized(self, k: int) -> RecommenderModule:
        """The module for lists of `k` items; more beams only where that needs them."""
        beams = max(BEAMS, k)
        if self._module is None or (self._module.k != beams and not self._fixed):
            config = self.run.config
            module = RecommenderModule(self.run.model, self.run.scheme, config.max_length, beams, beams)
            self._module = module.to(self.device).eval()
        return self._module

"""The shares of a mixture, chosen by validation once the model is trained: the item head's, then the prior's."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from genrec.decoding.scorer import TorchScorer
from genrec.model.checkpoint import load_prior
from genrec.training.build import Built
from genrec.training.history import BEST
from genrec.training.validation import Validation

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Those that are tried. Neither takes all: the other part still ranks what it knows nothing of."""

HEAD_SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95)
"""The item head's."""


def choose_shares(run: Path, built: Built, validation: Validation, device: Any) -> dict[str, Any]:
    """Choose on the validation items, seen items excluded as `genrec recommend` does.

    Args:
        run: Holds the transition counts, if they are to be mixed in.
        built: The trained model; it takes the share of its item head on.
        validation: Of that model.
        device: Where to compute.

    Returns:
        Of "item_head" and "prior" what the settings ask for: {"weight": the best, "tried": {weight: the metric
        that chooses}}.
    """
    found = {}
    if built.config.item_loss:

        def with_head(share: float) -> TorchScorer:
            return TorchScorer(built.model, built.scheme, built.config.beams, item_share=share)

        found["item_head"] = _try(HEAD_SHARES, with_head, validation)
        built.model.config.item_share = found["item_head"]["weight"]
    if built.config.prior != "none":
        prior = load_prior(run, built.scheme.item_count, 0.0).to(device)

        def with_prior(share: float) -> TorchScorer:
            prior.weight = share
            return built.scorer(prior)

        found["prior"] = _try(SHARES, with_prior, validation)
    return found


def _try(
    shares: Sequence[float], scorer: Callable[[float], TorchScorer], validation: Validation
) -> dict[str, Any]:
    tried = {share: validation(scorer(share), exclude_seen=True)[BEST] for share in shares}
    return {"weight": max(tried, key=lambda share: tried[share]), "tried": tried}

"""The shares of a mixture, chosen by validation once the model is trained: the item head's, then the prior's."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

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
        built: The trained model; it takes the shares on.
        validation: Of that model.
        device: Where to compute.

    Returns:
        Of "item_head" and "prior" what the settings ask for: {"weight": the best, "tried": {weight: the metric
        that chooses}}. Nothing is tried where nobody has a validation item.
    """
    found = {}
    if built.config.item_loss:

        def take_head(share: float) -> None:
            built.model.config.item_share = share

        found["item_head"] = _choose(HEAD_SHARES, take_head, validation, built.model.config.item_share)
    if built.config.prior != "none":
        prior = built.prior = load_prior(run, built.scheme.item_count, 0.0).to(device)

        def take_prior(share: float) -> None:
            prior.weight = share

        found["prior"] = _choose(SHARES, take_prior, validation, 0.0)
    return found


def _choose(
    shares: Sequence[float], take: Callable[[float], None], validation: Validation, untried: float
) -> dict[str, Any]:
    """Take the best share; `untried` is that which is left where there is nothing to validate with."""
    tried: dict[float, float] = {}
    for share in shares if validation.possible else ():
        take(share)
        tried[share] = validation(exclude_seen=True)[BEST]
    best = max(tried, key=lambda share: tried[share], default=untried)
    take(best)
    return {"weight": best, "tried": tried}

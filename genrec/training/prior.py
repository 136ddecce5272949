"""The weight of the transition prior, chosen by validation once the model is trained."""

from pathlib import Path
from typing import Any

from genrec.model.checkpoint import load_prior
from genrec.training.build import Built
from genrec.training.history import BEST
from genrec.training.validation import Validation

WEIGHTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Those that are tried, besides 0."""


def choose_prior(run: Path, validation: Validation, device: Any) -> dict[str, Any]:
    """Try the weights on the validation items, seen items excluded as `genrec recommend` does.

    Args:
        run: Holds the transition counts.
        validation: Of the trained model.
        device: Where to compute.

    Returns:
        {"weight": the best, "tried": {weight: the metric that chooses}}.
    """
    tried = {0.0: validation(exclude_seen=True)[BEST]}
    built = validation.built
    assert isinstance(built, Built)  # other models have no prior
    prior = load_prior(run, built.scheme.item_count, 0.0).to(device)
    for weight in WEIGHTS:
        prior.weight = weight
        tried[weight] = validation(built.scorer(prior), exclude_seen=True)[BEST]
    return {"weight": max(tried, key=lambda weight: tried[weight]), "tried": tried}

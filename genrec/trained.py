"""A run ready to be asked, whichever model it holds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from genrec.baselines.settings import P5
from genrec.config import GENREC
from genrec.decoding.scorer import BEAMS, ModuleScorer, TorchScorer
from genrec.files import read_json
from genrec.folders import RUN, Alone, require_kind
from genrec.ids import RUN_FILE
from genrec.model.checkpoint import load_run, model_of, open_finished


@dataclass(frozen=True)
class Trained:
    """A run's scorer, what run.json says, and the sizes of its tables."""

    scorer: ModuleScorer
    info: dict[str, Any]
    user_count: int
    item_count: int


def open_run(
    path: Path | str, device: str | torch.device = "cpu", beams: int = BEAMS, alone: Alone | None = None
) -> Trained:
    """Load a finished run.

    Args:
        path: The run.
        device: Where to compute.
        beams: Beams of the search; models that score items search nothing.
        alone: The part of GenRec's mixture to take.

    Raises:
        GenRecError: The folder is no run, is unfinished, damaged, or of a newer genrec.
    """
    path = Path(path)
    require_kind(path, RUN)
    name = model_of(read_json(path / RUN_FILE))
    if name == GENREC:
        run = load_run(path, device)
        config = run.model.config
        prior, share = (run.prior, None) if alone is None else (None, None if alone == "model" else 0.0)
        scorer = TorchScorer(run.model, run.scheme, beams, prior, share)
        return Trained(scorer, run.info, config.user_count, config.item_count)
    if name == P5:
        from genrec.baselines.p5.recommender import P5Scorer, load_p5

        found = load_p5(path, device)
        sizes = found.model.config
        return Trained(P5Scorer(found.model, found.scheme, beams), found.info, sizes.user_count, sizes.item_count)
    from genrec.baselines.base import load_item_model
    from genrec.baselines.scorer import ItemScorer

    info = open_finished(path)
    model = load_item_model(path).to(device).eval()
    return Trained(ItemScorer(model), info, model.user_count, model.item_count)

"""What a row of the comparison is about: a model, the runs that stand for it, and what they say."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genrec.comparing.plans import RunPlan
from genrec.config import GENREC
from genrec.data.dataset import Dataset
from genrec.evaluation.contestants import ALONE, Contestant, make_contestant, make_part, parts_of
from genrec.files import read_json
from genrec.folders import Alone
from genrec.ids import RUN_FILE
from genrec.placement import Placement


@dataclass(frozen=True)
class Subject:
    """A model of the comparison.

    Attributes:
        model: Its name, with the part of GenRec's mixture that ranks alone.
        contestants: Who ranks, one per seed; a reference has one.
        facts: What is known besides: "seeds", "runs", "preset", "indexing", "parameters", "seconds" of training,
            "epochs" (both the mean over the seeds), "out_of_time", "devices" that they ended on, "shares"
            that validation chose for GenRec's mixture, per seed, and "settings", those of the first seed.
        part: Whether it is a part of a model's mixture.
    """

    model: str
    contestants: tuple[Contestant, ...]
    facts: dict[str, Any]
    part: bool = False


NOTHING: dict[str, Any] = {
    "seeds": [],
    "runs": [],
    "preset": None,
    "indexing": None,
    "parameters": None,
    "seconds": None,
    "epochs": None,
    "out_of_time": False,
    "devices": [],
    "shares": [],
    "settings": None,
}
"""What is known of a reference."""


class Field:
    """Makes the subjects of a comparison.

    Args:
        data: The dataset.
        k: Length of the lists.
        beams: Of GenRec's search.
        device: Where to compute.
    """

    def __init__(self, data: Dataset, k: int, beams: int, device: str) -> None:
        self.data, self.k, self.beams, self.placement = data, k, beams, Placement(device)

    def subjects(self, model: str, plans: Sequence[RunPlan]) -> list[Subject]:
        """A model by its runs, finished by now, and the parts of the mixture that they may rank by.

        Args:
            model: Its name; one without plans is a reference.
            plans: Those of all models.
        """
        runs = [plan for plan in plans if plan.model == model]
        if not runs:
            return [Subject(model, (self._contestant(model),), NOTHING)]
        paths, facts = [run.path for run in runs], run_facts(runs)
        whole = Subject(model, tuple(map(self._contestant, paths)), facts)
        parts = {alone for path in paths for alone in parts_of(path)}
        return [whole, *(self._part(model, alone, paths, facts) for alone in ALONE if alone in parts)]

    def _part(self, model: str, alone: Alone, paths: Sequence[Path], facts: dict[str, Any]) -> Subject:
        """The same runs by a part of their mixture."""
        found = (make_part(path, alone, self.k, self.beams, self.placement) for path in paths)
        return Subject(f"{model}{ALONE[alone]}", tuple(map(_shortened, found)), facts, part=True)

    def _contestant(self, name: str | Path) -> Contestant:
        data = self.data
        found = make_contestant(name, data.sequences, data.item_count, self.k, self.beams, self.placement)
        return _shortened(found)


def _shortened(contestant: Contestant) -> Contestant:
    """With a name that fits beside a progress bar."""
    return replace(contestant, name=Path(contestant.name).name)


def run_facts(plans: Sequence[RunPlan]) -> dict[str, Any]:
    """What finished runs of one model with several seeds say of themselves."""
    infos = [read_json(plan.path / RUN_FILE) for plan in plans]
    results = [info["result"] for info in infos]
    config = plans[0].config.model_dump()
    return {
        "seeds": [plan.seed for plan in plans],
        "runs": [str(plan.path) for plan in plans],
        "preset": config["preset"] if plans[0].model == GENREC else None,
        "indexing": config.get("indexing"),
        "parameters": infos[0].get("parameters"),
        "seconds": float(np.mean([result["seconds"] for result in results])),
        "epochs": float(np.mean([sum(result["epochs"].values()) for result in results])),
        "out_of_time": any(result.get("out_of_time") for result in results),
        "devices": sorted({info["device"] for info in infos if "device" in info}),
        "shares": [_shares(result) for result in results if "prior" in result or "item_head" in result],
        "settings": {name: value for name, value in config.items() if name != "seed"},
    }


def _shares(result: dict[str, Any]) -> dict[str, float]:
    """What validation chose for a mixture; see `genrec.training.shares`."""
    found: dict[str, float] = {
        part: float(result[part]["weight"]) for part in ("item_head", "prior") if part in result
    }
    if "decay" in result.get("prior", {}):
        found["decay"] = float(result["prior"]["decay"])
    return found

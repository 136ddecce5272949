"""The runs that a comparison needs: their settings and folders, and which of them are there already."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genrec.baselines.settings import CONFIGS, BaselineConfig
from genrec.config import GENREC, SHAPE, TrainConfig
from genrec.data.dataset import Dataset
from genrec.errors import GenRecError
from genrec.evaluation.contestants import REFERENCES
from genrec.files import read_json
from genrec.folders import RUN, require_kind
from genrec.ids import FINETUNE, FINISHED, PRETRAIN, RUN_FILE
from genrec.leftovers import clear_leftovers
from genrec.settings import collect_settings
from genrec.training.settings import make_settings

_SHOWN = 4
"""Differences that a message names."""


@dataclass(frozen=True)
class RunPlan:
    """A run of a comparison, there or not.

    Attributes:
        model: Of `genrec.baselines.settings.CONFIGS`.
        seed: Of the run.
        path: Its folder.
        given: Settings as they are given to `genrec.train`.
        config: All settings.
    """

    model: str
    seed: int
    path: Path
    given: dict[str, Any]
    config: TrainConfig | BaselineConfig

    def status(self, data: Dataset) -> str | None:
        """What run.json says of the run ("training", "finished"); None where there is no folder.

        Raises:
            GenRecError: The folder is no run, or one of another dataset or with other settings.
        """
        clear_leftovers(self.path)
        if not self.path.exists():
            return None
        require_kind(self.path, RUN)
        info = read_json(self.path / RUN_FILE)
        try:
            before = {**_defaults(info["config"].get("model", GENREC)), **info["config"]}
            checksum, phases, status = info["dataset"]["checksum"], info["phases"], info["status"]
            if before["minutes"] != self.config.minutes and _never_cut(info, self.config.minutes):
                before["minutes"] = self.config.minutes
        except (KeyError, TypeError, AttributeError) as error:
            raise GenRecError(f"{self.path / RUN_FILE} is damaged: {error!r}; {_REMEDY}") from error
        if checksum != data.checksum:
            name = info["dataset"].get("name")
            raise GenRecError(f"{self.path} was trained on another dataset ({name}) than {data.path}; {_REMEDY}")
        faults = [
            f"{key} {value!r} (there {before.get(key)!r})"
            for key, value in self.config.model_dump().items()
            if before.get(key) != value and not (key in SHAPE and value is None)  # which weights decide
        ]
        faults += [] if phases == [PRETRAIN, FINETUNE] else [f"both phases (there {' and '.join(phases)} alone)"]
        if faults:
            rest = f" and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
            told = ", ".join(faults[:_SHOWN]) + rest
            raise GenRecError(f"{self.path} was trained with other settings: {told}; give the same, or {_REMEDY}")
        return str(status)


def _never_cut(info: dict[str, Any], minutes: float) -> bool:
    """Whether a run ended before its own limit, and before another one (0 is none): with that it is the same."""
    result = info["result"] if info["status"] == FINISHED else None
    if result is None or result.get("out_of_time"):
        return False
    pretrained = result["epochs"][PRETRAIN] > 0  # which has a share of the limit for itself
    return not minutes or (not pretrained and float(result["seconds"]) <= 60 * minutes)


def _defaults(model: str) -> dict[str, Any]:
    """What runs of earlier versions say nothing of."""
    return {name: field.default for name, field in CONFIGS[model].model_fields.items() if not field.is_required()}


_REMEDY = "choose another folder with -o, or train it anew with --force"


def trained_of(names: Sequence[str]) -> list[str]:
    """Those of the models that are trained; the others are references.

    Raises:
        GenRecError: A name is unknown or given twice, or there is none.
    """
    known = list(CONFIGS)
    faults = [_unknown(name, known) for name in names if name not in known]
    faults += [f"{name} is named twice" for name in dict.fromkeys(names) if list(names).count(name) > 1]
    if faults or not names:
        raise GenRecError("the models are wrong: " + ("; ".join(faults) or f"name some of {', '.join(known)}"))
    return [name for name in names if name not in REFERENCES]


def _unknown(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"{name!r} is unknown, {f'did you mean {near[0]}?' if near else 'known: ' + ', '.join(known)}"


def plan_runs(
    models: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
    preset: str | None = None,
    settings: Sequence[str] = (),
    minutes: float | None = None,
) -> list[RunPlan]:
    """The runs of all models and seeds; each lies in `folder` by the name of MODEL-seedN.

    Args:
        models: Those that are trained.
        seeds: One run each.
        folder: Where the runs lie.
        preset: GenRec's.
        settings: "key=value" for every model that has the setting, or "model.key=value" for one.
        minutes: What the training of a run may take.

    Raises:
        GenRecError: A setting is wrong, or is nobody's.
    """
    if preset is not None and GENREC not in models:
        raise GenRecError(f"preset {preset} is GenRec's, which is not among the models; leave it out")
    if settings and not models:
        raise GenRecError(f"--set {settings[0]} is for nobody: no model is trained; leave it out")
    given = [*settings, *([] if minutes is None else [f"minutes={minutes}"])]
    mine = {model: _of(model, models, given) for model in models}
    plans = []
    for model in models:
        for seed in seeds:
            try:
                chosen = collect_settings(
                    preset if model == GENREC else None, None, mine[model], seed, model, CONFIGS
                )
                config = make_settings(chosen)
            except GenRecError as error:
                raise GenRecError(f"{model}: {error}") from error
            plans.append(RunPlan(model, seed, folder / f"{model}-seed{seed}", chosen, config))
    return plans


def _of(model: str, models: Sequence[str], settings: Sequence[str]) -> list[str]:
    """The settings that are a model's, without its name; one that is nobody's is the first model's, which says so.

    Raises:
        GenRecError: One names a model that is not trained.
    """
    mine = []
    for text in settings:
        key, equals, value = text.partition("=")
        owner, dot, name = key.strip().rpartition(".")
        if dot and owner not in models:
            raise GenRecError(f"--set {text} is for {owner!r}, which is not among the models: {', '.join(models)}")
        having = [other for other in models if name in CONFIGS[other].model_fields]
        if model in ([owner] if dot else having or models[:1]):
            mine.append(f"{name}{equals}{value}")
    return mine

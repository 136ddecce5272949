"""Settings of whichever model is trained: completed, inherited or of an earlier start; torch is not imported."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrec.baselines.settings import BaselineConfig, make_baseline_config
from genrec.config import GENREC, STRUCTURE, TrainConfig, TrainerConfig
from genrec.data.dataset import Dataset
from genrec.errors import GenRecError
from genrec.files import read_json
from genrec.folders import RUN, require_kind
from genrec.ids import FINETUNE, PRETRAIN, RUN_FILE
from genrec.settings import make_config

if TYPE_CHECKING:
    from genrec.model.checkpoint import Run

Settings = TrainConfig | BaselineConfig


def make_settings(given: dict[str, Any]) -> Settings:
    """Complete and check the settings of the model that `given` names, GenRec where it names none.

    Raises:
        GenRecError: Wrong values, all in one message.
    """
    return make_config(given) if given.get("model", GENREC) == GENREC else make_baseline_config(given)


def choose_settings(
    given: dict[str, Any],
    before: dict[str, Any] | None,
    pretrained: "Run | None",
    data: Dataset,
    phases: Sequence[str],
) -> Settings:
    """Those of an earlier start; else those given, over those of the pretrained run if there is one.

    Args:
        given: What was asked for explicitly.
        before: run.json of an earlier start, if it is to be continued.
        pretrained: The run to finetune, if there is one.
        data: What is learned.
        phases: Those that will be trained.

    Raises:
        GenRecError: They contradict the pretrained run, or leave nothing to train.
    """
    config: Settings
    if before:
        config = _settings_of(before["config"])
    elif pretrained:
        config = _inherit(given, pretrained, data)
    else:
        config = _with_pretraining(make_settings(given), given, phases)
    _check_epochs(config, phases)
    return config


def _settings_of(config: dict[str, Any]) -> Settings:
    """The settings that run.json holds."""
    if config.get("model", GENREC) == GENREC:
        return TrainConfig(**config)
    return make_baseline_config(config)


def _with_pretraining(config: Settings, given: dict[str, Any], phases: Sequence[str]) -> Settings:
    """Where nothing but pretraining is wanted, GenRec has some, whatever its preset has."""
    asked = "pretrain_epochs" in given or config.pretrain_epochs or not isinstance(config, TrainConfig)
    if asked or tuple(phases) != (PRETRAIN,):
        return config
    return config.model_copy(update={"pretrain_epochs": TrainConfig.model_fields["pretrain_epochs"].default})


def _check_epochs(config: TrainerConfig, phases: Sequence[str]) -> None:
    epochs = {PRETRAIN: config.pretrain_epochs, FINETUNE: config.finetune_epochs}
    if not config.counted and not any(epochs[phase] for phase in phases):
        names = " and ".join(f"{phase}_epochs" for phase in phases)
        raise GenRecError(f"{names} is 0, so there is nothing to train; set it to 1 or more")


def _inherit(given: dict[str, Any], pretrained: "Run", data: Dataset) -> TrainConfig:
    """Settings of a run finetuned from another: the structure is the other's and cannot be contradicted."""
    if pretrained.info["dataset"]["checksum"] != data.checksum:
        raise GenRecError(
            f"{pretrained.path} was pretrained on another dataset ({pretrained.info['dataset']['name']}) than "
            f"{data.path}; finetune it on the same one"
        )
    before = pretrained.config.model_dump()
    faults = [
        f"{key} {given[key]} ({pretrained.path} has {before[key]})"
        for key in STRUCTURE
        if key in given and given[key] != before[key]
    ]
    if faults:
        raise GenRecError(f"the settings contradict the pretrained run: {', '.join(faults)}")
    return make_config(given, pretrained.config)


def check_resumable(output: Path, given: dict[str, Any], data: Dataset, phases: Sequence[str]) -> dict[str, Any]:
    """What run.json of an earlier start says, if it was the same training.

    Raises:
        GenRecError: The folder is no run, or its dataset, phases or a setting differ; names the differences.
    """
    require_kind(output, RUN)
    info = read_json(output / RUN_FILE)
    try:
        before = {
            "model": GENREC,
            **info["config"],
            "dataset": info["dataset"]["checksum"],
            "phases": info["phases"],
        }
    except (KeyError, TypeError) as error:
        raise GenRecError(f"{output / RUN_FILE} is damaged: it lacks {error}; train anew with --force") from error
    now = {**given, "dataset": data.checksum, "phases": list(phases)}
    faults = [f"{key} {now[key]} (before {before.get(key)})" for key in now if now[key] != before.get(key)]
    if faults:
        raise GenRecError(
            f"cannot resume {output} with other settings: {', '.join(faults)}; give the same, or train anew "
            "into another folder or with --force"
        )
    return info

"""A run's folder: the model, its tokens, its settings and the tables it was trained on, saved and loaded."""

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from genrec.baselines.settings import BaselineConfig
from genrec.config import GENREC, TrainConfig
from genrec.data.dataset import Dataset
from genrec.data.followers import load_followers, told_reach
from genrec.data.tables import Sequences, read_sequences
from genrec.decoding.prior import TransitionPrior
from genrec.errors import GenRecError
from genrec.files import describe_files, read_json, verify_files, write_json
from genrec.folders import RUN, mixed_share, require_kind
from genrec.ids import (
    CONFIG_FILE,
    EVALUATIONS_FILE,
    FINISHED,
    FORMAT_VERSION,
    METRICS_FILE,
    RUN_FILE,
    TABLE_FILES,
    TRAINING,
    TRANSITIONS_FILE,
    WEIGHTS_FILE,
)
from genrec.indexing.tokens import TokenScheme, load_scheme
from genrec.model.modeling import GenRecForConditionalGeneration

Model = TypeVar("Model", bound=PreTrainedModel)

_FIRST_DECAY = 0.5
"""Of priors whose runs do not tell it: there was no other."""


@dataclass(frozen=True)
class Run:
    """A trained model with all that it needs to recommend."""

    path: Path
    info: dict[str, Any]
    """What run.json says."""
    config: TrainConfig
    model: GenRecForConditionalGeneration
    scheme: TokenScheme
    prior: TransitionPrior | None = None
    """What is mixed with the model's distribution, on the model's device."""

    @property
    def sequences(self) -> Sequences:
        """The sequences of the dataset that the run was trained on."""
        return read_sequences(self.path)


def start_run(
    folder: Path, dataset: Dataset, config: TrainConfig | BaselineConfig, scheme: TokenScheme | None, **info: Any
) -> None:
    """Write what a run knows before its training: settings, tokens and the dataset's tables.

    Args:
        folder: An existing folder.
        dataset: What it will be trained on.
        config: Its settings.
        scheme: Its tokens, if it has any.
        info: What else run.json should say.
    """
    for name in TABLE_FILES:
        shutil.copyfile(dataset.path / name, folder / name)
    if scheme is not None:
        scheme.save(folder)
    content = {
        "format_version": FORMAT_VERSION,
        "status": TRAINING,
        "dataset": {"checksum": dataset.checksum, "name": dataset.path.name, "info": dataset.info},
        "config": config.model_dump(),
        **info,
    }
    write_json(folder / RUN_FILE, content)


def finish_run(folder: Path, model: Any, **info: Any) -> dict[str, Any]:
    """Write the weights and declare the run finished.

    Args:
        folder: Of `start_run`.
        model: Has a `save_pretrained`.
        info: Is added to run.json.

    Returns:
        The content of run.json.
    """
    model.save_pretrained(folder)
    shutil.copymode(folder / CONFIG_FILE, folder / WEIGHTS_FILE)  # safetensors writes for the owner alone
    # Hidden files are what a start that was killed left behind.
    kept = {path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")}
    content = {**read_json(folder / RUN_FILE), "status": FINISHED, **info}
    content["files"] = describe_files(folder, sorted(kept - {RUN_FILE, METRICS_FILE, EVALUATIONS_FILE}))
    write_json(folder / RUN_FILE, content)
    return content


def load_run(path: Path | str, device: str | torch.device = "cpu", to_learn: bool = False) -> Run:
    """Load a finished run; its model is in evaluation mode.

    Args:
        path: The run.
        device: Where to compute.
        to_learn: Whether what it knows of items' terms, as a pretrained run does, stays apart from their IDs.

    Raises:
        GenRecError: The folder is no run, is unfinished, damaged, or of a newer genrec.
    """
    path = Path(path)
    info = open_finished(path)
    if (name := model_of(info)) != GENREC:
        raise GenRecError(f"{path} is a run of {name}; a run of GenRec is wanted here")
    try:
        config = TrainConfig(**info["config"])
    except (TypeError, ValueError) as error:
        raise GenRecError(f"{path / RUN_FILE} is damaged: {error}; train again") from error
    scheme = load_scheme(path)
    prior = _load_prior(path, scheme.item_count, info) if mixed_share(info, "prior") else None
    model = load_model(path).to(device).eval()
    if not to_learn:
        model.model.encoder.fold_terms()
    return Run(path, info, config, model, scheme, None if prior is None else prior.to(device))


def open_finished(path: Path) -> dict[str, Any]:
    """What run.json says of a finished run, whichever model it holds; its files are compared with their checksums.

    Raises:
        GenRecError: The folder is no run, is unfinished, damaged, or of a newer genrec.
    """
    require_kind(path, RUN)
    info = read_json(path / RUN_FILE)
    if info.get("status") != FINISHED:
        raise GenRecError(
            f"{path} is a run whose training did not finish; continue it with --resume, or repeat it with --force"
        )
    if not isinstance(info.get("config"), dict) or not isinstance(info.get("files"), dict):
        raise GenRecError(f"{path / RUN_FILE} is damaged: it lacks 'config' or 'files'; train again")
    verify_files(path, info["files"])
    return info


def model_of(info: dict[str, Any]) -> str:
    """The model that run.json names; the first runs named none and were GenRec's."""
    config = info.get("config")
    return str(config.get("model", GENREC)) if isinstance(config, dict) else GENREC


def _load_prior(path: Path, item_count: int, info: dict[str, Any]) -> TransitionPrior:
    """The prior over the transitions of a run's training part, with what validation chose.

    Raises:
        GenRecError: The counts are missing or damaged, or run.json tells no decay that could be theirs.
    """
    try:
        reach = told_reach(info["result"]["prior"].get("decay", _FIRST_DECAY))
    except ValueError as error:
        raise GenRecError(f"{path / RUN_FILE} is damaged: {error}; train again") from error
    return TransitionPrior(load_followers(path / TRANSITIONS_FILE, item_count), reach, mixed_share(info, "prior"))


def load_model(path: Path) -> GenRecForConditionalGeneration:
    """GenRec by `load_strictly`."""
    return load_strictly(GenRecForConditionalGeneration, path)


def load_strictly(kind: type[Model], path: Path) -> Model:
    """Load the weights of a folder: nothing may be missing or left over.

    Args:
        kind: The model's class.
        path: The folder.

    Raises:
        GenRecError: The weights are missing or damaged, or do not fit config.json.
    """
    quiet_libraries()
    try:
        model, loading = kind.from_pretrained(
            path, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise GenRecError(
            f"{path / WEIGHTS_FILE} or {CONFIG_FILE} beside it is damaged or missing: {_first_line(error)}; "
            "train again or copy the run again"
        ) from error
    faults = [f"{kind.replace('_', ' ')} {list(keys)[:3]}" for kind, keys in loading.items() if keys]
    if faults:
        raise GenRecError(f"{path / WEIGHTS_FILE} does not fit {CONFIG_FILE}: {'; '.join(faults)}")
    return model


def quiet_libraries() -> None:
    """Silence log lines and bars of transformers: genrec tells its user itself what matters."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.getLogger("transformers").setLevel(logging.ERROR)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)

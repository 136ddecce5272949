"""`genrec train`, `pretrain` and `finetune`: from a dataset to a run.

torch is imported only once settings, dataset and output are checked, so that a mistake is told at once.
"""

import platform
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrec import ranks
from genrec.baselines.settings import CONFIGS, make_baseline_config
from genrec.config import GENREC, STRUCTURE, TrainConfig, TrainerConfig
from genrec.data.dataset import Dataset, load_dataset
from genrec.errors import GenRecError
from genrec.files import atomic_folder, check_output, read_json
from genrec.folders import RUN, require_kind
from genrec.ids import FINETUNE, FINISHED, PRETRAIN, RUN_FILE, WEIGHTS_FILE
from genrec.leftovers import clear_leftovers
from genrec.locking import alone
from genrec.progress import SILENT, Reporter
from genrec.settings import collect_settings, make_config
from genrec.training.settings import make_settings
from genrec.training.tracking import choose_trackers

if TYPE_CHECKING:
    from genrec.model.checkpoint import Run
    from genrec.training.build import Built
    from genrec.training.trainable import Settings, Trainable

OnValidation = Callable[[int, dict[str, float]], None]

_PACKAGES = ("genrec", "torch", "transformers", "accelerate", "numpy")


def train(dataset: str | Path, output: str | Path, **options: Any) -> dict[str, Any]:
    """Pretrain, where the model has a pretraining, then finetune: learn the next item.

    Args:
        dataset: Folder that `genrec.prepare` wrote.
        output: Run to write.
        options: Keyword arguments of `run_phases`.

    Returns:
        {"run", "model", "epochs": {"pretrain", "finetune"}, "best": {"epoch", "valid"}, "seconds",
        "examples_per_second"}.

    Raises:
        GenRecError: The dataset, the settings, the device or the output are at fault.
    """
    return run_phases(dataset, output, phases=(PRETRAIN, FINETUNE), **options)


def pretrain(dataset: str | Path, output: str | Path, **options: Any) -> dict[str, Any]:
    """Pretrain only: the cloze task; keeps the last epoch. Arguments and result as `train`."""
    return run_phases(dataset, output, phases=(PRETRAIN,), **options)


def finetune(dataset: str | Path, output: str | Path, *, start: str | Path, **options: Any) -> dict[str, Any]:
    """Finetune `start`, a run pretrained on the same dataset. Arguments and result as `train`."""
    return run_phases(dataset, output, phases=(FINETUNE,), start=start, **options)


def run_phases(
    dataset: str | Path,
    output: str | Path,
    *,
    phases: Sequence[str],
    start: str | Path | None = None,
    model: str | None = None,
    preset: str | None = None,
    config: str | Path | None = None,
    settings: dict[str, Any] | list[str] | None = None,
    seed: int | None = None,
    device: str = "auto",
    resume: bool = False,
    save_every: float | None = None,
    track: Sequence[str] | None = None,
    on_validation: OnValidation | None = None,
    force: bool = False,
    reporter: Reporter = SILENT,
) -> dict[str, Any]:
    """Train a run through its phases.

    Args:
        dataset: Folder that `genrec.prepare` wrote.
        output: Run to write.
        phases: "pretrain", "finetune" or both.
        start: A pretrained run to finetune.
        model: What to train, of `genrec.baselines.settings.CONFIGS`; GenRec by default.
        preset: Where GenRec's defaults come from.
        config: TOML file of settings.
        settings: Single settings, a dict or "key=value" texts.
        seed: Seed of the run.
        device: auto, cpu or cuda.
        resume: Continue an unfinished run; afresh where there is none.
        save_every: Seconds between checkpoints, besides those after each epoch.
        track: Trackers to report to, of `genrec.training.tracking.TRACKERS`; by default TensorBoard's files.
        on_validation: Called with epoch and metrics after each validation; what it raises ends the training.
        force: Replace an existing output.
        reporter: Receives progress.
    """
    output, trackers = Path(output), choose_trackers(track)
    ranks.join(device)
    given = collect_settings(preset, Path(config) if config else None, settings, seed, model, CONFIGS)
    data = load_dataset(dataset)
    inputs = [Path(path) for path in (dataset, start) if path]
    with ExitStack() as held:
        ranks.on_main(lambda: held.enter_context(alone(output)))
        before = ranks.on_main(
            lambda: _look(output, given, data, phases, resume=resume, force=force, inputs=inputs)
        )
        if before and before["status"] == FINISHED:
            reporter.info(f"{output} is finished already; there is nothing to resume")
            return before["result"]
        pretrained = _open(start, before)
        run_config = _settings(given, before, pretrained, data, phases)

        import torch

        from genrec.device import choose_device
        from genrec.training.arguments import choose_precision
        from genrec.training.session import Session

        target = choose_device(device)
        choose_precision(run_config.precision, target)  # before anything is written
        # Told explicitly, matrix products divide their work otherwise than by default, and round otherwise:
        # `Lanes` tells it in mid-training, so it is told from the start, that resumed runs may repeat what
        # unbroken ones did.
        torch.set_num_threads(torch.get_num_threads())
        built = _build(run_config, data, pretrained)
        if not before:
            ranks.on_main(lambda: _start(output, force, data, built, phases, pretrained))
        return Session(output, data, built, target, save_every, reporter, trackers, on_validation).run(phases)


def _look(
    output: Path,
    given: dict[str, Any],
    data: Dataset,
    phases: Sequence[str],
    *,
    resume: bool,
    force: bool,
    inputs: list[Path],
) -> dict[str, Any] | None:
    """What run.json of an earlier start says if it is to be continued; else the output must be free."""
    clear_leftovers(output)  # before asking what is there: it may put a run back
    if resume and output.exists():
        return _resumable(output, given, data, phases)
    check_output(output, force, inputs)
    return None


def _open(start: str | Path | None, before: dict[str, Any] | None) -> "Run | None":
    """The pretrained run to finetune, if there is one.

    Raises:
        GenRecError: It is no finished run, or not the one that an earlier start began with.
    """
    if start is None:
        return None
    from genrec.model.checkpoint import load_run

    run = load_run(start, to_learn=True)
    if before and before.get("start", _weights(run)) != _weights(run):
        raise GenRecError(
            f"cannot resume from {start}: the run was begun from other weights; give the same --from"
        )
    return run


def _weights(run: "Run") -> str:
    """The checksum of a run's weights."""
    return str(run.info["files"][WEIGHTS_FILE]["sha256"])


def _start(
    output: Path, force: bool, data: Dataset, built: "Trainable", phases: Sequence[str], pretrained: "Run | None"
) -> None:
    """Write what the run knows before its training."""
    from genrec.model.checkpoint import start_run

    origin = {"start": _weights(pretrained)} if pretrained else {}
    info = {"phases": list(phases), "versions": _versions(), "done": {}, **origin}
    with atomic_folder(output, force) as folder:
        start_run(folder, data, built.config, built.scheme, **info)


def _settings(
    given: dict[str, Any],
    before: dict[str, Any] | None,
    pretrained: "Run | None",
    data: Dataset,
    phases: Sequence[str],
) -> "Settings":
    """Those of an earlier start; else those given, over those of the pretrained run if there is one."""
    config: Settings
    if before:
        config = _settings_of(before["config"])
    elif pretrained:
        config = _inherit(given, pretrained, data)
    else:
        config = _with_pretraining(make_settings(given), given, phases)
    _check_epochs(config, phases)
    return config


def _settings_of(config: dict[str, Any]) -> "Settings":
    """The settings that run.json holds."""
    if config.get("model", GENREC) == GENREC:
        return TrainConfig(**config)
    return make_baseline_config(config)


def _build(config: "Settings", data: Dataset, pretrained: "Run | None") -> "Trainable":
    """What the session trains."""
    if not isinstance(config, TrainConfig):
        from genrec.training.baseline import build_baseline

        return build_baseline(config, data)
    from genrec.training.build import build

    return _from_run(pretrained, config) if pretrained else build(config, data)


def _with_pretraining(config: "Settings", given: dict[str, Any], phases: Sequence[str]) -> "Settings":
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


def _from_run(pretrained: "Run", config: TrainConfig) -> "Built":
    from genrec.indexing.scheme import TEXT
    from genrec.training.build import Built, first_item_share
    from genrec.training.pretrained import load_tokenizer

    tokenizer = load_tokenizer(str(pretrained.path)) if config.indexing == TEXT else None
    model = pretrained.model
    model.config.label_smoothing = config.label_smoothing
    model.config.item_loss = config.item_loss
    model.config.item_share = first_item_share(config)
    model.config.mask_token = pretrained.scheme.special.mask  # which earlier versions did not note
    model.use_repeats(config.head_repeats)
    model.use_sparse_ids(config.sparse_ids)
    model.use_dropout(config.dropout, config.attention_dropout)
    return Built(config, pretrained.scheme, model, tokenizer)


def _resumable(output: Path, given: dict[str, Any], data: Dataset, phases: Sequence[str]) -> dict[str, Any]:
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


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}

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
from genrec.baselines.settings import CONFIGS
from genrec.config import TrainConfig
from genrec.data.dataset import Dataset, load_dataset
from genrec.errors import GenRecError
from genrec.files import atomic_folder, check_output
from genrec.ids import FINETUNE, FINISHED, PRETRAIN, WEIGHTS_FILE
from genrec.leftovers import clear_leftovers
from genrec.locking import alone
from genrec.progress import SILENT, Reporter
from genrec.settings import collect_settings
from genrec.training.settings import Settings, check_resumable, choose_settings
from genrec.training.tracking import choose_trackers

if TYPE_CHECKING:
    from genrec.model.checkpoint import Run
    from genrec.training.trainable import Trainable

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
        run_config = choose_settings(given, before, pretrained, data, phases)

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
        return check_resumable(output, given, data, phases)
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


def _build(config: Settings, data: Dataset, pretrained: "Run | None") -> "Trainable":
    """What the session trains."""
    if not isinstance(config, TrainConfig):
        from genrec.training.baseline import build_baseline

        return build_baseline(config, data)
    from genrec.training.build import build, build_from

    return build_from(pretrained, config) if pretrained else build(config, data)


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}

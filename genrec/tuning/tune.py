"""`genrec tune`: search for good settings by validation, with Optuna (extra `[tune]`)."""

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrec.config import collect_settings
from genrec.data.dataset import load_dataset
from genrec.errors import GenRecError
from genrec.files import atomic_file, check_output, read_json, remove, write_json
from genrec.ids import FORMAT_VERSION
from genrec.leftovers import clear_leftovers
from genrec.progress import SILENT, Reporter
from genrec.tuning.space import Space, describe, load_space, suggest

if TYPE_CHECKING:
    import optuna

TUNE_FILE = "tune.json"
BEST_FILE = "best.toml"
_STUDY_FILE = "study.db"
_TRIALS = "trials"
_METRIC = "NDCG@10"
_MESSAGE = "message"

DEFAULT_TRIALS = 20
_UNPRUNED_TRIALS, _UNPRUNED_EPOCHS = 4, 2
"""So many trials, and so many epochs of each later one, run before the median decides."""


class TimeOverError(Exception):
    """The search's minutes are over."""


def tune(
    dataset: str | Path,
    output: str | Path,
    *,
    trials: int | None = None,
    minutes: float | None = None,
    search: str | Path | None = None,
    preset: str | None = None,
    config: str | Path | None = None,
    settings: dict[str, Any] | list[str] | None = None,
    seed: int = 0,
    device: str = "auto",
    keep_runs: bool = False,
    force: bool = False,
    reporter: Reporter = SILENT,
) -> dict[str, Any]:
    """Train with one choice of settings after the other; what the trials so far tell guides the next.

    The same call on the same folder continues: finished trials are kept, one that was cut short is repeated.

    Args:
        dataset: Folder that `genrec.prepare` wrote.
        output: Folder of the search.
        trials: Trials in all, those of earlier calls included; by default 20, or as many as `minutes` allows.
        minutes: Ends the search, and the trial under way after its epoch.
        search: TOML file of what to search.
        preset: Where the other settings come from.
        config: TOML file of fixed settings.
        settings: Single fixed settings.
        seed: Of the search; each trial trains with the settings' own seed.
        device: auto, cpu or cuda.
        keep_runs: Keep the run of each trial, under "trials".
        force: Begin anew where the folder exists.
        reporter: Receives progress.

    Returns:
        {"folder", "config": path of best.toml, "best": trial, "trials": [{"number", "state", "value": validation
        NDCG@10, "epochs", "seconds", "settings", "message"?}]}.

    Raises:
        GenRecError: Optuna is missing, the space or the settings are wrong, the folder is another search's, or no
            trial came to an end.
    """
    import_optuna()
    output = Path(output)
    fixed = collect_settings(preset, Path(config) if config else None, settings, None)
    space = load_space(Path(search) if search else None, fixed)
    data = load_dataset(dataset)
    _open(output, {"dataset": data.checksum, "fixed": fixed, "space": describe(space), "seed": seed}, force)
    deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
    most = trials if trials is not None else (DEFAULT_TRIALS if minutes is None else None)
    one = _Trials(Path(dataset), output, space, fixed, device, keep_runs, deadline)
    with reporter.task("tune", most) as task:
        while (most is None or one.done < most) and time.monotonic() < deadline:
            shown = one.run_next(seed)
            task.advance(1, trial=shown["number"], **{f"best {_METRIC}": one.best_value()})
            reporter.info(_line(shown))
    return _result(output, one, fixed)


def import_optuna() -> Any:
    """Optuna, silenced.

    Raises:
        GenRecError: It is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise GenRecError("genrec tune needs Optuna; install it with: pip install '.[tune]'") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


class _Trials:
    """The trials of one search."""

    def __init__(
        self,
        dataset: Path,
        folder: Path,
        space: Space,
        fixed: dict[str, Any],
        device: str,
        keep_runs: bool,
        deadline: float,
    ) -> None:
        self.optuna = import_optuna()
        self.dataset, self.folder, self.space, self.fixed = dataset, folder, space, fixed
        self.device, self.keep_runs, self.deadline = device, keep_runs, deadline
        self.study = self.optuna.create_study(
            storage=f"sqlite:///{(folder / _STUDY_FILE).absolute()}",
            study_name="genrec",
            direction="maximize",
            pruner=self.optuna.pruners.MedianPruner(_UNPRUNED_TRIALS, _UNPRUNED_EPOCHS),
            load_if_exists=True,
        )
        self._repeat_those_cut_short()

    def _repeat_those_cut_short(self) -> None:
        states = self.optuna.trial.TrialState
        for trial in self.study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            self.study.tell(trial.number, state=states.FAIL)
            self.study.enqueue_trial(trial.params)
            remove(self.folder / _TRIALS / str(trial.number))

    @property
    def finished(self) -> list["optuna.trial.FrozenTrial"]:
        """Trials that came to an end, whichever; a failed one without a message was killed, and is repeated."""
        failed = self.optuna.trial.TrialState.FAIL
        trials = self.study.get_trials(deepcopy=False)
        return [
            trial
            for trial in trials
            if trial.state.is_finished() and (trial.state != failed or _MESSAGE in trial.user_attrs)
        ]

    @property
    def done(self) -> int:
        """Their number."""
        return len(self.finished)

    def best_value(self) -> float:
        """The best validation so far, 0 where there is none."""
        return max((value_of(trial) or 0.0 for trial in self.finished), default=0.0)

    def run_next(self, seed: int) -> dict[str, Any]:
        """Draw settings, train with them, note what came of it."""
        states = self.optuna.trial.TrialState
        # Seeded for each trial alone, so that a search which was stopped draws what an unbroken one would have.
        self.study.sampler = self.optuna.samplers.TPESampler(seed=seed * 100_003 + self.done)
        trial = self.study.ask()
        drawn = suggest(self.space, trial)
        run = self.folder / _TRIALS / str(trial.number)
        try:
            self._train(trial, drawn, run)
        except (self.optuna.TrialPruned, TimeOverError):
            self.study.tell(trial, state=states.PRUNED)
        except GenRecError as error:
            trial.set_user_attr(_MESSAGE, str(error))
            self.study.tell(trial, state=states.FAIL)
        else:
            self.study.tell(trial, max(self._values(trial)))
        if not self.keep_runs:
            remove(run)
        return describe_trial(self.study.get_trials(deepcopy=False)[trial.number])

    def _train(self, trial: "optuna.Trial", drawn: dict[str, Any], run: Path) -> None:
        from genrec.training.train import train

        def validated(epoch: int, metrics: dict[str, float]) -> None:
            trial.report(metrics[_METRIC], epoch)
            if trial.should_prune():
                raise self.optuna.TrialPruned
            if time.monotonic() >= self.deadline:
                raise TimeOverError

        train(
            self.dataset,
            run,
            settings={**self.fixed, **drawn},
            device=self.device,
            force=True,
            track=(),
            on_validation=validated,
        )
        if not self._values(trial):
            raise GenRecError("no user has a validation item, so settings cannot be compared")

    def _values(self, trial: "optuna.Trial") -> list[float]:
        return list(self.study.get_trials(deepcopy=False)[trial.number].intermediate_values.values())


def _open(output: Path, identity: dict[str, Any], force: bool) -> None:
    """Begin a search, or make sure that the folder holds the same one.

    Raises:
        GenRecError: It holds another; names the differences.
    """
    clear_leftovers(output)
    path = output / TUNE_FILE
    if output.exists() and not force:
        if not path.is_file():
            check_output(output, force)  # says that something else is there
        before = read_json(path)
        faults = [
            f"{key} {value} (before {before.get(key)})"
            for key, value in identity.items()
            if before.get(key) != value
        ]
        if faults:
            raise GenRecError(
                f"{output} holds another search: {'; '.join(faults)}; give the same, another folder, or --force"
            )
        return
    check_output(output, force)
    remove(output)
    output.mkdir(parents=True)
    write_json(path, {"format_version": FORMAT_VERSION, **identity})


def value_of(trial: "optuna.trial.FrozenTrial") -> float | None:
    """A trial's best validation, None before the first."""
    return max(trial.intermediate_values.values(), default=None)


def describe_trial(trial: "optuna.trial.FrozenTrial") -> dict[str, Any]:
    """A trial as the result tells it."""
    message = trial.user_attrs.get(_MESSAGE)
    return {
        "number": trial.number,
        "state": {"COMPLETE": "complete", "PRUNED": "stopped early", "FAIL": "failed"}[trial.state.name],
        "value": value_of(trial),
        "epochs": len(trial.intermediate_values),
        "seconds": trial.duration.total_seconds() if trial.duration else 0.0,
        "settings": trial.params,
        **({"message": message} if message else {}),
    }


def _line(trial: dict[str, Any]) -> str:
    value = "" if trial["value"] is None else f", valid {_METRIC} {trial['value']:.4f}"
    said = f": {trial['message']}" if "message" in trial else ""
    return f"trial {trial['number']} {trial['state']} after {trial['seconds']:.0f} s{value}{said}"


def _result(output: Path, trials: _Trials, fixed: dict[str, Any]) -> dict[str, Any]:
    told = [describe_trial(trial) for trial in trials.finished]
    ended = [trial for trial in told if trial["value"] is not None and trial["state"] != "failed"]
    if not ended:
        said = [trial["message"] for trial in told if "message" in trial]
        raise GenRecError(f"no trial came to an end: {said[0] if said else 'the time was over before'}")
    # A trial that ran to its end is preferred to one that was stopped on its way.
    best = max(ended, key=lambda trial: (trial["state"] == "complete", trial["value"]))
    config = output / BEST_FILE
    with atomic_file(config) as temporary:
        temporary.write_text(as_toml({**fixed, **best["settings"]}, best), encoding="utf-8")
    return {"folder": str(output), "config": str(config), "best": best, "trials": told}


def as_toml(settings: dict[str, Any], best: dict[str, Any]) -> str:
    """Settings as a file that `--config` takes.

    >>> print(as_toml({"dropout": 0.1, "preset": "tiny"}, {"number": 3, "value": 0.05}), end="")
    # Trial 3 of genrec tune: validation NDCG@10 0.0500.
    dropout = 0.1
    preset = "tiny"
    """
    lines: Sequence[str] = [f"{name} = {json.dumps(value)}" for name, value in sorted(settings.items())]
    head = f"# Trial {best['number']} of genrec tune: validation {_METRIC} {best['value']:.4f}."
    return "\n".join((head, *lines, ""))

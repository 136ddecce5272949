"""The trials of a search: drawn, trained and noted in Optuna's study, which outlives the process."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrec.errors import GenRecError
from genrec.files import remove
from genrec.locking import alone
from genrec.tuning.space import Space, as_it_is, suggest

if TYPE_CHECKING:
    import optuna

METRIC = "NDCG@10"
"""The validation metric that is searched for."""

_STUDY_FILE = "study.db"
_FOLDER = "trials"
_MESSAGE = "message"
_UNPRUNED_TRIALS, _UNPRUNED_EPOCHS = 4, 2
"""So many trials, and so many epochs of each later one, run before the median decides."""


class TimeOverError(Exception):
    """The search's minutes are over."""


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


class Trials:
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
        if not self.study.get_trials(deepcopy=False):
            self.study.enqueue_trial(as_it_is(space, fixed))  # what the others must be better than
        self._repeat_those_cut_short()

    def _repeat_those_cut_short(self) -> None:
        states = self.optuna.trial.TrialState
        for trial in self.study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            self.study.tell(trial.number, state=states.FAIL)
            self.study.enqueue_trial(trial.params)
            run = self.folder / _FOLDER / str(trial.number)
            with alone(run):
                remove(run)

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
        run = self.folder / _FOLDER / str(trial.number)
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
            trial.report(metrics[METRIC], epoch)
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

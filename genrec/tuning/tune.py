"""`genrec tune`: search for good settings by validation, with Optuna (extra `[tune]`)."""

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genrec.data.dataset import load_dataset
from genrec.errors import GenRecError
from genrec.files import atomic_file, check_output, read_json, remove, write_json
from genrec.ids import FORMAT_VERSION
from genrec.leftovers import clear_leftovers
from genrec.progress import SILENT, Reporter
from genrec.settings import collect_settings
from genrec.tuning.space import describe, load_space
from genrec.tuning.trials import METRIC, Trials, describe_trial, import_optuna

TUNE_FILE = "tune.json"
BEST_FILE = "best.toml"

DEFAULT_TRIALS = 20


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
    inputs = [Path(path) for path in (dataset, search, config) if path]
    _open(
        output, inputs, {"dataset": data.checksum, "fixed": fixed, "space": describe(space), "seed": seed}, force
    )
    deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
    most = trials if trials is not None else (DEFAULT_TRIALS if minutes is None else None)
    one = Trials(Path(dataset), output, space, fixed, device, keep_runs, deadline)
    with reporter.task("tune", most) as task:
        while (most is None or one.done < most) and time.monotonic() < deadline:
            shown = one.run_next(seed)
            task.advance(1, trial=shown["number"], **{f"best {METRIC}": one.best_value()})
            reporter.info(_line(shown))
    return _result(output, one, fixed)


def _open(output: Path, inputs: list[Path], identity: dict[str, Any], force: bool) -> None:
    """Begin a search, or make sure that the folder holds the same one.

    Raises:
        GenRecError: It holds another; names the differences.
    """
    clear_leftovers(output)
    path = output / TUNE_FILE
    if output.exists() and not force:
        if not path.is_file():
            check_output(output, force, inputs)  # says that something else is there
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
    check_output(output, force, inputs)
    remove(output)
    output.mkdir(parents=True)
    write_json(path, {"format_version": FORMAT_VERSION, **identity})


def _line(trial: dict[str, Any]) -> str:
    value = "" if trial["value"] is None else f", valid {METRIC} {trial['value']:.4f}"
    said = f": {trial['message']}" if "message" in trial else ""
    return f"trial {trial['number']} {trial['state']} after {trial['seconds']:.0f} s{value}{said}"


def _result(output: Path, trials: Trials, fixed: dict[str, Any]) -> dict[str, Any]:
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
    head = f"# Trial {best['number']} of genrec tune: validation {METRIC} {best['value']:.4f}."
    return "\n".join((head, *lines, ""))

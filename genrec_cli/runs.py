"""`genrec runs` and `genrec plot`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from genrec_cli.options import Debug, Force, Json

_DEFAULT = Path("runs")

_COLUMNS = {
    "run": 0,
    "model": 76,
    "data": 100,
    "state": 52,
    "epochs": 100,
    "valid\nNDCG@10": 0,
    "test\nNDCG@10": 0,
    "time": 88,
    "loss": 64,
}
"""Columns of the table, each with the width of the terminal from which it is shown."""

_RIGHT = ("epochs", "valid\nNDCG@10", "test\nNDCG@10", "time")


def runs(
    folder: Annotated[
        Path | None, typer.Argument(help="Where to look, with all folders below.", show_default="runs, or here")
    ] = None,
    json: Json = False,
    debug: Debug = False,
    force: Force = False,
) -> None:
    """List runs: model (GenRec by its preset), dataset, best validation, test, time, the loss as a sparkline.

    The test column shows what `genrec eval RUN` found, with seen items kept and, after the stroke, excluded.

    Example: genrec runs
    """
    from genrec.runs import find_runs
    from genrec_cli.render import print_json

    place = folder or (_DEFAULT if _DEFAULT.is_dir() else Path())
    found = find_runs(place)
    if json:
        print_json({"folder": str(place), "runs": found})
    else:
        _print(place, found)


def _print(place: Path, found: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from genrec_cli.render import stdout

    console = stdout()
    if not found:
        console.print(f"no runs in {place}; make one with: genrec train DATASET -o runs/NAME")
        return
    names = [name for name, width in _COLUMNS.items() if console.width >= width]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in names:
        table.add_column(
            name, overflow="fold", no_wrap=name != "run", justify="right" if name in _RIGHT else "left"
        )
    best = max((_valid(run) or 0.0 for run in found), default=0.0)
    for run in found:
        cells = _cells(run, place, best)
        table.add_row(*(cells.get(name, "") for name in names))
    console.print(table)
    for run in found:
        if "problem" in run:
            console.print(Text(f"{run['run']}: {run['problem']}", style="yellow"), soft_wrap=True)


def _cells(run: dict[str, Any], place: Path, best: float) -> dict[str, Any]:
    """What the columns show of a run, by their names."""
    from rich.text import Text

    from genrec.progress import describe_time
    from genrec.runs import sparkline

    path = Path(run["run"])
    cells = {"run": Text(str(path.relative_to(place) if path != place else path)), "state": run["status"]}
    if "problem" in run:
        return cells
    leaky = " (leaky)" if (run["indexing"] or "").startswith("leaky") else ""
    valid = _valid(run)
    return {
        **cells,
        "model": Text((run["preset"] or run["model"]) + leaky),
        "data": Text(run["dataset"]),
        "epochs": "+".join(str(count) for count in run["epochs"].values()),
        "valid\nNDCG@10": "" if valid is None else Text(f"{valid:.4f}", style="bold" if valid == best else ""),
        "test\nNDCG@10": _test(run["test"]),
        "time": describe_time(run["seconds"]) if run["seconds"] else "",
        "loss": sparkline(run["loss"]),
    }


def _valid(run: dict[str, Any]) -> float | None:
    return run.get("best", {}).get("valid", {}).get("NDCG@10")


def _test(evaluations: list[dict[str, Any]]) -> str:
    """The newest with seen items kept, a stroke, the newest with them excluded."""
    found = {entry["exclude_seen"]: entry["metrics"].get("NDCG@10") for entry in evaluations}
    if not any(value is not None for value in found.values()):
        return ""
    kept, excluded = (found.get(side) for side in (False, True))
    text = "-" if kept is None else f"{kept:.4f}"
    return text if excluded is None else f"{text} / {excluded:.4f}"


def plot(
    runs: Annotated[list[Path], typer.Argument(help="Runs, finished or not.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .png, .svg or .pdf file.", show_default=False)],
    json: Json = False,
    debug: Debug = False,
    force: Force = False,
) -> None:
    """Draw the curves of one or several runs: loss and validation.

    Example: genrec plot runs/ml runs/ml-small -o curves.png
    """
    from genrec.plotting import plot as draw
    from genrec_cli.render import print_json, stdout

    draw(runs, output, force)
    if json:
        print_json({"file": str(output), "runs": [str(run) for run in runs]})
    else:
        stdout().print(str(output), soft_wrap=True)

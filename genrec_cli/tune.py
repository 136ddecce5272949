"""`genrec tune`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from genrec_cli.options import Debug, Device, Force, Json, Output
from genrec_cli.train import Config, Dataset, Preset, Settings


def tune(
    dataset: Dataset,
    output: Output,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Trials in all, earlier calls included.", show_default="20")
    ] = None,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="End the search after so long.")] = None,
    search: Annotated[
        Path | None, typer.Option(help="TOML file: setting = [choices] or {low = , high = , log = true}.")
    ] = None,
    preset: Preset = None,
    config: Config = None,
    settings: Settings = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the search.")] = 0,
    device: Device = "auto",
    keep_runs: Annotated[bool, typer.Option("--keep-runs", help="Keep the run of each trial.")] = False,
    json: Json = False,
    debug: Debug = False,
    force: Force = False,
) -> None:
    """Search for good settings by validation; the same command continues a search that was stopped.

    Example: genrec tune data/ml -o tuning --preset tiny --trials 30 --minutes 60
    """
    from genrec.tuning.tune import tune as search_settings
    from genrec_cli.render import RichReporter, print_json

    reporter = RichReporter()
    result = search_settings(
        dataset,
        output,
        trials=trials,
        minutes=minutes,
        search=search,
        preset=preset,
        config=config,
        settings=settings,
        seed=seed,
        device=device,
        keep_runs=keep_runs,
        force=force,
        reporter=reporter,
    )
    if json:
        print_json(result)
    else:
        _print(result)


def _print(result: dict[str, Any]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from genrec.progress import describe_time
    from genrec_cli.render import stdout

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("trial", "valid NDCG@10", "epochs", "time"):
        table.add_column(name, justify="right")
    table.add_column("")
    table.add_column("settings", overflow="fold")
    best = result["best"]["number"]
    for trial in sorted(result["trials"], key=lambda trial: -(trial["value"] or 0.0)):
        value = "" if trial["value"] is None else f"{trial['value']:.4f}"
        table.add_row(
            str(trial["number"]),
            value,
            str(trial["epochs"]),
            describe_time(trial["seconds"]),
            "best" if trial["number"] == best else trial["state"],
            Text(trial.get("message") or ", ".join(f"{n}={_short(v)}" for n, v in trial["settings"].items())),
            style="bold" if trial["number"] == best else "",
        )
    stdout().print(table)
    stdout().print(
        Text(f"train with the best: genrec train DATASET -o RUN --config {result['config']}"), soft_wrap=True
    )


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)

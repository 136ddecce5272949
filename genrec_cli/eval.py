"""`genrec eval`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from genrec.placement import Provider
from genrec_cli.options import BundleProvider, Debug, Device, Force, Json, Model, Threads


class Split(StrEnum):
    """The two splits that can be evaluated."""

    test = "test"
    valid = "valid"


def evaluate(
    model: Model,
    data: Annotated[Path | None, typer.Option(help="Dataset; by default the one the model carries.")] = None,
    split: Annotated[Split, typer.Option(help="Which held-out item to predict.")] = Split.test,
    k: Annotated[str, typer.Option(help="Cut-offs of the metrics.")] = "1,5,10",
    beams: Annotated[int, typer.Option(min=1, help="Beams of the search (a bundle has its own).")] = 20,
    exclude_seen: Annotated[
        bool, typer.Option("--exclude-seen", help="Items of the history are no candidates.")
    ] = False,
    users: Annotated[int | None, typer.Option(min=1, help="A seeded sample of so many users.")] = None,
    against: Annotated[
        list[str] | None, typer.Option(help="Another run, bundle, popularity or transitions; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sample of users.")] = 0,
    device: Device = "auto",
    provider: BundleProvider = Provider.auto,
    threads: Threads = None,
    json: Json = False,
    debug: Debug = False,
    force: Force = False,
) -> None:
    """Measure a model: leave-one-out, ranked over all items, all users, 95 % intervals.

    Example: genrec eval runs/ml --against popularity --exclude-seen
    """
    cutoffs = _cutoffs(k)
    from genrec_cli.render import RichReporter, print_json

    reporter = RichReporter()
    with reporter.status("starting"):
        from genrec.evaluation.evaluate import evaluate as measure
    result = measure(
        model,
        data=data,
        split=split.value,
        k=cutoffs,
        beams=beams,
        exclude_seen=exclude_seen,
        users=users,
        against=against or (),
        device=device,
        provider=provider,
        threads=threads,
        seed=seed,
        reporter=reporter,
    )
    if json:
        print_json(result)
    else:
        _print(result)


def _cutoffs(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no list of numbers such as 1,5,10", param_hint="--k") from error


def _print(result: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    from genrec_cli.render import stdout

    protocol = result["protocol"]
    rows = [result, *result["against"]]
    table = Table(title=_title(result), title_justify="left", caption_justify="left", caption=_caption(result))
    table.add_column("metric", style="cyan")
    for row in rows:
        leaky = " (leaky)" if row["indexing"] == "leaky-sequential" else ""
        table.add_column(Text(row["model"] + leaky), justify="right", overflow="fold")
    for metric in result["metrics"]:
        best = max(row["metrics"][metric] for row in rows)
        cells = [_cell(row, metric, best if len(rows) > 1 else None) for row in rows]
        table.add_row(metric, *cells)
    stdout().print(table)
    if protocol["exclude_seen"]:
        share = f"{protocol['targets_in_history']:.1%}"
        stdout().print(f"{share} of the targets are in the history and so cannot be hit.")


def _cell(row: dict[str, Any], metric: str, best: float | None) -> Any:
    from rich.text import Text

    low, high = row["intervals"][metric]
    value = row["metrics"][metric]
    text = Text(f"{value:.4f}", style="bold" if value == best else "")
    return text.append(f"\n[{low:.4f}, {high:.4f}]", style="dim not bold")


def _title(result: dict[str, Any]) -> str:
    protocol = result["protocol"]
    sampled = f" (a sample, seed {protocol['seed']})" if protocol["sampled_users"] else ""
    return f"{result['split']}: {result['users']:,} users{sampled}"


def _caption(result: dict[str, Any]) -> str:
    protocol = result["protocol"]
    parts = [
        f"{protocol['split']}, ranked over {protocol['candidates']} ({protocol['items']:,})",
        f"{protocol['beams']} beams",
        "95 % intervals",
        f"{result['seconds']:.1f} s",
    ]
    return ", ".join(parts)

"""`genrec inspect`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from genrec_cli.options import Debug, Force, Json

_BAR = 40
"""Columns of the longest bar."""
_PROTOCOL = "leave-one-out, ranked over all items; seen items are kept among the candidates or excluded"


def inspect(
    dataset: Annotated[Path, typer.Argument(help="A folder that genrec prepare wrote.", show_default=False)],
    users: Annotated[
        int | None,
        typer.Option(min=1, help="Audit a seeded sample of so many users.", show_default="all, or 50000 of more"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sample of users.")] = 0,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the report as one self-contained page.")
    ] = None,
    json: Json = False,
    debug: Debug = False,
    force: Force = False,
) -> None:
    """Show what a dataset looks like, and what rules without a model score on it: what a score is worth.

    Example: genrec inspect data/shop --html shop.html
    """
    from genrec_cli.render import RichReporter, print_json

    reporter = RichReporter()
    with reporter.status("starting"):
        from genrec.inspection.inspect import inspect as run
    result = run(dataset, users=users, seed=seed, html=html, force=force, reporter=reporter)
    if json:
        print_json(result)
    else:
        _show(result)


def _show(result: dict[str, Any]) -> None:
    from genrec.inspection.report import facts
    from genrec_cli.render import print_facts, stdout

    print_facts(f"{result['name']} in {result['path']}", dict(facts(result)))
    _histogram("interactions per user", "users", result["lengths"]["histogram"])
    _histogram("interactions per item", "items", result["popularity"]["histogram"])
    if result["audit"]:
        _audit(result["audit"])
    console = stdout()
    console.print("What a score on this dataset is worth", style="bold")
    for sentence in result["verdict"]:
        console.print(f"- {sentence}", markup=False)
    if "html" in result:
        console.print(f"page written: {result['html']}", markup=False, soft_wrap=True)


def _histogram(name: str, unit: str, bars: list[dict[str, int]]) -> None:
    from rich.table import Table
    from rich.text import Text

    from genrec.inspection.report import bar_label
    from genrec_cli.render import stdout

    table = Table(box=None, pad_edge=False)
    table.add_column(name, justify="right", style="cyan", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column(unit, justify="right", no_wrap=True)
    most = max(bar["count"] for bar in bars)
    for bar in bars:
        table.add_row(bar_label(bar), Text(_bar(bar["count"] / most), style="blue"), f"{bar['count']:,}")
    stdout().print(table)


def _bar(share: float) -> str:
    """A bar of block characters, an eighth of a column exact; never empty for a count above 0."""
    eighths = max(round(share * _BAR * 8), 1 if share else 0)
    part = "▏▎▍▌▋▊▉"[eighths % 8 - 1] if eighths % 8 else ""
    return "█" * (eighths // 8) + part


def _audit(audit: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    from genrec.inspection.report import metric_names
    from genrec_cli.render import stdout

    sampled = f" (a sample, seed {audit['seed']})" if audit["sampled"] else ""
    notes = [f"{rule['rule']}: {rule['skipped']}" for rule in audit["rules"] if rule["skipped"]]
    table = Table(
        title=f"Rules without a model, test items of {audit['users']:,} users{sampled}",
        title_justify="left",
        caption="\n".join([_PROTOCOL, *notes]),
        caption_justify="left",
    )
    table.add_column("rule", style="cyan")
    for column in ("kept", "excluded"):
        for metric in metric_names():
            table.add_column(Text(f"{column}\n{metric}"), justify="right", no_wrap=True)
    for rule in audit["rules"]:
        scores = [
            rule[column][name] if rule[column] else None
            for column in ("kept", "excluded")
            for name in metric_names()
        ]
        table.add_row(rule["rule"], *("-" if score is None else f"{score:.4f}" for score in scores))
    stdout().print(table)

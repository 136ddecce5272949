"""The tables of `genrec compare`: within 80 columns, narrower where the terminal is, readable without styles."""

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from genrec.comparing.words import (
    METRICS,
    half_width,
    name_of,
    notes,
    p_of,
    seen_of,
    time_of,
    title,
    weights_of,
)
from genrec_cli.render import stdout

_FROM = {"HR@1": 92, "HR@5": 52, "NDCG@5": 62, "HR@10": 43, "NDCG@10": 0, "time": 71, "weights": 80}
"""Columns, each with the width of the terminal from which it is shown."""

_P_FROM = 54
"""Width of the terminal from which p-values are shown beside the intervals."""


def show(result: dict[str, Any]) -> None:
    """Print what `genrec.comparing.compare.compare` returned."""
    console = stdout()
    console.print(_values(result, console))
    plain = console.color_system is None  # no style is seen then
    marks = "* best of its group, + second" if plain else "Bold: best of its group, underlined: second"
    for sentence in (f"{marks}.", *notes(result)):
        console.print(Text(sentence, style="dim"))
    if any(row["difference"] for row in result["rows"]):
        console.print()
        console.print(_differences(result["rows"], console.width))
        console.print(Text("Paired bootstrap over the same users: 95 % intervals, two-sided p.", style="dim"))
    for line in [f"runs: {result['folder']}", *(f"written: {path}" for path in result["written"])]:
        console.print(Text(line), soft_wrap=True)


def _table(heading: str) -> Table:
    table = Table(title=Text(heading), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("model", style="cyan", overflow="fold", max_width=16)
    table.add_column("seen", no_wrap=True)
    return table


def _values(result: dict[str, Any], console: Console) -> Table:
    columns = [name for name in (*METRICS, "time", "weights") if console.width >= _FROM[name]]
    plain = console.color_system is None
    table = _table(title(result))
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    rows = result["rows"]
    for place, row in enumerate(rows):
        facts = {"time": Text(time_of(row)), "weights": Text(weights_of(row))}
        cells = [_value(row, name, plain) if name in METRICS else facts[name] for name in columns]
        last = place + 1 == len(rows) or rows[place + 1]["exclude_seen"] != row["exclude_seen"]
        table.add_row(Text(name_of(row)), seen_of(row), *cells, end_section=last and not row["published"])
        if row["published"]:
            table.add_row(*_published(row, columns, plain), end_section=last)
    return table


def _value(row: dict[str, Any], metric: str, plain: bool) -> Text:
    """A value with its mark, and below it the interval."""
    value = row["metrics"][metric]
    place = "best" if metric in row["best"] else "second" if metric in row["second"] else None
    style = {"best": "bold", "second": "underline"}.get(place or "", "")
    cell = Text(f"{value:.4f}", style="" if plain else style)
    space = {"best": "*", "second": "+"}.get(place or "", " ") if plain else ""
    width = f"\n±{half_width(row['intervals'][metric], value):.4f}{' ' if plain else ''}"
    return Text().append_text(cell).append(space).append(width, style="dim")


def _published(row: dict[str, Any], columns: list[str], plain: bool) -> list[Text]:
    """The paper's values, below ours."""
    found = row["published"]
    cells = [found["metrics"].get(name) for name in columns]
    space = " " if plain else ""
    values = ["" if value is None else f"{value:.4f}{space}" for value in cells]
    return [Text(text, style="italic dim") for text in (f"  {found['words']}", "", *values)]


def _differences(rows: list[dict[str, Any]], width: int) -> Table:
    """Each model minus the best of its group, bold where the interval leaves zero out."""
    metric = next(row["difference"]["metric"] for row in rows if row["difference"])
    table = _table(f"{metric}, minus that of the best")
    table.add_column("difference", justify="right", no_wrap=True)
    if width >= _P_FROM:
        table.add_column("p", justify="right", no_wrap=True)
    for place, row in enumerate(rows):
        last = place + 1 < len(rows) and rows[place + 1]["exclude_seen"] != row["exclude_seen"]
        cells = _difference(row["difference"]) if row["difference"] else [Text("the best"), Text("")]
        table.add_row(Text(name_of(row)), seen_of(row), *cells[: len(table.columns) - 2], end_section=last)
    return table


def _difference(found: dict[str, Any]) -> list[Text]:
    style = "" if found["low"] <= 0 <= found["high"] else "bold"
    cell = Text().append(f"{found['difference']:+.4f}", style=style)
    cell.append(f"\n[{found['low']:+.4f}, {found['high']:+.4f}]", style="dim")
    return [cell, Text(p_of(found["p"]))]

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

_MODEL, _SEEN, _GAP = 16, 4, 2
"""Widths of the first two columns, and of what stands between any two."""

_WIDTHS = {"NDCG@10": 7, "HR@10": 7, "HR@5": 7, "NDCG@5": 7, "time": 7, "weights": 7, "HR@1": 7}
"""Widths of the other columns, those first that are the last to go where the terminal is narrow."""

_P_FROM = 52
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
    runs = [f"runs: {result['folder']}"] if any(row["runs"] for row in result["rows"]) else []
    for line in [*runs, *(f"written: {path}" for path in result["written"])]:
        console.print(Text(line), soft_wrap=True)


def _table(heading: str) -> Table:
    table = Table(
        title=Text(heading), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
    )
    table.add_column("model", style="cyan", overflow="fold", max_width=_MODEL)
    table.add_column("seen", no_wrap=True)
    return table


def fitting(width: int, plain: bool) -> list[str]:
    """The columns beside model and "seen" that fit into a terminal; `plain` metrics have a mark's width more.

    >>> fitting(80, plain=False), fitting(45, plain=False)
    (['HR@5', 'NDCG@5', 'HR@10', 'NDCG@10', 'time', 'weights'], ['HR@10', 'NDCG@10'])
    """
    chosen: set[str] = set()
    used = _GAP + _MODEL + _GAP + _SEEN
    for name, needed in _WIDTHS.items():
        used += _GAP + needed + (plain and name in METRICS)
        if used <= width or not chosen:
            chosen.add(name)
    return [name for name in (*METRICS, "time", "weights") if name in chosen]


def _values(result: dict[str, Any], console: Console) -> Table:
    plain = console.color_system is None
    columns = fitting(console.width, plain)
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
    words = "\n".join(f"  {part}" for part in found["words"].split(" ", 1))
    return [Text(text, style="italic dim") for text in (words, "", *values)]


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

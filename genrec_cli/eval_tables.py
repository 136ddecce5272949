"""The tables of `genrec eval`, none wider than 80 columns with a model and two others."""

from typing import Any

from rich.table import Table
from rich.text import Text

from genrec_cli.render import stdout


def show(result: dict[str, Any], details: bool) -> None:
    """Print what `genrec.evaluate` returned.

    Args:
        result: Of `genrec.evaluate`.
        details: Whether to show slices and what lists are like.
    """
    console = stdout()
    console.print(_metrics(result))
    protocol = result["protocol"]
    if protocol["exclude_seen"]:
        share = f"{protocol['targets_in_history']:.1%}"
        console.print(f"{share} of the targets are in the history and so cannot be hit.")
    further = [_differences] if result["against"] else []
    further += [_slices, _beyond] if details else []
    further += [_calibration] if "calibration" in result else []
    for table in further:
        console.print()
        console.print(table(result))
    if "per_user" in result:
        console.print(Text(f"ranks written: {result['per_user']}"), soft_wrap=True)


def _table(title: str, caption: str, first: str) -> Table:
    table = Table(title=Text(title), title_justify="left", caption=caption, caption_justify="left")
    table.add_column(first, style="cyan")
    return table


def _add_models(table: Table, rows: list[dict[str, Any]]) -> None:
    """A column per model."""
    for row in rows:
        table.add_column(Text(_name(row)), justify="right", overflow="fold")


def _name(row: dict[str, Any]) -> str:
    return row["model"] + (" (leaky)" if row["indexing"] == "leaky-sequential" else "")


def _metrics(result: dict[str, Any]) -> Table:
    rows = [result, *result["against"]]
    table = _table(_title(result), _caption(result), "metric")
    _add_models(table, rows)
    for metric in result["metrics"]:
        best = max(row["metrics"][metric] for row in rows) if len(rows) > 1 else None
        cells = []
        for row in rows:
            value = row["metrics"][metric]
            cells.append(_with_interval(f"{value:.4f}", row["intervals"][metric], value == best))
        table.add_row(metric, *cells)
    return table


def _with_interval(text: str, interval: tuple[float, float], bold: bool, sign: str = "") -> Text:
    """A value, and its interval below."""
    low, high = interval
    cell = Text(text, style="bold" if bold else "")
    return cell.append(f"\n[{low:{sign}.4f}, {high:{sign}.4f}]", style="dim not bold")


def _title(result: dict[str, Any]) -> str:
    protocol = result["protocol"]
    sampled = f" (a sample, seed {protocol['seed']})" if protocol["sampled_users"] else ""
    return f"{result['split']}: {result['users']:,} users{sampled}"


def _caption(result: dict[str, Any]) -> str:
    protocol = result["protocol"]
    parts = [
        f"{protocol['split']}, ranked over {protocol['candidates']} ({protocol['items']:,})",
        *(["users as visitors: user 0, their history alone"] if protocol["as_visitor"] else []),
        f"{protocol['beams']} beams" if result["indexing"] else "every item scored",
        "95 % intervals",
        f"{result['seconds']:.1f} s",
    ]
    return ", ".join(parts)


def _differences(result: dict[str, Any]) -> Table:
    """The model minus each other, bold where the interval leaves zero out."""
    caption = "paired bootstrap over the same users, 95 % intervals, two-sided p"
    table = _table(f"{_name(result)} minus", caption, "metric")
    _add_models(table, result["against"])
    for metric in result["metrics"]:
        cells = []
        for row in result["against"]:
            found = row["difference"][metric]
            text = f"{found['difference']:+.4f}  p {_p(found['p'])}"
            interval = found["low"], found["high"]
            cells.append(_with_interval(text, interval, not interval[0] <= 0 <= interval[1], "+"))
        table.add_row(metric, *cells)
    return table


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _slices(result: dict[str, Any]) -> Table:
    from genrec.evaluation.popularity import RULE

    rows = [result, *result["against"]]
    metrics = list(next(part["metrics"] for part in result["slices"]["history"] if part["users"]))
    title = f"{' and '.join(metrics)} by history length, and by the target's popularity"
    table = _table(title, RULE, "slice")
    table.add_column("users", justify="right")
    _add_models(table, rows)
    for kind, parts in result["slices"].items():
        for place, part in enumerate(parts):
            cells = [_scores(row["slices"][kind][place]["metrics"], metrics) for row in rows]
            label = f"{part['slice']} items" if kind == "history" else part["slice"]
            table.add_row(label, f"{part['users']:,}", *cells, end_section=place + 1 == len(parts))
    return table


def _scores(found: dict[str, float], metrics: list[str]) -> str:
    return " ".join(f"{found[metric]:.4f}" for metric in metrics) if found else "-"


def _beyond(result: dict[str, Any]) -> Table:
    caption = (
        "coverage: share of the catalogue that is in anybody's list; novelty: mean -log2 of an item's share of "
        "the training interactions; Gini: 0 where all items are listed equally often, near 1 where few are"
    )
    rows = [result, *result["against"]]
    table = _table("the lists", caption, "beyond being right")
    _add_models(table, rows)
    for name in result["beyond"]:
        table.add_row(name, *(f"{row['beyond'][name]:.4f}" for row in rows))
    return table


def _calibration(result: dict[str, Any]) -> Table:
    rows = result["calibration"]
    metrics = list(rows[0]["metrics"])
    caption = "exact: every item scored; found: share of the exact list's items that are in the list"
    table = _table(f"{_name(result)}: what the search misses", caption, "beams")
    for name in (*metrics, "found", "seconds"):
        table.add_column(name, justify="right")
    for row in rows:
        cells = [_with_interval(f"{row['metrics'][name]:.4f}", row["intervals"][name], False) for name in metrics]
        beams = "exact" if row["beams"] is None else str(row["beams"])
        table.add_row(beams, *cells, f"{row['found']:.2%}", f"{row['seconds']:.1f}")
    return table

"""The figures of prepare_scale.py as a table."""

from collections.abc import Callable
from math import log
from typing import Any

from rich.console import Console
from rich.table import Table


def show(sizes: list[dict[str, Any]]) -> None:
    """One column per size."""
    table = Table("", *(f"{size['rows']:,} rows" for size in sizes), title="genrec prepare")
    least = sizes[0]
    facts: dict[str, Callable[[dict[str, Any]], str]] = {
        "file": lambda size: _megabytes(size["bytes"]),
        "kept rows, k-core rounds": lambda size: "{interactions:,}, {rounds}".format(**size["counts"]),
        "seconds": lambda size: _span(size["genrec"]),
        "seconds per million rows": lambda size: f"{size['genrec']['seconds'] / size['rows'] * 1e6:.2f}",
        "time / (n log n from the first)": lambda size: f"{_growth(least, size):.2f}",
        "DuckDB reads the file: seconds": lambda size: f"{size['read_seconds']:.2f}",
        "time / reading": lambda size: f"{size['genrec']['seconds'] / size['read_seconds']:.1f}",
        "peak memory": lambda size: _megabytes(size["genrec"]["peak_bytes"]),
        "peak disk beside the output": lambda size: _megabytes(size["genrec"]["disk_bytes"]),
        "pandas: seconds": lambda size: _span(size["pandas"]),
        "pandas: peak memory": lambda size: _megabytes((size["pandas"] or {}).get("peak_bytes")),
        "pandas time / genrec time": lambda size: (
            f"{size['pandas_per_genrec']:.2f}" if "pandas_per_genrec" in size else "-"
        ),
        "same tables": lambda size: {None: "-", True: "yes", False: "NO"}[size.get("equal")],
    }
    for name, fact in facts.items():
        table.add_row(name, *map(fact, sizes))
    Console().print(table)


def _growth(first: dict[str, Any], size: dict[str, Any]) -> float:
    """A size's time as a multiple of what n log n makes of the first size's; 1 or less is no worse."""
    expected = size["rows"] * log(size["rows"]) / (first["rows"] * log(first["rows"]))
    return size["genrec"]["seconds"] / first["genrec"]["seconds"] / expected


def _span(found: dict[str, Any] | None) -> str:
    """A median and its range, for people."""
    if not found or "failed" in found:
        return f"failed ({found['failed']})" if found else "-"
    return f"{found['seconds']:.2f} ({found['least']:.2f}-{found['greatest']:.2f})"


def _megabytes(count: int | None) -> str:
    """A number of bytes, for people."""
    return "-" if count is None else f"{count / 1e6:,.0f} MB"

"""The comparison as one HTML page that needs nothing else."""

from html import escape
from typing import Any, Final

from genrec.comparing.words import METRICS, name_of, notes, p_of, seen_of, time_of, title, weights_of

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { padding: .25rem .75rem; text-align: right; vertical-align: top; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } tr { border-bottom: 1px solid #ddd; }
small, .note { color: #666; } td small { display: block; } .published { color: #666; font-style: italic; }
tbody + tbody { border-top: 3px double #999; }
@media (prefers-color-scheme: dark) {
body { background: #16181c; color: #ddd; } tr { border-color: #444; } small, .note, .published { color: #aaa; }
}"""


def html_page(result: dict[str, Any]) -> str:
    """The whole page, of what `genrec.comparing.compare.compare` returns."""
    heading = escape(title(result))
    remarks = [
        "Bold is the best of its group, underlined the second.",
        *notes(result, "in brackets 95 % intervals"),
    ]
    parts = [
        f"<h1>{heading}</h1>",
        _table(["model", "seen items", *METRICS, "training", "weights"], _groups(result["rows"])),
        "".join(f'<p class="note">{escape(sentence)}</p>' for sentence in remarks),
        *_differences(result["rows"]),
    ]
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>\n<title>{heading}</title>\n'
        f'<meta name="viewport" content="width=device-width"/>\n<style>{_STYLE}</style>\n</head>\n<body>\n'
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def _table(header: list[str], groups: list[list[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    bodies = "\n".join("<tbody>\n" + "\n".join(rows) + "\n</tbody>" for rows in groups)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n{bodies}\n</table>"


def _cells(cells: list[str], kind: str = "") -> str:
    return f"<tr{kind}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _groups(rows: list[dict[str, Any]]) -> list[list[str]]:
    """Rows with seen items kept, and rows without; a published row below ours."""
    groups = []
    for excluded in (False, True):
        lines = []
        for row in (row for row in rows if row["exclude_seen"] == excluded):
            values = [_value(row, metric) for metric in METRICS]
            lines.append(_cells([escape(name_of(row)), seen_of(row), *values, time_of(row), weights_of(row)]))
            if row["published"]:
                values = [_published(row, metric) for metric in METRICS]
                words = escape(f"{row['model']}: {row['published']['words']}")
                lines.append(_cells([words, "", *values, "", ""], ' class="published"'))
        groups += [lines] if lines else []
    return groups


def _value(row: dict[str, Any], metric: str) -> str:
    text = f"{row['metrics'][metric]:.4f}"
    if metric in row["best"]:
        text = f"<b>{text}</b>"
    elif metric in row["second"]:
        text = f"<u>{text}</u>"
    low, high = row["intervals"][metric]
    spread = f"<small>seeds ±{row['spread'][metric]:.4f}</small>" if row["spread"] else ""
    return f"{text}<small>[{low:.4f}, {high:.4f}]</small>{spread}"


def _published(row: dict[str, Any], metric: str) -> str:
    value = row["published"]["metrics"].get(metric)
    return "" if value is None else f"{value:.4f}"


def _differences(rows: list[dict[str, Any]]) -> list[str]:
    told = [row for row in rows if row["difference"]]
    if not told:
        return []
    lines = []
    for row in told:
        found = row["difference"]
        interval = f"[{found['low']:+.4f}, {found['high']:+.4f}]"
        numbers = [f"{found['difference']:+.4f}<small>{interval}</small>", escape(p_of(found["p"]))]
        lines.append(_cells([escape(name_of(row)), seen_of(row), escape(found["from"]), *numbers]))
    metric = told[0]["difference"]["metric"]
    return [
        f"<h2>{metric}: minus the best</h2>",
        _table(["model", "seen items", "minus", "difference", "p"], [lines]),
        '<p class="note">Paired bootstrap over the same users: 95 % intervals, two-sided p.</p>',
    ]

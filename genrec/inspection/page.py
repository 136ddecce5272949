"""The report of `inspect` as one HTML page that needs nothing else: styles within, plots as inline SVG."""

from html import escape
from typing import Any, Final

from genrec.inspection.report import bar_label, facts, metric_names

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { padding: .25rem .75rem; text-align: right; }
th:first-child, td:first-child { text-align: left; } tr { border-bottom: 1px solid #ddd; }
svg { max-width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: #222; }
svg rect { fill: #3b6ea5; } .note { color: #666; }
@media (prefers-color-scheme: dark) {
body { background: #16181c; color: #ddd; } tr { border-color: #444; }
svg text { fill: #ddd; } svg rect { fill: #7fb0e6; }
}"""
_ROW, _LABEL, _WIDTH = 18, 110, 720


def html_page(result: dict[str, Any]) -> str:
    """The whole page; see `genrec.inspection.inspect.inspect` for what it reads."""
    title = f"{escape(str(result['name']))}: what a score is worth"
    parts = [
        f"<h1>{title}</h1>",
        "<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in result["verdict"]) + "</ul>",
        "<h2>Counts</h2>",
        _table(["", ""], [[name, value] for name, value in facts(result).items()]),
        "<h2>Interactions per user</h2>",
        bars_svg(result["lengths"]["histogram"], "users"),
        "<h2>Interactions per item</h2>",
        bars_svg(result["popularity"]["histogram"], "items"),
        "<h2>Rules without a model</h2>",
        *_audit(result["audit"]),
    ]
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>\n<title>{title}</title>\n'
        f'<meta name="viewport" content="width=device-width"/>\n<style>{_STYLE}</style>\n</head>\n<body>\n'
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def bars_svg(bars: list[dict[str, int]], unit: str) -> str:
    """Horizontal bars with their counts."""
    most = max(bar["count"] for bar in bars)
    room = _WIDTH - 2 * _LABEL
    lines = []
    for number, bar in enumerate(bars):
        top = number * _ROW
        width = round(room * bar["count"] / most, 1)
        lines.append(
            f'<text x="{_LABEL - 8}" y="{top + 13}" text-anchor="end">{bar_label(bar)}</text>'
            f'<rect x="{_LABEL}" y="{top + 2}" width="{width}" height="{_ROW - 4}"/>'
            f'<text x="{_LABEL + width + 6}" y="{top + 13}">{bar["count"]:,} {unit}</text>'
        )
    height = len(bars) * _ROW
    return f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" role="img">{"".join(lines)}</svg>'


def _audit(audit: dict[str, Any] | None) -> list[str]:
    if audit is None:
        return ["<p>Nobody has a test item.</p>"]
    names = metric_names()
    columns = [f"{name}, seen {column}" for column in ("kept", "excluded") for name in names]
    rows = []
    for rule in audit["rules"]:
        cells = [
            f"{rule[column][name]:.4f}" if rule[column] else "-"
            for column in ("kept", "excluded")
            for name in names
        ]
        rows.append([rule["rule"], *cells])
    notes = "".join(
        f"<br/>{escape(rule['rule'])}: {escape(rule['skipped'])}" for rule in audit["rules"] if rule["skipped"]
    )
    sampled = f" (a sample, seed {audit['seed']})" if audit["sampled"] else ""
    protocol = f"Test items of {audit['users']:,} users{sampled}, leave-one-out, ranked over all items."
    return [_table(["rule", *columns], rows), f'<p class="note">{protocol}{notes}</p>']


def _table(header: list[str], rows: list[list[str]]) -> str:
    head = "<tr>" + "".join(f"<th>{escape(name)}</th>" for name in header) + "</tr>" if any(header) else ""
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{head}{body}</table>"

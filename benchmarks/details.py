"""What `genrec eval --json` says of one model beyond its metrics, as a table for README."""

from typing import Any

_METRICS = ("HR@10", "NDCG@10")
_LISTS = {"coverage@10": "coverage", "novelty@10": "novelty", "Gini@10": "Gini"}


def details(result: dict[str, Any]) -> str:
    """By history and popularity, what the lists are like, and what the search misses; in Markdown."""
    rows = [result, *result["against"]]
    lines = [["all", f"{result['users']:,}", *(_scores(row["metrics"]) for row in rows)]]
    for kind, words in (("history", "history: {} items"), ("popularity", "target: {}")):
        for place, part in enumerate(result["slices"][kind]):
            cells = (_scores(row["slices"][kind][place]["metrics"]) for row in rows)
            lines.append([words.format(part["slice"]), f"{part['users']:,}", *cells])
    for key, name in _LISTS.items():
        lines.append([f"{name} of 10", "", *(f"{row['beyond'][key]:.4f}" for row in rows)])
    header = [" / ".join(_METRICS), "users", *(_name(row["model"]) for row in rows)]
    seen = "out" if result["protocol"]["exclude_seen"] else "kept"
    title = f"**In detail**: {result['model']}, {result['split']}, seen items {seen}:"
    shown = (f"| {' | '.join(line)} |" for line in (header, ["---"] * len(header), *lines))
    return "\n".join([title, "", *shown, "", _beams(result["calibration"])])


def _name(model: str) -> str:
    """Without the folder, and the part of a mixture alone."""
    return model.rpartition(", ")[2].rpartition("/")[2]


def _scores(metrics: dict[str, float]) -> str:
    return " / ".join(f"{metrics[name]:.4f}" for name in _METRICS)


def _beams(rows: list[dict[str, Any]]) -> str:
    """A sentence on the search."""
    told = []
    for row in rows:
        found = f"{row['beams']} beams find {100 * row['found']:.2f} %" if row["beams"] else "their own metrics"
        told.append(f"{found} ({_scores(row['metrics'])})")
    return f"Of the items in the lists that scoring every item gives, {', '.join(told)}."

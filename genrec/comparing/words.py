"""How the table's contents are put in words, alike in the terminal, on the page and in LaTeX."""

from pathlib import Path
from typing import Any, Final

from genrec.baselines.settings import make_baseline_config
from genrec.comparing.published import LEAKY
from genrec.config import GENREC
from genrec.progress import describe_time
from genrec.settings import preset_settings

METRICS: Final = ("HR@1", "HR@5", "NDCG@5", "HR@10", "NDCG@10")
"""In the order of the paper's table."""


def name_of(row: dict[str, Any]) -> str:
    """A model's name with GenRec's preset, and what is to be known of it.

    "leaky" says that its item tokens are, "IDs alone" that it leaves out descriptions, which its preset reads. A
    reference model's loss is named where it is another than usual, and P5's shape.

    >>> name_of({"model": "genrec", "preset": "small", "indexing": "leaky-sequential", "settings": None})
    'genrec (small, leaky)'
    >>> settings = {"model": "sasrec", "loss": "bce"}
    >>> name_of({"model": "sasrec", "preset": None, "indexing": None, "settings": settings})
    'sasrec (bce)'
    """
    parts = [row["preset"]] if row["preset"] else []
    parts += _variant(row["settings"]) if row["settings"] else []
    parts += ["leaky"] if row["indexing"] == LEAKY else []
    parts += ["IDs alone"] if _leaves_out(row["settings"], "item_descriptions") else []
    return row["model"] + (f" ({', '.join(parts)})" if parts else "")


def _variant(settings: dict[str, Any]) -> list[str]:
    """The settings by which a reference model is another than the one usually meant."""
    if settings["model"] == GENREC:
        return []
    if "shape" in settings:
        return [settings["shape"] if settings.get("weights") is None else Path(settings["weights"]).name]
    usual = getattr(make_baseline_config({"model": settings["model"]}), "loss", None)
    return [settings["loss"]] if settings.get("loss", usual) != usual else []


def _leaves_out(settings: dict[str, Any] | None, name: str) -> bool:
    """Whether a setting is off that is on in the preset."""
    if not settings or settings["model"] != GENREC:
        return False
    return bool(preset_settings(settings["preset"]).get(name)) and not settings.get(name)


def seen_of(row: dict[str, Any]) -> str:
    """What becomes of seen items: "kept" among the candidates, or "out"."""
    return "out" if row["exclude_seen"] else "kept"


def time_of(row: dict[str, Any]) -> str:
    """The time of training; marked where it was over before the training was."""
    if row["seconds"] is None:
        return "-"
    return describe_time(row["seconds"]) + ("†" if row["out_of_time"] else "")


def weights_of(row: dict[str, Any]) -> str:
    """The number of weights.

    >>> [weights_of({"parameters": n}) for n in (None, 850, 12_345, 5_400_000, 166_000_000)]
    ['-', '850', '12 K', '5.4 M', '166 M']
    """
    count = row["parameters"]
    if count is None:
        return "-"
    for unit, name in ((1e6, " M"), (1e3, " K")):
        if count >= unit:
            return f"{count / unit:.{1 if count < 10 * unit else 0}f}{name}"
    return str(count)


def half_width(interval: tuple[float, float], value: float) -> float:
    """The longer side of an interval around a value."""
    return max(interval[1] - value, value - interval[0])


def p_of(value: float) -> str:
    """A p-value.

    >>> p_of(0.0002), p_of(0.0312)
    ('< 0.001', '0.031')
    """
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def title(result: dict[str, Any]) -> str:
    """What is compared, and on whom."""
    protocol = result["protocol"]
    sampled = " (a sample)" if protocol["sampled_users"] else ""
    return f"{result['dataset']['name']}, test: {protocol['users']:,} users{sampled}"


def notes(result: dict[str, Any], intervals: str = "± is the longer side of the 95 % interval") -> list[str]:
    """How the values were found, a sentence each; `intervals` says how those are shown."""
    protocol, rows = result["protocol"], result["rows"]
    found = [
        f"Leave-one-out, ranked over all items ({protocol['items']:,}); {intervals} over users.",
        _seen({row["exclude_seen"] for row in rows}, protocol["targets_in_history"]),
    ]
    seeds = {len(row["seeds"]) for row in rows if row["seeds"]}
    if seeds and max(seeds) > 1:
        found.append(f"Values of trained models are means over {max(seeds)} seeds, times too.")
    if any(row["out_of_time"] for row in rows):
        found.append("† The training ended as its time was over.")
    if result["published"]:
        found.append(f"Published: {result['published']}; whether seen items were candidates it does not say.")
    return found


def _seen(rules: set[bool], share: float) -> str:
    """What becomes of seen items, and what that means for the targets among them."""
    if rules == {False}:
        return "Seen items are kept among the candidates."
    told = "out of the candidates" if rules == {True} else "kept among the candidates, or out"
    return f"Seen items are {told}: {share:.1%} of the targets are seen items, which are misses then."

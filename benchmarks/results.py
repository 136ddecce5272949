"""Put the results of `genrec compare --json` into README's tables.

Example: python benchmarks/results.py

Each file of benchmarks/results/ is what `genrec compare` printed, and each below details/ what `genrec eval` did;
README's part between two marks is made of them.
"""

import json
from pathlib import Path
from typing import Any

from details import details

from genrec.baselines.settings import CONFIGS, make_baseline_config
from genrec.comparing.published import LEAKY
from genrec.comparing.rows import CHIEF
from genrec.comparing.words import METRICS, name_of, p_of, seen_of, time_of, weights_of
from genrec.config import GENREC
from genrec.settings import make_config

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
_NAMED = ("model", "preset", "indexing", "item_descriptions", "shape")
"""Settings that a row's name tells."""
_LATER = ("least_steps",)
"""Settings that older results lack, and that would have changed nothing: their batches were told, or fit."""

START, END = "<!-- results -->", "<!-- end of results -->"


_SHOWN = ("HR@10", CHIEF)
"""What the summary shows."""


def tables(folder: Path = HERE / "results") -> str:
    """All results: a summary, one model in detail, then one table per file, by name."""
    results, detailed = _read(folder), _read(folder / "details")
    return "\n\n".join([summary(results), *map(details, detailed), *map(table, results)])


def _read(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def summary(results: list[dict[str, Any]]) -> str:
    """Every model on every dataset, seen items out: HR@10 / NDCG@10, the best bold, the second underlined.

    Models go by how near they are to the best of each dataset. Of several results the one is shown that was
    trained with today's settings, then that of most seeds, then the first; leaky ones and parts of a mixture have
    no place here.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}  # by model and dataset
    for result in results:
        for row in filter(_in_summary, result["rows"]):
            there = found.setdefault(name_of(row), {})
            there[result["dataset"]["name"]] = max(there.get(result["dataset"]["name"], row), row, key=_worth)
    datasets = sorted({dataset for there in found.values() for dataset in there})
    order = sorted(found, key=lambda name: -_standing(found, name))
    header = ["model", *datasets]
    lines = [header, ["---"] * len(header), *([name, *_overview(found, name, datasets)] for name in order)]
    title = (
        f"**In short**: {' / '.join(_SHOWN)} of the test items, seen items out (* one seed, † settings of before):"
    )
    return "\n".join([title, "", *(f"| {' | '.join(line)} |" for line in lines)])


def _standing(found: dict[str, dict[str, dict[str, Any]]], name: str) -> float:
    """A model's share of the best model's value, the mean over the datasets that it was trained on."""
    shares = []
    for dataset, row in found[name].items():
        best = max(there[dataset]["metrics"][CHIEF] for there in found.values() if dataset in there)
        shares.append(row["metrics"][CHIEF] / best)
    return sum(shares) / len(shares)


def _in_summary(row: dict[str, Any]) -> bool:
    return _whole(row) and row["exclude_seen"] and row["indexing"] != LEAKY


def _whole(row: dict[str, Any]) -> bool:
    """Whether a row is no part of a mixture."""
    return row["model"] in CONFIGS


def _worth(row: dict[str, Any]) -> tuple[bool, int]:
    return not _outdated(row), len(row["seeds"])


def _outdated(row: dict[str, Any]) -> bool:
    return bool(row["settings"] and changed(row["settings"]))


def _marks(row: dict[str, Any]) -> str:
    return (" *" if len(row["seeds"]) == 1 else "") + (" †" if _outdated(row) else "")


def _overview(found: dict[str, dict[str, dict[str, Any]]], name: str, datasets: list[str]) -> list[str]:
    """A model's cells of the summary."""
    cells = []
    for dataset in datasets:
        row = found[name].get(dataset)
        others = [there[dataset]["metrics"] for there in found.values() if dataset in there]
        values = (_marked(row["metrics"][metric], [other[metric] for other in others]) for metric in _SHOWN if row)
        cells.append(" / ".join(values) + (_marks(row) if row else ""))
    return cells


def _marked(value: float, values: list[float]) -> str:
    best, *rest = sorted(set(values), reverse=True)
    text = f"{value:.4f}"
    return f"**{text}**" if value == best else f"<u>{text}</u>" if rest and value == rest[0] else text


def table(result: dict[str, Any]) -> str:
    """One comparison in Markdown: the best values of each group bold, the second underlined, the paper's below."""
    data, versions = result["dataset"], result["versions"]
    seeds = max((len(row["seeds"]) for row in result["rows"]), default=0)
    spread = f", mean ± standard deviation over {seeds} seeds" if seeds > 1 else ""
    sizes = ", ".join(f"{data[name]:,} {name}" for name in ("users", "items", "interactions"))
    leaky = "the paper's leaky item numbers; " if any(row["indexing"] == LEAKY for row in result["rows"]) else ""
    names = list(dict.fromkeys(name_of(row) for row in result["rows"] if _whole(row)))
    beside = f" beside {', '.join(names[1:])}" if names[1:] else ""
    facts = f"{leaky}{sizes}; test, all users{spread}; torch {versions['torch']}"
    title = f"**{data['name']}: {names[0]}{beside}** ({facts}):"
    header = ["model", "seen items", *METRICS, "training", "weights"]
    lines = [header, ["---"] * len(header), *(cells for row in result["rows"] for cells in _lines(row))]
    below = [*_differences(result["rows"]), *_changes(result["rows"])]
    return "\n".join([title, "", *(f"| {' | '.join(line)} |" for line in lines), *below])


def _differences(rows: list[dict[str, Any]]) -> list[str]:
    """Below a table: how far models are from the best, seen items out."""
    told = []
    for row in rows:
        found = row["difference"]
        if found and row["exclude_seen"] and _whole(row):
            p = "" if found["p"] < 0.001 else f", p {p_of(found['p'])}"
            numbers = f"{found['difference']:+.4f} [{found['low']:+.4f}, {found['high']:+.4f}]{p}"
            told.append(f"{name_of(row)} {numbers}")
    if not told:
        return []
    best = next(row for row in rows if row["exclude_seen"] and not row["difference"])
    return ["", f"{CHIEF} minus that of {name_of(best)}, seen items out, 95 %: {'; '.join(told)}."]


def changed(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings in which a row differs from the preset or the defaults as they are now, name and seed apart."""
    make = make_config if settings["model"] == GENREC else make_baseline_config
    told = {name: settings[name] for name in _NAMED if name in settings}
    skipped = {"seed", *told, *(name for name in _LATER if name not in settings)}
    found: dict[str, Any] = {}
    for _ in range(2):  # a batch size that is told switches off the preset's least steps
        now = make(told | found)
        then = {name: field.default for name, field in type(now).model_fields.items()} | settings
        different = {name for name, value in now.model_dump().items() if then[name] != value} - skipped
        found |= {name: then[name] for name in type(now).model_fields if name in different}
    return found


def _changes(rows: list[dict[str, Any]]) -> list[str]:
    """Below a table: what its rows were trained with where that is no preset's or default any more."""
    told: dict[str, dict[str, None]] = {}  # by the settings, the names of their rows, each once
    for row in rows:
        if _whole(row) and _outdated(row):  # its parts were trained with it
            found = changed(row["settings"])
            values = " ".join(f"--set {name}={json.dumps(value)}" for name, value in found.items())
            told.setdefault(values, {})[name_of(row)] = None
    return [line for values, names in told.items() for line in ("", f"{', '.join(names)}: with `{values}`.")]


def _lines(row: dict[str, Any]) -> list[list[str]]:
    values = (_value(row, name) for name in METRICS)
    lines = [[name_of(row), seen_of(row), *values, time_of(row), weights_of(row)]]
    if found := row["published"]:
        values = (f"*{found['metrics'][name]:.4f}*" if name in found["metrics"] else "" for name in METRICS)
        lines.append([f"*{row['model']}: {found['words']}*", "", *values, "", ""])
    return lines


def _value(row: dict[str, Any], name: str) -> str:
    text = f"{row['metrics'][name]:.4f}"
    text = f"**{text}**" if name in row["best"] else f"<u>{text}</u>" if name in row["second"] else text
    return text + (f" ± {row['spread'][name]:.4f}" if row["spread"] else "")


def renewed(readme: str, inside: str) -> str:
    """README's text with the part between the marks replaced."""
    before, _, rest = readme.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{inside}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(renewed(README.read_text(encoding="utf-8"), tables()), encoding="utf-8")

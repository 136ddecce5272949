"""`genrec runs`: what became of all runs under a folder."""

import json
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from genrec.config import GENREC
from genrec.errors import GenRecError
from genrec.evaluation.memory import recall
from genrec.files import read_json
from genrec.ids import FINETUNE, METRICS_FILE, RUN_FILE

DAMAGED = "damaged"
BEST = "NDCG@10"
"""The validation metric that chooses the epoch."""


def find_runs(folder: str | Path) -> list[dict[str, Any]]:
    """Describe the runs in a folder and those below it.

    Args:
        folder: Where to look; hidden folders and the insides of runs are passed over.

    Returns:
        Oldest first, each {"run", "status", "model", "preset", "dataset", "indexing", "epochs": {phase: n},
        "best": {"epoch", "valid": {metric: value}}, "test": [evaluations], "test_as_visitor": [evaluations],
        "seconds", "loss": [per epoch]}. A run that cannot be read has "status" "damaged" and a "problem".

    Raises:
        GenRecError: The folder does not exist.
    """
    root = Path(folder)
    if not root.is_dir():
        raise GenRecError(f"{root} is no folder; give one that holds runs")
    return [describe(run) for run in sorted(_walk(root), key=lambda run: (run / RUN_FILE).stat().st_mtime)]


def _walk(root: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(root):
        if RUN_FILE in files:
            yield Path(place)
            folders.clear()
        folders[:] = sorted(name for name in folders if not name.startswith("."))


def describe(run: Path) -> dict[str, Any]:
    """One run, as `find_runs` says."""
    try:
        info, epochs = read_json(run / RUN_FILE), read_epochs(run)
        result = info.get("result", {})
        model = info["config"].get("model", GENREC)
        tests = [found for found in recall(run) if found["split"] == "test"]
        return {
            "run": str(run),
            "status": info["status"],
            "model": model,
            "preset": info["config"]["preset"] if model == GENREC else None,
            "indexing": info["config"].get("indexing"),
            "dataset": info["dataset"]["name"],
            "epochs": result.get("epochs") or _count(epochs),
            "best": result.get("best") or _best(epochs),
            "test": [found for found in tests if not found["as_visitor"]],
            "test_as_visitor": [found for found in tests if found["as_visitor"]],
            "seconds": result.get("seconds"),
            "loss": [epoch["loss"] for epoch in epochs if "loss" in epoch],
        }
    except (GenRecError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        problem = str(error) if isinstance(error, GenRecError) else f"{RUN_FILE} or {METRICS_FILE}: {error!r}"
        return {"run": str(run), "status": DAMAGED, "problem": problem}


def read_epochs(run: Path) -> list[dict[str, Any]]:
    """The lines of a run's metrics.jsonl; none where there is no such file yet.

    Raises:
        GenRecError: The file is damaged.
    """
    path = run / METRICS_FILE
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise GenRecError(f"{path} is damaged: {error}") from error


def _count(epochs: list[dict[str, Any]]) -> dict[str, int]:
    phases = [epoch["phase"] for epoch in epochs]
    return {phase: phases.count(phase) for phase in dict.fromkeys(phases)}


def _best(epochs: list[dict[str, Any]]) -> dict[str, Any]:
    validated = [epoch for epoch in epochs if epoch["phase"] == FINETUNE and "valid" in epoch]
    if not validated:
        return {}
    best = max(validated, key=lambda epoch: epoch["valid"][BEST])
    return {"epoch": best["epoch"], "valid": best["valid"]}


def sparkline(values: list[float], width: int = 12) -> str:
    """Values as bars of eight heights, the last at the right; more values than `width` are averaged.

    >>> sparkline([3.0, 2.0, 1.5, 1.0])
    '█▅▃▁'
    """
    bars = "▁▂▃▄▅▆▇█"
    finite = [value for value in values if value == value]
    if not finite:
        return ""
    if len(finite) > width:
        edges = [round(n * len(finite) / width) for n in range(width + 1)]
        finite = [sum(finite[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(finite), max(finite)
    span = (high - low) or 1.0
    return "".join(bars[round((value - low) / span * (len(bars) - 1))] for value in finite)

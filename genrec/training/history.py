"""What each epoch came to: from Trainer's log to the lines of metrics.jsonl and to a sentence."""

import json
import math
from pathlib import Path
from typing import Any

from genrec.files import atomic_file

BEST = "NDCG@10"
"""Validation metric that chooses the epoch."""

_EVAL = "eval_"

Epoch = dict[str, Any]
"""{"phase", "epoch", "step", "loss", "valid"?: {metric: value}}."""


def epochs_of(phase: str, log: list[dict[str, Any]]) -> list[Epoch]:
    """Join the entries of Trainer's log history, which a resumed run keeps, into one per epoch."""
    epochs: dict[int, Epoch] = {}
    for entry in log:
        number = epoch_number(entry["epoch"])
        epoch = epochs.setdefault(number, {"phase": phase, "epoch": number})
        valid = {key.removeprefix(_EVAL): entry[key] for key in entry if key.startswith(_EVAL)}
        epoch |= {"valid": valid} if valid else {key: entry[key] for key in ("step", "loss") if key in entry}
    return list(epochs.values())


def epoch_number(epochs: float) -> int:
    """The number of the epoch under way or just over, from the epochs that Trainer counts.

    >>> epoch_number(2.0), epoch_number(2.3)
    (2, 3)
    """
    return math.ceil(epochs - 1e-6)


def best_epoch(epochs: list[Epoch]) -> int:
    """Number of the epoch with the best validation, the first of equals; the last where none was validated."""
    validated = [epoch for epoch in epochs if "valid" in epoch]
    if not validated:
        return epochs[-1]["epoch"] if epochs else 0
    return max(validated, key=lambda epoch: epoch["valid"][BEST])["epoch"]


def epochs_since_best(log: list[dict[str, Any]]) -> int:
    """Validations in Trainer's log history after the best, the first of equals.

    >>> epochs_since_best([{"eval_NDCG@10": 0.1}, {"loss": 2.0}, {"eval_NDCG@10": 0.3}, {"eval_NDCG@10": 0.3}])
    1
    """
    values = [entry[_EVAL + BEST] for entry in log if _EVAL + BEST in entry]
    return len(values) - 1 - values.index(max(values)) if values else 0


def was_validated(log: list[dict[str, Any]], step: int) -> bool:
    """Whether Trainer's log history has a validation of a step."""
    return any(entry["step"] == step and _EVAL + BEST in entry for entry in log)


def write_history(path: Path, phase: str, epochs: list[Epoch]) -> None:
    """Write a phase's epochs as JSON lines in place of those it had; other phases' lines stay."""
    old = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    lines = [line for line in old if json.loads(line)["phase"] != phase]
    lines += [json.dumps(epoch) for epoch in epochs]
    with atomic_file(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def describe(epoch: Epoch, of: int) -> str:
    """One line for people.

    >>> describe({"phase": "finetune", "epoch": 2, "loss": 3.1234, "valid": {"NDCG@10": 0.05}}, of=9)
    'finetune epoch 2/9: loss 3.123, valid NDCG@10 0.0500'
    """
    loss = f"loss {epoch['loss']:.3f}" if "loss" in epoch else "no loss yet"
    valid = f", valid {BEST} {epoch['valid'][BEST]:.4f}" if "valid" in epoch else ""
    return f"{epoch['phase']} epoch {epoch['epoch']}/{of}: {loss}{valid}"

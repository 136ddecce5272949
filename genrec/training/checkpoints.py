"""Finding the checkpoint that training can continue from."""

import json
from pathlib import Path

from genrec.files import remove

_STATE = "trainer_state.json"
"""Trainer writes it last, so a checkpoint that has it is whole."""


def last_whole_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint of a phase that was written to its end; half-written ones are deleted."""
    numbered = [path for path in folder.glob("checkpoint-*") if path.name.rpartition("-")[2].isdigit()]
    for path in sorted(numbered, key=lambda path: int(path.name.rpartition("-")[2]), reverse=True):
        if _is_whole(path):
            return path
        remove(path)
    return None


def _is_whole(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / _STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True

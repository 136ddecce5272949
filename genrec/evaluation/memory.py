"""What `genrec eval` found about a run, kept in the run for `genrec runs`."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from genrec.files import atomic_file
from genrec.ids import EVALUATIONS_FILE

_KEY = ("split", "exclude_seen", "as_visitor", "beams")
"""Evaluations that agree in these replace each other."""

_DEFAULTS = {"as_visitor": False}
"""What entries of earlier versions lack."""


def remember(run: Path, result: dict[str, Any]) -> None:
    """Keep a result of all users; a run that cannot be written to stays as it is."""
    protocol = result["protocol"]
    entry = {
        "split": result["split"],
        "exclude_seen": protocol["exclude_seen"],
        "as_visitor": protocol["as_visitor"],
        "beams": protocol["beams"],
        "users": result["users"],
        "metrics": result["metrics"],
    }
    kept = [old for old in recall(run) if any(old.get(key) != entry[key] for key in _KEY)]
    lines = "".join(f"{json.dumps(line)}\n" for line in (*kept, entry))
    with suppress(OSError), atomic_file(run / EVALUATIONS_FILE) as temporary:
        temporary.write_text(lines, encoding="utf-8")


def recall(run: Path) -> list[dict[str, Any]]:
    """The results that are kept, oldest first; none where the file is missing or damaged."""
    try:
        text = (run / EVALUATIONS_FILE).read_text(encoding="utf-8")
        return [{**_DEFAULTS, **json.loads(line)} for line in text.splitlines()]
    except (OSError, ValueError, TypeError):
        return []

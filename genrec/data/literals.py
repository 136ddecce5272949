"""Amazon's oldest files write each line as a Python dict, {'asin': 'B0001'}; such lines are rewritten as JSON."""

import ast
import json
import warnings
from pathlib import Path
from typing import Final

from genrec.data.textfile import whole_lines

_STARTS: Final = (b"{'", b"{u'")
"""How a dict that Python printed begins, and no JSON object does."""


def has_literals(path: Path) -> bool:
    """Whether a line of a file begins as a Python dict does."""
    marks = [b"\n" + start for start in _STARTS]
    return any(chunk.startswith(_STARTS) or any(mark in chunk for mark in marks) for chunk in whole_lines(path))


def json_copy(path: Path, target: Path) -> Path:
    """Copy a file line by line, with Python dicts as JSON objects; a line that is neither stays as it is."""
    with path.open("rb") as file, target.open("wb") as copy, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python warns of escapes such as "\\/", which are data here
        for line in file:
            copy.write(_as_json(line) if line.startswith(_STARTS) else line)
    return target


def _as_json(line: bytes) -> bytes:
    try:
        # literal_eval reads constants only: it runs nothing.
        content = ast.literal_eval(line.decode("utf-8").strip())
        return json.dumps(content).encode() + b"\n"
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return line

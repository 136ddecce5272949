"""How much memory there is, and how much of it preparing data may take."""

import os
import re
from pathlib import Path
from typing import Final

from genrec.errors import GenRecError

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]i?)?B?", re.IGNORECASE)
_POWERS: Final = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_LEAST: Final = 200_000_000
_CGROUPS: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def parse_memory(text: str | None) -> int:
    """A size in bytes; None is half of the machine's memory.

    >>> parse_memory("4GB"), parse_memory("512 MiB")
    (4000000000, 536870912)

    Raises:
        GenRecError: It is no size, or too small to work with.
    """
    if text is None:
        return max(machine_memory() // 2, _LEAST)
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise GenRecError(f"--memory {text!r} is no size; write it like 4GB or 512MB")
    unit = (found[2] or "").upper()
    size = int(float(found[1]) * (1024 if unit.endswith("I") else 1000) ** _POWERS[unit.removesuffix("I")])
    if size < _LEAST:
        raise GenRecError(f"--memory {text} is too little; give at least {_LEAST // 1_000_000}MB")
    return size


def machine_memory() -> int:
    """Bytes of memory that this process may use: the machine's, or its container's limit."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in _CGROUPS:
        text = limit.read_text().strip() if limit.is_file() else ""
        sizes += [int(text)] if text.isdigit() else []
    return min(sizes)

"""How many cores this process may use, which in a container are fewer than the machine's."""

import math
import os
from collections.abc import Iterator
from pathlib import Path


def usable_cores(root: Path = Path("/")) -> int:
    """Cores that the process may use under its affinity mask and its control groups' quotas of time, rounded up.

    Args:
        root: Of the file system.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, math.ceil(min(_quotas(root), default=cores))))


def _quotas(root: Path) -> Iterator[float]:
    """The limits of the control group of this process and of those around it, in cores."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / ("cpu" if controllers else "")
        group = mount / path.lstrip("/")
        # Inside a container the path may be the host's, of which only the mount itself is to be seen.
        for folder in (group, *group.parents):
            yield from _quota(folder)
            if folder == mount:
                break


def _quota(group: Path) -> Iterator[float]:
    """The limit of one control group, of version 2 or 1; nothing where it has none."""
    fields = _read(group / "cpu.max").split() or [
        _read(group / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")
    ]
    if len(fields) == 2 and all(field.isdigit() for field in fields) and int(fields[1]):
        yield int(fields[0]) / int(fields[1])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""

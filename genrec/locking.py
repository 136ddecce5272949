"""One process at a time writes an output that takes long; its lock goes with it, however it ends."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from genrec.errors import GenRecError

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

_PATIENCE = 10.0
"""Seconds for which a lock is waited for: processes that a killed one had forked hold it a little longer."""

_PAUSE = 0.2


@contextmanager
def alone(output: Path) -> Iterator[None]:
    """Hold the lock of an output, whether it is there or not; all who take it take turns.

    A hidden file beside the output is locked, which stays where it is when the output is replaced. Where no such
    file can be had, or the file system has no locks, nothing is held.

    Raises:
        GenRecError: Another process holds it.
    """
    place = output.parent / f".{output.name}.lock"
    handle = _taken(place, output)
    try:
        yield
    finally:
        if handle is not None:
            with suppress(OSError):
                place.unlink()  # before others can take it
            os.close(handle)


def _taken(place: Path, output: Path) -> int | None:
    """The open file that is locked; None where that cannot be."""
    until = time.monotonic() + _PATIENCE
    while fcntl is not None:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(place, os.O_RDWR | os.O_CREAT)
        except OSError:
            break
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(place, handle):
                return handle
            os.close(handle)
            continue  # whoever held it has removed the file meanwhile
        except BlockingIOError:
            os.close(handle)
        except OSError:
            os.close(handle)
            break
        if time.monotonic() >= until:
            raise GenRecError(f"another process is writing {output}; wait for its end, or choose another output")
        time.sleep(_PAUSE)
    return None


def _is_at(place: Path, handle: int) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(handle), place.stat())
    except FileNotFoundError:
        return False

"""One process at a time works on a folder; a lock goes with its process, however that ends."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from genrec.errors import GenRecError

try:
    import fcntl
except ImportError:  # Windows has none, and no such lock on folders
    fcntl = None  # type: ignore[assignment]

_PATIENCE = 10.0
"""Seconds for which a folder's lock is waited for: processes that a killed one had begun end a little later."""

_PAUSE = 0.2


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes from working on an existing folder; does nothing where the file system has no locks.

    Raises:
        GenRecError: Another process is working on it.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # as of NFS, which wants files that are open for writing
            _lock(folder, handle)
        yield
    finally:
        os.close(handle)


def _lock(folder: Path, handle: int) -> None:
    until = time.monotonic() + _PATIENCE
    while fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() >= until:
                raise GenRecError(
                    f"{folder} is being trained by another process; wait for its end, or choose another output"
                ) from None
        time.sleep(_PAUSE)

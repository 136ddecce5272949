"""Hidden names beside an output for what is not ready, and clearing up after processes that were killed.

Beside the output NAME, `.NAME.HOST-PID.partial` is what will take its place, `.NAME.HOST-PID.old` what stood there
before, and `.NAME.HOST-PID.work` a folder of scratch files.
"""

import os
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from genrec.errors import GenRecError

PARTIAL: Final = "partial"
OLD: Final = "old"
WORK: Final = "work"

_claimed: set[Path] = set()
"""Names that this process is using now; others with its PID are of an earlier process that had the same."""
_lock: Final = threading.Lock()


def hidden_name(output: Path, kind: str, pid: int) -> Path:
    """What a process of this host calls its file or folder of `kind` beside `output`."""
    return output.parent / f".{output.name}.{_host()}-{pid}.{kind}"


@contextmanager
def claim(output: Path, kind: str) -> Iterator[Path]:
    """Yield the hidden name of `kind` for `output`; what bears it when the block ends is a leftover, and cleared.

    Raises:
        GenRecError: Another thread is using the name.
    """
    output = _real(output)
    name = hidden_name(output, kind, os.getpid())
    with _lock:
        if name in _claimed:
            raise GenRecError(f"{output} is being written by this process already; wait, or choose another output")
        _claimed.add(name)
    try:
        yield name
    finally:
        _claimed.discard(name)
        clear_leftovers(output)


@contextmanager
def work_folder(output: Path) -> Iterator[Path]:
    """Yield a folder beside `output` for scratch files, which is deleted when the block ends.

    Raises:
        GenRecError: Another thread is working on the same output.
    """
    with claim(output, WORK) as folder:
        folder.mkdir(mode=0o700)
        yield folder


def clear_leftovers(output: Path) -> None:
    """Delete what processes of this host that are gone left beside `output`.

    If `output` itself is missing, because one was killed between the two renames that replace it, what stood there
    is put back first. What other hosts wrote stays: whether their processes are alive cannot be told from here.

    Raises:
        GenRecError: What stood there cannot be put back.
    """
    output = _real(output)
    left = _left_beside(output)
    olds = [path for path in left if path.suffix == f".{OLD}"]
    if olds and not os.path.lexists(output):
        newest = max(olds, key=lambda path: path.lstat().st_mtime)
        try:
            newest.rename(output)
        except OSError as error:
            raise GenRecError(
                f"{output} was being replaced when genrec was killed, and {newest}, which stood there before, "
                f"cannot be put back: {error.strerror}; rename it yourself"
            ) from error
    for path in left:
        if path not in olds:
            _delete(path)
    for path in olds:
        # Were this to be killed too, half a folder by the name .old would be put back once the output is gone.
        with suppress(OSError):
            _delete(path.rename(path.with_suffix(f".{PARTIAL}")))


def _left_beside(output: Path) -> list[Path]:
    """The hidden names for `output` that nobody uses any more.

    A PID that has gone to another process meanwhile only delays the clearing until that one has ended.
    """
    # A host has no dot here, so the names of "shop.v2" are none of "shop".
    pattern = re.compile(rf"\.{re.escape(output.name)}\.{_host()}-([1-9]\d{{0,8}})\.({PARTIAL}|{OLD}|{WORK})")
    try:
        names = [path.name for path in output.parent.iterdir()]
    except OSError:
        return []  # no such folder yet, or none that can be read
    found = [(output.parent / match[0], int(match[1])) for match in map(pattern.fullmatch, names) if match]
    return [path for path, pid in found if path not in _claimed and (pid == os.getpid() or not _is_alive(pid))]


def _real(output: Path) -> Path:
    """`output` by one spelling, but itself unresolved: a link is replaced, not followed."""
    output = output.absolute()
    return Path(os.path.realpath(output.parent)) / output.name


def _host() -> str:
    """The host's name in letters, digits and underscores."""
    return re.sub(r"\W", "_", socket.gethostname()) or "host"


def _is_alive(pid: int) -> bool:
    if os.name != "posix":
        return True  # there os.kill would end the process
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _delete(path: Path) -> None:
    """Delete a file, a link or a folder as far as that is possible; what stays does no harm."""
    shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        path.unlink()

"""How the library tells what it is doing without printing: it calls a Reporter that the caller hands in."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Task(Protocol):
    """One piece of long work under way."""

    def advance(self, steps: int = 1, **facts: object) -> None:
        """Report `steps` more units done; `facts` are shown beside the bar (loss=1.2)."""


class Reporter(Protocol):
    """Receives progress and messages; the command line draws them, the library stays silent without one."""

    def task(self, name: str, total: int | None = None) -> AbstractContextManager[Task]:
        """Open a task of `total` units (None: unknown)."""

    def info(self, message: str) -> None:
        """Tell something worth a line."""

    def warn(self, message: str) -> None:
        """Tell something that the user should look at."""


class _SilentTask:
    def advance(self, steps: int = 1, **facts: object) -> None:
        pass


class _Silent:
    @contextmanager
    def task(self, name: str, total: int | None = None) -> Iterator[Task]:
        yield _SilentTask()

    def info(self, message: str) -> None:
        pass

    def warn(self, message: str) -> None:
        pass


SILENT: Reporter = _Silent()
"""A reporter that ignores everything; the default of every library function."""


def describe_time(seconds: float) -> str:
    """A duration in the unit that fits.

    >>> describe_time(42), describe_time(300), describe_time(9000)
    ('42 s', '5 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"

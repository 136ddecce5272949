"""What the terminal shows: tables and JSON on stdout, progress and messages on stderr."""

import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from genrec.progress import Task
from genrec_cli.options import State

PIPE_WIDTH = 200
"""Columns of a table in a pipe, where there is no terminal to ask: wide enough that nothing is folded."""


def _console(file: IO[str], stderr: bool) -> Console:
    return Console(stderr=stderr, width=None if file.isatty() else PIPE_WIDTH, highlight=False)


def stdout() -> Console:
    """A console for results."""
    return _console(sys.stdout, stderr=False)


def stderr() -> Console:
    """A console for progress and messages."""
    return _console(sys.stderr, stderr=True)


def print_error(message: str) -> None:
    """One red line on stderr."""
    line = " ".join(message.split())
    stderr().print(Text(f"Error: {line}", style="bold red"), soft_wrap=True)


def print_json(content: Any) -> None:
    """One JSON document on stdout; numbers that JSON lacks (NaN, infinity) become null."""
    json.dump(_finite(content), sys.stdout, ensure_ascii=False, indent=2, default=str, allow_nan=False)
    sys.stdout.write("\n")


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content


def print_facts(title: str, facts: dict[str, object]) -> None:
    """A two-column table of names and values on stdout."""
    table = Table(title=Text(title), show_header=False, title_justify="left")
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, Text(show(value)))
    stdout().print(table)


def show(value: object) -> str:
    """A number or text for people: thousands separated, four significant decimals."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4f}" if abs(value) < 10 else f"{value:,.1f}"
    return str(value)


class RichReporter:
    """Draws the library's progress on stderr; in a pipe only messages are written."""

    def __init__(self) -> None:
        self.console = stderr()

    @contextmanager
    def task(self, name: str, total: int | None = None) -> Iterator[Task]:
        """A progress bar with elapsed and remaining time, removed when the work is done."""
        progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[facts]}"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        with progress:
            yield _RichTask(progress, progress.add_task(name, total=total, facts=""))

    @contextmanager
    def status(self, message: str) -> Iterator[None]:
        """A spinner while something that has no count is under way."""
        if not self.console.is_terminal:
            yield
            return
        with self.console.status(message):
            yield

    def info(self, message: str) -> None:
        """One plain line."""
        self.console.print(Text(message), soft_wrap=True)

    def warn(self, message: str) -> None:
        """One yellow line."""
        self.console.print(Text(f"Warning: {message}", style="yellow"), soft_wrap=True)


class _RichTask:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self.progress = progress
        self.task = task

    def advance(self, steps: int = 1, **facts: object) -> None:
        if State.interrupted:
            raise KeyboardInterrupt
        shown = "  ".join(f"{name} {show(value)}" for name, value in facts.items())
        if shown:
            self.progress.update(self.task, advance=steps, facts=shown)
        else:
            self.progress.advance(self.task, steps)

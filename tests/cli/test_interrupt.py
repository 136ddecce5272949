"""Ctrl-C stops a command even where Python has dropped the exception."""

import pytest

from genrec_cli.options import State
from genrec_cli.render import RichReporter


def test_progress_remembers_an_interrupt(monkeypatch):
    monkeypatch.setattr(State, "interrupted", True)
    with RichReporter().task("work", 3) as task, pytest.raises(KeyboardInterrupt):
        task.advance()

"""Two processes do not work on one folder."""

import fcntl
import time

import pytest

from genrec import locking
from genrec.errors import GenRecError
from genrec.locking import alone
from tests.command import warm


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(locking, "_PATIENCE", 0.0)


def hold_for_long(folder, held):
    with alone(folder):
        held.set()
        time.sleep(60)


def test_one_after_the_other(tmp_path, impatient):
    with alone(tmp_path):
        with pytest.raises(GenRecError, match=r"is being trained by another process; wait for its end, or"):
            alone(tmp_path).__enter__()
        (tmp_path / "other").mkdir()
        with alone(tmp_path / "other"):
            pass
    with alone(tmp_path):
        pass


def test_a_killed_process_holds_nothing(tmp_path, impatient):
    context = warm()
    held = context.Event()
    process = context.Process(target=hold_for_long, args=(tmp_path, held))
    process.start()
    assert held.wait(60)
    with pytest.raises(GenRecError):
        alone(tmp_path).__enter__()
    process.kill()
    process.join()
    with alone(tmp_path):
        pass


def test_without_locks_it_goes_on(tmp_path, monkeypatch):
    def none_here(*_):
        raise OSError("no locks available")

    monkeypatch.setattr(fcntl, "flock", none_here)
    with alone(tmp_path), alone(tmp_path):
        pass

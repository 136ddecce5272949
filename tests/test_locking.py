"""Two processes do not work on one folder."""

import time

import pytest

from genrec import locking
from genrec.errors import GenRecError
from genrec.locking import alone
from tests.command import warm

fcntl = pytest.importorskip("fcntl")


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(locking, "_PATIENCE", 0.0)


def hold_for_long(folder, held):
    with alone(folder):
        held.set()
        time.sleep(60)


def test_one_after_the_other(tmp_path, impatient):
    run = tmp_path / "runs/one"
    with alone(run):
        with pytest.raises(GenRecError, match=r"another process is writing .*one; wait for its end, or choose"):
            alone(run).__enter__()
        with alone(tmp_path / "runs/other"):
            pass
    with alone(run):
        run.mkdir()
    assert list(run.parent.iterdir()) == [run]


def test_replacing_the_output_frees_nothing(tmp_path, impatient):
    run = tmp_path / "run"
    run.mkdir()
    with alone(run):
        run.rename(tmp_path / "old")
        run.mkdir()
        with pytest.raises(GenRecError):
            alone(run).__enter__()


def test_who_waits_gets_a_lock_that_counts(tmp_path, impatient, monkeypatch):
    """The file that a waiting process has opened may be gone when it gets the lock."""
    run, lock = tmp_path / "run", fcntl.flock

    def lock_late(handle, how):
        monkeypatch.setattr(fcntl, "flock", lock)
        (tmp_path / ".run.lock").unlink()
        lock(handle, how)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    with alone(run), pytest.raises(GenRecError):
        alone(run).__enter__()


def test_a_killed_process_holds_nothing(tmp_path, impatient):
    context = warm()
    held = context.Event()
    process = context.Process(target=hold_for_long, args=(tmp_path / "run", held))
    process.start()
    assert held.wait(60)
    with pytest.raises(GenRecError):
        alone(tmp_path / "run").__enter__()
    process.kill()
    process.join()
    with alone(tmp_path / "run"):
        pass


@pytest.mark.parametrize("without", ["locks", "fcntl", "folder"])
def test_where_nothing_can_be_locked_it_goes_on(tmp_path, monkeypatch, without):
    def none_here(*_):
        raise OSError("no locks available")

    if without == "locks":
        monkeypatch.setattr(fcntl, "flock", none_here)
    elif without == "fcntl":
        monkeypatch.setattr(locking, "fcntl", None)
    else:
        (tmp_path / "run").write_text("no folder")
    run = tmp_path / ("run/one" if without == "folder" else "run")
    with alone(run), alone(run):
        pass

"""Outputs that are whole or absent, and what is left of processes that were killed."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from genrec import files, leftovers
from genrec.errors import GenRecError, OutputExistsError
from genrec.files import atomic_file, atomic_folder, check_output
from genrec.leftovers import OLD, PARTIAL, WORK, claim, clear_leftovers, hidden_name, work_folder

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="elsewhere no process can be asked whether it is alive")


@pytest.fixture(scope="module")
def dead():
    """The PID of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def leave(output, pid, kind, content="left"):
    """A folder with one file, by a hidden name beside `output`."""
    return write(hidden_name(output, kind, pid), content)


def write(folder, content):
    folder.mkdir()
    (folder / "file").write_text(content)
    return folder


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["shop", "shop.v2", "sh[o]p*", "a.b-1.partial"])
def test_what_dead_processes_left_is_deleted(tmp_path, dead, name):
    out = write(tmp_path / name, "mine")
    for kind in (PARTIAL, OLD, WORK):
        leave(out, dead, kind)
    clear_leftovers(out)
    assert listing(tmp_path) == [name]
    assert (out / "file").read_text() == "mine"


def test_files_and_links_are_deleted_too(tmp_path, dead):
    target = write(tmp_path / "target", "mine")
    hidden_name(tmp_path / "out", PARTIAL, dead).touch()
    hidden_name(tmp_path / "out", WORK, dead).symlink_to(target)
    clear_leftovers(tmp_path / "out")
    assert listing(tmp_path) == ["target"]
    assert listing(target) == ["file"]


def test_what_others_may_be_using_stays(tmp_path, dead, monkeypatch):
    out = tmp_path / "out"
    leave(out, os.getppid(), PARTIAL)
    leave(out, 1, OLD)  # may belong to somebody else, who must not be asked
    with monkeypatch.context() as patch:
        patch.setattr(socket, "gethostname", lambda: "an.other-host")
        leave(out, dead, OLD)
        leave(out, os.getpid(), WORK)
    for name in ("notes.old", f"{dead}.old", f"{leftovers._host()}-0.old", f"{leftovers._host()}-{dead}.txt"):
        (tmp_path / f".out.{name}").touch()
    before = listing(tmp_path)
    check_output(out, force=False)
    assert listing(tmp_path) == before
    assert len(before) == 8


def test_other_outputs_leftovers_stay(tmp_path, dead):
    others = [leave(tmp_path / name, dead, PARTIAL) for name in ("shop.v2", "my.shop", "shop2", "sho", ".shop")]
    leave(tmp_path / "shop", dead, PARTIAL)
    check_output(tmp_path / "shop", force=False)
    assert listing(tmp_path) == sorted(path.name for path in others)
    check_output(tmp_path / "shop.v2", force=False)
    assert listing(tmp_path) == sorted(path.name for path in others[1:])


def test_what_stood_there_comes_back(tmp_path, dead):
    out = tmp_path / "shop"
    leave(out, dead, PARTIAL, "new")
    leave(out, dead, OLD, OLD)
    with pytest.raises(OutputExistsError):
        check_output(out, force=False)
    assert listing(tmp_path) == ["shop"]
    assert (out / "file").read_text() == "old"


def test_the_newest_comes_back(tmp_path, dead):
    out = tmp_path / "shop"
    for pid, content in ((os.getpid(), "older"), (dead, "newer")):
        old = leave(out, pid, OLD, content)
        os.utime(old, (0, 100 if content == "newer" else 50))
    clear_leftovers(out)
    assert listing(tmp_path) == ["shop"]
    assert (out / "file").read_text() == "newer"


def test_what_cannot_come_back_is_told(tmp_path, dead, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    old = leave(tmp_path / "shop", dead, OLD)
    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(GenRecError, match=rf"{old.name}, .* cannot be put back: .*; rename it yourself"):
        check_output(tmp_path / "shop", force=True)
    assert listing(tmp_path) == [old.name]


def test_an_earlier_process_may_have_had_this_pid(tmp_path):
    out = tmp_path / "out"
    with work_folder(out) as work:
        (work / "scratch").touch()
        leave(out, os.getpid(), PARTIAL)
        with atomic_folder(out) as folder:
            assert listing(folder) == []
            (folder / "file").write_text("new")
            clear_leftovers(out)
            assert folder.exists()
        assert listing(work) == ["scratch"]
    assert listing(tmp_path) == ["out"]


def test_no_two_threads_write_one_output(tmp_path):
    errors = []

    def other():
        try:
            with atomic_folder(Path(os.path.relpath(tmp_path)) / "out"):
                pass
        except GenRecError as error:
            errors.append(str(error))

    with atomic_folder(tmp_path / "out") as folder:
        (folder / "file").touch()
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert listing(tmp_path / "out") == ["file"]
    assert "out is being written by this process already; wait" in errors[0]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_error_between_the_renames_puts_back(tmp_path, monkeypatch, error):
    out = write(tmp_path / "out", OLD)
    rename, names = os.rename, []

    def second_fails(source, target):
        names.append(Path(source).name)
        if len(names) == 2:
            raise error
        rename(source, target)

    monkeypatch.setattr(os, "rename", second_fails)
    with pytest.raises(error), atomic_folder(out, force=True) as folder:
        (folder / "file").write_text("new")
    assert names[0] == "out"
    assert listing(tmp_path) == ["out"]
    assert (out / "file").read_text() == "old"


def test_all_is_on_disk_before_it_counts(tmp_path, monkeypatch):
    synced, inside = [], set()
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    monkeypatch.setattr(files, "_replace", lambda new, path: inside.update(synced))
    with atomic_folder(tmp_path / "out") as folder:
        write(folder / "sub", "x")
        (folder / "file").touch()
        wanted = {path.stat().st_ino for path in (folder, *folder.rglob("*"))}
    assert inside == wanted
    assert len(wanted) == 4


def test_a_file_is_whole_or_absent(tmp_path, dead):
    path = tmp_path / "page.html"
    leave(path, dead, PARTIAL)
    with pytest.raises(ZeroDivisionError), atomic_file(path) as temporary:
        temporary.write_text(str(1 / 0))
    assert listing(tmp_path) == []
    with atomic_file(path) as temporary:
        temporary.write_text("new")
    assert listing(tmp_path) == ["page.html"]


def test_an_output_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(GenRecError, match="cannot create the folder"):
        check_output(tmp_path / "file" / "out", force=False)
    with pytest.raises(GenRecError, match=r"cannot write into .*; choose another output"):
        check_output(tmp_path / ("x" * 250), force=False)
    with claim(tmp_path / "out", WORK), pytest.raises(GenRecError, match="by this process"):
        work_folder(tmp_path / "out").__enter__()
    assert listing(tmp_path) == ["file"]
    with pytest.raises(OutputExistsError):
        check_output(Path("/"), force=False)


def test_killed_before_any_change_to_the_disk(tmp_path):
    command = [sys.executable, "-m", "tests.killing", str(tmp_path / "folder")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 500

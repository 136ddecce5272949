"""`kill -9` at any moment leaves no dataset or a whole one, and the next start clears up."""

import os
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from genrec.data.dataset import load_dataset
from genrec.files import check_output
from genrec.leftovers import OLD, hidden_name

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")

ROWS = 400_000
SHARES = [0.3, 0.5, 0.7, 0.8, 0.88, 0.95]
"""Of the time that the command takes, the beginning of which goes into imports."""


def prepare(log, out):
    command = [sys.executable, "-m", "genrec_cli", "prepare", str(log), "-o", str(out), "--force", "--json"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(log, out):
    process = prepare(log, out)
    errors = process.communicate(timeout=120)[1]
    return process.returncode, errors


def kill_after(seconds, log, out):
    """Whether the process was still running when it was killed."""
    process = prepare(log, out)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    return process.returncode == -signal.SIGKILL


def hidden(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A log, the dataset it makes and the seconds that takes, and another dataset."""
    folder = tmp_path_factory.mktemp("kill")
    log, small = folder / "log.csv", folder / "small.csv"
    header = "user_id,item_id,timestamp\n"
    log.write_text(header + "".join(f"u{n % 9973},i{n % 7919},{n}\n" for n in range(ROWS)))
    small.write_text(header + "".join(f"u{n % 7},i{n % 5},{n}\n" for n in range(500)))
    started = time.monotonic()
    assert finish(log, folder / "whole") == (0, "")
    seconds = time.monotonic() - started
    assert finish(small, folder / "other") == (0, "")
    assert hidden(folder) == []
    whole, other = (load_dataset(folder / name).checksum for name in ("whole", "other"))
    return SimpleNamespace(log=log, other=folder / "other", seconds=seconds, checksums=(whole, other))


def test_a_new_output(work, tmp_path):
    out = tmp_path / "out"
    killed = 0
    for share in SHARES:
        killed += kill_after(share * work.seconds, work.log, out)
        if out.exists():
            assert load_dataset(out).checksum == work.checksums[0]
            shutil.rmtree(out)
    assert killed
    assert finish(work.log, out) == (0, "")
    assert load_dataset(out).checksum == work.checksums[0]
    assert hidden(tmp_path) == []


def test_an_output_that_is_replaced(work, tmp_path):
    out = shutil.copytree(work.other, tmp_path / "out")
    for share in SHARES:
        kill_after(share * work.seconds, work.log, out)
        if out.exists():
            assert load_dataset(out).checksum in work.checksums
        check_output(out, force=True)
        assert load_dataset(out).checksum in work.checksums
        assert hidden(tmp_path) == []


def test_the_next_command_brings_back_what_was_being_replaced(work, tmp_path):
    out = tmp_path / "out"
    process = prepare(work.log, out)
    process.kill()
    process.communicate(timeout=60)
    shutil.copytree(work.other, hidden_name(out, OLD, process.pid))
    code, errors = finish(tmp_path / "missing.csv", out)
    assert code == 1
    assert "missing.csv does not exist" in errors
    assert load_dataset(out).checksum == work.checksums[1]
    assert hidden(tmp_path) == []

"""Clocks, and a command's wall time, peak memory and peak disk."""

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_ROOT = Path(__file__).parents[1]
_SAMPLE_SECONDS = 0.2


@dataclass(frozen=True)
class Run:
    """One run of a command."""

    seconds: float
    peak_bytes: int
    """Greatest resident memory."""
    disk_bytes: int
    """Greatest size of the work folders beside the output, as sampled."""
    status: int
    """Exit code; minus the signal's number if one ended it."""
    printed: str
    errors: str


def now(device: str) -> float:
    """Seconds on a clock, once everything that was asked of the device is done."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()
    return time.perf_counter()


def measure(command: Sequence[str | Path], output: Path) -> Run:
    """Run a command with this checkout's genrec and wait for its end.

    Args:
        command: The program and its arguments.
        output: What the command writes; beside it stand its work folders, `.NAME*.work`.
    """
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    done = threading.Event()
    sizes = [0]
    watch = threading.Thread(target=_watch, args=(output, sizes, done))
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as errors:
        watch.start()
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=printed,
            stderr=errors,
            env=os.environ | {"PYTHONPATH": path, "COLUMNS": "200"},
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
        finally:
            done.set()
            watch.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = [_text(file) for file in (printed, errors)]
    return Run(seconds, usage.ru_maxrss * 1024, max(sizes), process.returncode, *texts)


def _watch(output: Path, sizes: list[int], done: threading.Event) -> None:
    while not done.wait(_SAMPLE_SECONDS):
        # os.walk passes over folders that vanish meanwhile.
        trees = (os.walk(folder) for folder in output.parent.glob(f".{output.name}.*.work"))
        sizes.append(sum(_size(Path(root, name)) for tree in trees for root, _, names in tree for name in names))


def _size(path: Path) -> int:
    """The disk that a file takes; 0 if it has just been deleted."""
    try:
        return path.lstat().st_blocks * 512
    except FileNotFoundError:
        return 0


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")

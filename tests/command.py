"""The command line in processes of its own that begin with torch imported, which takes longer than most commands.

They are forked from one that has done nothing but import. What a start from nothing shows (the time, what is
imported) must be tested otherwise.
"""

import gc
import multiprocessing
import os
import runpy
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import CompletedProcess

IMPORTED = ["genrec_cli.main", "genrec.training.session", "genrec.evaluation.evaluate", "genrec.exporting.bundle"]


def warm() -> ForkServerContext:
    """Starts such processes."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return context


def call(
    *arguments: object, env: Mapping[str, str] | None = None, cwd: Path | None = None, timeout: float = 300
) -> CompletedProcess[str]:
    """Run `genrec` as `subprocess.run` would, with its output captured as text.

    Args:
        arguments: Of the command line.
        env: Variables in addition to this process's.
        cwd: Where it runs.
        timeout: Seconds after which it is killed, and the call fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        streams = Path(folder, "stdout"), Path(folder, "stderr")
        process = start(*arguments, env=env, cwd=cwd, streams=streams)
        process.join(timeout)
        if process.is_alive():
            process.kill()
            process.join()
            raise TimeoutError(f"genrec {arguments} took longer than {timeout} s")
        assert process.exitcode is not None
        return CompletedProcess(arguments, process.exitcode, *(path.read_text() for path in streams))


def start(
    *arguments: object,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    streams: tuple[Path, Path] = (Path(os.devnull), Path(os.devnull)),
) -> BaseProcess:
    """Start `genrec`; `streams` are the files that take its stdout and stderr."""
    where = cwd or Path.cwd()
    told, variables = list(map(str, arguments)), {**os.environ, **(env or {})}
    process = warm().Process(target=_become, args=(told, variables, where, streams))
    process.start()
    return process


def _become(arguments: list[str], variables: dict[str, str], cwd: Path, streams: tuple[Path, Path]) -> None:
    """What `python -m genrec_cli` does, in this process."""
    gc.freeze()  # else each collection looks through all that was imported
    os.chdir(cwd)
    os.environ.update(variables)
    for number, path in enumerate(streams, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    sys.argv = ["genrec", *arguments]
    runpy.run_module("genrec_cli", run_name="__main__")


def fails(*arguments, message, code=1):
    """One line on stderr, no traceback, nothing on stdout."""
    done = call(*arguments)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    if code == 1:
        assert done.stderr.strip().count("\n") == 0, done.stderr

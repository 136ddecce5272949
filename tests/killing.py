"""Kills a process before each change it makes to the disk; forks, so it runs as a program of its own.

`python -m tests.killing FOLDER` replaces an output again and again. Every process is killed one change later than
the one before, and after each a second process, which finds what the first left, is killed at each of its changes.
What the next start finds then must be whole, and nothing hidden may stay.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

from genrec.files import atomic_folder, check_output

CHANGES = ["mkdir", "rename", "rmdir", "unlink"]
PARTS = {"a": "first", "b": "second"}


def replace_output(out: Path, word: str) -> None:
    """Write a folder whose files all say `word`."""
    with atomic_folder(out, force=True) as folder:
        (folder / "sub").mkdir()
        for name in PARTS:
            (folder / name).write_text(word)
            (folder / "sub" / name).write_text(word)


def word_of(out: Path) -> str | None:
    """What all files of a whole output say; None where there is no output."""
    if not out.exists():
        return None
    words = [(place / name).read_text() for place in (out, out / "sub") for name in PARTS]
    assert len(set(words)) == 1, words
    return words[0]


def survives(out: Path, word: str, change: int) -> bool:
    """Replace the output in a process that is killed before that change; whether it ended before."""
    child = os.fork()
    if not child:
        _kill_at(change)
        replace_output(out, word)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL), status
    return status == 0


def _kill_at(change: int) -> None:
    left = iter(range(change, -1, -1))

    def counted(function):
        def call(*arguments, **options):
            if next(left) == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return call

    for name in CHANGES:
        setattr(os, name, counted(getattr(os, name)))


def check(out: Path, allowed: set[str | None]) -> None:
    """What is there is whole or missing; the next start finds or brings back what is allowed, and clears up."""
    assert word_of(out) in allowed | {None}
    check_output(out, force=True)
    assert word_of(out) in allowed, (word_of(out), allowed)
    assert [path.name for path in out.parent.iterdir() if path != out] == []


def fresh(folder: Path, word: str | None) -> Path:
    """An empty folder for the output, or one with an output that says `word`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if word:
        replace_output(folder / "out", word)
    return folder / "out"


def main(folder: Path) -> None:
    """Print how many processes were killed."""
    kills = 0
    for before in (None, "old"):
        first, first_ended = 0, False
        while not first_ended:
            second, second_ended = 0, False
            while not second_ended:
                out = fresh(folder, before)
                first_ended = survives(out, "new", first)
                second_ended = survives(out, "newest", second)
                kills += 2 - first_ended - second_ended
                check(out, {"newest"} if second_ended else {"new" if first_ended else before, "new", "newest"})
                second += 1
            # Deleted by its owner after a kill, an output may come back, but whole.
            out = fresh(folder, before)
            survives(out, "new", first)
            shutil.rmtree(out, ignore_errors=True)
            check(out, {None, before})
            first += 1
    print(kills)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

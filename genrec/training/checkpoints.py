"""Checkpoints: written whole or not at all, the last two and the best kept, found again on resuming."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError

from genrec import ranks
from genrec.errors import GenRecError
from genrec.files import atomic_folder, remove
from genrec.ids import CHECKPOINTS

STATE = "trainer_state.json"
_STANDING = "epoch_loss.json"

KEPT = 2
"""Checkpoints that are kept besides the best."""

_WRITTEN = KEPT + 2
"""Checkpoints that are on the disk at most: those kept, the best and the one being written."""

_COPIES = 3
"""A checkpoint holds each weight and the two moments that Adam keeps of it."""


@contextmanager
def staged(checkpoint: Path) -> Iterator[Path]:
    """Yield a folder in which Trainer makes `checkpoint`, which appears when the block ends without an error.

    All processes enter it together. What Trainer writes into a folder of the checkpoint's own name moves up.

    Raises:
        GenRecError: It could not be written; those from before are kept.
    """
    try:
        if not ranks.is_main():
            yield Path(ranks.gather("")[0])
            ranks.barrier()
            return
        with atomic_folder(checkpoint, force=True) as folder:
            ranks.gather(str(folder))
            yield folder
            ranks.barrier()
            inner = folder / checkpoint.name
            for file in inner.iterdir():
                file.rename(folder / file.name)
            inner.rmdir()
    except (OSError, RuntimeError, SafetensorError) as error:
        raise GenRecError(
            f"the checkpoint {checkpoint} could not be written: {error}; earlier ones are kept, so make room and "
            "continue with --resume"
        ) from error


def drop_old(folder: Path, best_step: int | None) -> None:
    """Keep the newest checkpoints and the best of a phase, delete the others."""
    for path in _by_age(folder)[:-KEPT]:
        if path != checkpoint_at(folder, best_step):
            remove(path)


def checkpoint_at(folder: Path, step: int | None) -> Path | None:
    """The checkpoint of a step; None where there is no such step."""
    return folder / f"checkpoint-{step}" if step else None


def last_whole_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint of a phase that can be read; others are deleted."""
    for path in reversed(_by_age(folder)):
        if read_state(path) is not None:
            return path
        remove(path)
    return None


def read_state(checkpoint: Path) -> dict[str, Any] | None:
    """What Trainer noted in a checkpoint; None where that is damaged."""
    try:
        return json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


class Standing(NamedTuple):
    """What Trainer does not note in a checkpoint."""

    total: float
    """Sum of the epoch's losses so far."""
    steps: int
    """The epoch's steps so far."""
    seconds: float = 0.0
    """Time that the phase has taken."""


def save_standing(checkpoint: Path, standing: Standing) -> None:
    """Note how things stand."""
    (checkpoint / _STANDING).write_text(json.dumps(standing._asdict()), encoding="utf-8")


def load_standing(checkpoint: Path) -> Standing:
    """What `save_standing` noted."""
    return Standing(**json.loads((checkpoint / _STANDING).read_text(encoding="utf-8")))


def check_space(folder: Path, parameters: int) -> None:
    """Refuse a disk that the checkpoints will not fit on, those counted that are there already.

    Args:
        folder: The run.
        parameters: Number of the model's weights, of 4 bytes.

    Raises:
        GenRecError: There is too little room.
    """
    there = sum(path.stat().st_size for path in (folder / CHECKPOINTS).rglob("*") if path.is_file())
    needed = (_WRITTEN * _COPIES + 1) * 4 * parameters - there
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise GenRecError(
            f"the checkpoints need {needed / 1e9:,.1f} GB more, the disk of {folder} has {free / 1e9:,.1f} GB "
            "left; make room, choose another output or a smaller model"
        )


def _by_age(folder: Path) -> list[Path]:
    numbered = [path for path in folder.glob("checkpoint-*") if path.name.rpartition("-")[2].isdigit()]
    return sorted(numbered, key=lambda path: int(path.name.rpartition("-")[2]))

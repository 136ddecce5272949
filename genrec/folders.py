"""Telling datasets, runs and bundles apart."""

import os
from pathlib import Path
from typing import Any, Final, Literal

from genrec.errors import GenRecError
from genrec.ids import DATASET_FILE, MANIFEST_FILE, RUN_FILE

DATASET: Final = "dataset"
RUN: Final = "run"
BUNDLE: Final = "bundle"

_MARKS: Final = {DATASET_FILE: DATASET, RUN_FILE: RUN, MANIFEST_FILE: BUNDLE}
_MAKERS: Final = {
    DATASET: "genrec prepare SOURCE -o DATASET",
    RUN: "genrec train DATASET -o RUN",
    BUNDLE: "genrec export RUN -o exports/NAME",
}


def require_kind(path: Path, *wanted: str) -> str:
    """The kind of a folder, which must be one of those wanted.

    Raises:
        GenRecError: The folder is missing or is something else; says what, and how to make one.
    """
    names = " or ".join(f"a {kind}" for kind in wanted)
    hint = f"make one with: {_MAKERS[wanted[0]]}"
    if not path.exists():
        raise GenRecError(f"{path} does not exist; {names} is wanted here, {hint}")
    if not path.is_dir():
        raise GenRecError(f"{path} is a file; a folder that is {names} is wanted here, {hint}")
    kind = kind_of(path)
    if kind is None:
        marks = " or ".join(mark for mark, kind in _MARKS.items() if kind in wanted)
        raise GenRecError(f"{path} is not {names}: it has no {marks}; {hint}")
    if kind not in wanted:
        raise GenRecError(f"{path} is a {kind}, not {names}; give the folder of one, or {hint}")
    return kind


def kind_of(path: Path) -> str | None:
    """The kind of a folder; None where it is no dataset, run or bundle."""
    return next((kind for mark, kind in _MARKS.items() if (path / mark).is_file()), None)


def user_cache() -> Path:
    """Where files are kept that can be fetched or made again: $GENREC_CACHE, or ~/.cache/genrec."""
    return Path(os.environ.get("GENREC_CACHE") or Path.home() / ".cache" / "genrec")


Alone = Literal["model", "decoder"]
"""A part of what a run ranks by: `model` is all but the prior, `decoder` leaves out the item head too."""


def mixed_share(info: dict[str, Any], part: str) -> float:
    """The weight of "item_head" or "prior" in what a run ranks by, by its run.json; 0 where it has none."""
    return float(((info.get("result") or {}).get(part) or {}).get("weight", 0.0))

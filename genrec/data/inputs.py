"""What the caller names as sources: files, a folder of a known layout, or a known public dataset."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from genrec.data.known import KNOWN, fetch
from genrec.data.movielens import Layout, read_layout
from genrec.errors import GenRecError
from genrec.progress import Reporter


@dataclass(frozen=True)
class Inputs:
    """The files of one log."""

    name: str
    """What the dataset is called."""
    paths: tuple[Path, ...]
    format: str
    items: Path | None = None
    """A file of item metadata."""
    header: tuple[str, ...] = ()
    """The columns' names, where the files have no header line."""


def resolve(
    sources: Sequence[Path | str], format: str, cache: Path | None, work: Path, reporter: Reporter
) -> Inputs:
    """Find the files behind the sources; a known name is downloaded unless a file of that name exists.

    Raises:
        GenRecError: No source is given, a known name stands beside others, or a download failed.
    """
    if not sources:
        raise GenRecError(f"no source is given; name files, a MovieLens folder, or one of: {', '.join(KNOWN)}")
    first, path = str(sources[0]), Path(sources[0])
    if first.lower() in KNOWN and not path.exists():
        _only(sources)
        name = KNOWN[first.lower()]
        return _from_layout(name, fetch(name, cache, work, reporter))
    layout = read_layout(path, format, work)
    if layout is not None:
        _only(sources)
        return _from_layout(path.absolute().name, layout)
    if format == "movielens":
        raise GenRecError(f"{path} has no MovieLens layout: a folder with u.data in it is wanted")
    if not path.exists() and not path.suffix and len(sources) == 1:
        raise GenRecError(f"{path} does not exist, and the known names are: {', '.join(KNOWN)}")
    return Inputs(path.name.split(".")[0] or path.name, tuple(map(Path, sources)), format)


def _only(sources: Sequence[Path | str]) -> None:
    if len(sources) > 1:
        raise GenRecError(f"{sources[0]} is a whole dataset; prepare it alone, without {sources[1]}")


def _from_layout(name: str, layout: Layout) -> Inputs:
    return Inputs(name, (layout.interactions,), "tsv", layout.items, layout.header)

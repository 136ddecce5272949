"""What the caller names as sources: files, patterns, folders, standard input, databases, public datasets."""

import glob
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from genrec.data.database import Selection, copy_rows, is_database
from genrec.data.known import KNOWN_NAMES, fetch, known_name
from genrec.data.layouts import read_layout
from genrec.data.movielens import Layout
from genrec.errors import GenRecError
from genrec.ids import DATASET_FILE
from genrec.progress import Reporter

STDIN = "-"


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
    database: dict[str, str] | None = None
    """Where the rows come from, and the query, if not from files."""


def resolve(
    sources: Sequence[Path | str],
    format: str,
    selection: Selection,
    cache: Path | None,
    work: Path,
    reporter: Reporter,
) -> Inputs:
    """Find the files behind the sources; a known name is downloaded unless a file of that name exists.

    Raises:
        GenRecError: No source is given, a whole dataset stands beside others, or a download failed.
    """
    if not sources:
        raise GenRecError(f"no source is given; name files, a MovieLens folder, or one of: {KNOWN_NAMES}")
    if "" in map(str, sources):
        raise GenRecError("a source is empty; name files, a folder, or a known dataset")
    first, path = str(sources[0]), Path(sources[0])
    if is_database(first):
        _only(sources)
        if format not in ("auto", "parquet"):
            raise GenRecError(f"--format {format} is for files, and {first} is a database; leave it out")
        table, about = copy_rows(first, selection, work / "database", reporter)
        return Inputs(about.pop("name"), (table,), format, database=about)
    if selection.query or selection.table:
        raise GenRecError(f"--query and --table need a database (duckdb:///FILE, say); {first} is none")
    if (known := known_name(first)) and not path.exists():
        _only(sources)
        return _from_layout(known, fetch(known, cache, work, reporter))
    layout = read_layout(path, format, work)
    if layout is not None:
        _only(sources)
        return _from_layout(path.absolute().name.removesuffix(".zip"), layout)
    if format == "movielens":
        raise GenRecError(
            f"{path} has no MovieLens layout: a folder or zip archive with u.data, ratings.dat or ratings.csv "
            "in it, or one of these files, is wanted"
        )
    if not path.exists() and not path.suffix and len(sources) == 1 and not _is_glob(first) and first != STDIN:
        raise GenRecError(f"{path} does not exist, and the known names are: {KNOWN_NAMES}")
    for source in map(str, sources):
        if known_name(source) and not Path(source).exists():
            _only([source, first])
    paths = tuple(file for source in sources for file in _files(str(source), work))
    return Inputs(_name(first, path), paths, format)


def _files(source: str, work: Path) -> list[Path]:
    """The files that one source stands for, in the order of their names."""
    path = Path(source)
    if source == STDIN:
        return [_standard_input(work / "stdin")]
    if (path / DATASET_FILE).is_file():
        raise GenRecError(f"{path} is a dataset already; give a log, and --extend {path} to add it to the dataset")
    if path.is_dir():
        found = [file for file in sorted(path.iterdir()) if file.is_file() and file.name[0] not in "._"]
        if not found:
            raise GenRecError(f'{path} is a folder without files; give files, or a pattern like "{path}/**/*.csv"')
        return found
    if _is_glob(source):
        matches = glob.glob(source, recursive=True)  # noqa: PTH207 (Path.glob takes no absolute patterns)
        found = sorted(file for file in map(Path, matches) if file.is_file())
        if not found:
            raise GenRecError(f"no file matches {source}; check the pattern, from {Path.cwd()}")
        return found
    if path.is_fifo() or path.is_char_device():  # /dev/stdin, or <(command) of a shell
        with path.open("rb") as stream:
            return [_kept(stream, work / path.name)]
    return [path]


def _standard_input(target: Path) -> Path:
    """Keep what comes from standard input."""
    if target.exists():
        raise GenRecError("standard input is named twice; it can be read once")
    if sys.stdin is None:
        raise GenRecError("standard input is closed; give a file")
    _kept(sys.stdin.buffer, target)
    if not target.stat().st_size:
        raise GenRecError("standard input is empty; a log with a header line and rows is wanted")
    return target


def _kept(stream: BinaryIO, target: Path) -> Path:
    """Write a stream to a file, because it is read more than once."""
    with target.open("xb") as file:
        shutil.copyfileobj(stream, file, 1 << 20)
    return target


def _is_glob(source: str) -> bool:
    return glob.has_magic(source) and not Path(source).exists()


def _name(source: str, path: Path) -> str:
    """What a dataset is called after its first source."""
    if source == STDIN:
        return "stdin"
    if _is_glob(source):
        plain = [part for part in path.absolute().parts if not glob.has_magic(part)]
        return plain[-2] if len(plain) > 1 and plain[-1] == path.name else plain[-1]
    return path.absolute().name.split(".")[0] or path.name


def _only(sources: Sequence[Path | str]) -> None:
    if len(sources) > 1:
        raise GenRecError(f"{sources[0]} is a whole dataset; prepare it alone, without {sources[1]}")


def _from_layout(name: str, layout: Layout) -> Inputs:
    return Inputs(name, (layout.interactions,), layout.format, layout.items, layout.header)

"""Source files made ready for reading: which format they have, and a plain copy where DuckDB needs one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from genrec.data.compression import codec, decompress, inner_name
from genrec.data.literals import has_literals, json_copy
from genrec.data.textfile import NO_LINES, Lines, check_file, head_lines, regular_copy, scan_lines
from genrec.errors import GenRecError
from genrec.files import sha256

FORMATS: Final = ("auto", "csv", "tsv", "parquet", "jsonl", "sequences", "amazon", "yelp", "movielens")
_CONTAINERS: Final = ("csv", "tsv", "parquet", "jsonl", "sequences")
"""Formats that say how a file is read; the others say what is in it."""

_SUFFIXES: Final = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".inter": "tsv",
    ".item": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}
_FOREIGN: Final = {
    b"PK\x03\x04": "a zip archive (damaged, or without MovieLens) or a spreadsheet; unpack it or save it as CSV",
    b"BZh": "bzip2-compressed; decompress it first",
    b"\xfd7zXZ": "xz-compressed; decompress it first",
    b"SQLite format 3": "an SQLite database; give it as sqlite:///FILE",
}


@dataclass(frozen=True)
class Source:
    """One file to read."""

    path: Path
    """What the caller named."""
    plain: Path
    """What is read: the file itself, or its plain copy."""
    format: str
    """How it is read: csv, tsv, parquet, jsonl or sequences."""
    lines: Lines
    """Of `plain`, for text formats."""
    work: Path
    """A folder for further copies."""
    checksum: str
    """SHA-256 of the file as it was given."""
    name: str
    """What it is called: the end of its path that no other source has."""

    @property
    def raw_quotes(self) -> bool:
        """Whether quotes mean nothing: RecBole's atomic files never quote, and have titles with quotes in them."""
        return Path(inner_name(self.path)).suffix in (".inter", ".item")

    def describe(self) -> dict[str, Any]:
        """For dataset.json; no folder, so that equal inputs are described alike everywhere."""
        return {"name": self.name, "sha256": self.checksum, "bytes": self.path.stat().st_size}


def open_sources(paths: Sequence[Path], format: str, work: Path) -> list[Source]:
    """Check files, find their one format, and decompress or regularise them into `work` where needed.

    Raises:
        GenRecError: A file is missing, empty, damaged or of an unknown format, or the formats differ.
    """
    if format not in FORMATS:
        raise GenRecError(f"format {format!r} is unknown; choose one of: {', '.join(FORMATS)}")
    names = _names(paths)
    sources = [open_source(path, format, work, str(number), names[number]) for number, path in enumerate(paths)]
    formats = {source.format: source.name for source in sources}
    if len(formats) > 1:
        listed = ", ".join(f"{name} is {kind}" for kind, name in formats.items())
        raise GenRecError(f"all files must have one format, but {listed}; prepare them apart or set --format")
    return sources


def open_source(path: Path, format: str, work: Path, tag: str, name: str | None = None) -> Source:
    """Make one file ready; `tag` tells its copies in `work` from those of others.

    Raises:
        GenRecError: The file is missing, empty, damaged or of an unknown format.
    """
    check_file(path)
    plain = decompress(path, work / f"{tag}.plain") if codec(path) else path
    kind = _format(path, plain, format)
    if kind == "parquet":
        return Source(path, plain, kind, NO_LINES, work, sha256(path), name or path.name)
    lines = scan_lines(plain)
    if lines.count == 0:
        raise GenRecError(f"{path} holds only blank lines; a file with rows is wanted")
    if not lines.regular:
        plain = regular_copy(plain, work / f"{tag}.regular")
        lines = scan_lines(plain)
    if kind == "jsonl" and has_literals(plain):
        plain = json_copy(plain, work / f"{tag}.json")
    return Source(path, plain, kind, lines, work, sha256(path), name or path.name)


def _names(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of paths that tell them apart; a path that is given twice has one name."""
    pending = {path.absolute().parts for path in paths}
    names: dict[tuple[str, ...], str] = {}
    length = 0
    while pending:
        length += 1
        ends = Counter(parts[-length:] for parts in pending)
        alone = {parts for parts in pending if ends[parts[-length:]] == 1}
        names |= {parts: "/".join(parts[-length:]) for parts in alone}
        pending -= alone
    return [names[path.absolute().parts] for path in paths]


def _format(path: Path, plain: Path, wanted: str) -> str:
    with plain.open("rb") as file:
        start = file.read(16)
    for magic, what in _FOREIGN.items():
        if start.startswith(magic):
            raise GenRecError(f"{path} is {what}")
    if start[8:12] == b"DUCK":
        raise GenRecError(f"{path} is a DuckDB database; give it as duckdb:///FILE")
    is_parquet = start.startswith(b"PAR1")
    by_name = _SUFFIXES.get(Path(inner_name(path)).suffix.lower())
    kind = wanted if wanted in _CONTAINERS else "parquet" if is_parquet else by_name or _sniff(path, plain)
    if is_parquet and kind != "parquet":
        raise GenRecError(f"{path} is a Parquet file, but --format {kind} was given; leave --format out")
    if kind == "parquet" and not is_parquet:
        raise GenRecError(f"{path} is no Parquet file, or a damaged one; set --format, or write it again")
    return kind


def _sniff(path: Path, plain: Path) -> str:
    """Tell a text file's format from its first lines."""
    lines = head_lines(plain, 20)
    first = lines[0] if lines else ""
    if first.lstrip().startswith("{"):
        return "jsonl"
    if "\t" in first:
        return "tsv"
    if any(mark in first for mark in ",;|"):
        return "csv"
    if len(first.split()) > 1:
        return "sequences"
    raise GenRecError(
        f"{path} has no format that can be told from its name or its first line {first[:60]!r}; "
        f"set --format to one of: {', '.join(FORMATS[1:])}"
    )

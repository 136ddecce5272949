"""Compressed files: gzip and zstd, told by their first bytes and decompressed whole or not at all."""

import gzip
import zlib
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from genrec.errors import GenRecError

_CHUNK: Final = 1 << 22
_MAGIC: Final = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}
_SUFFIXES: Final = (".gz", ".zst", ".zstd")


def codec(path: Path) -> str | None:
    """How a file is compressed, whatever its name; None for a plain file."""
    with path.open("rb") as file:
        start = file.read(4)
    return next((name for name, magic in _MAGIC.items() if start.startswith(magic)), None)


def inner_name(path: Path) -> str:
    """A file's name without the suffix of its compression.

    >>> inner_name(Path("logs/2019.csv.zst"))
    '2019.csv'
    """
    return path.stem if path.suffix.lower() in _SUFFIXES else path.name


def decompress(path: Path, target: Path) -> Path:
    """Write what a compressed file holds to `target`.

    Raises:
        GenRecError: The data are truncated or damaged; what could be read is not used.
    """
    kind = codec(path)
    try:
        with _open(path, kind) as source, target.open("wb") as copy:
            while chunk := source.read(_CHUNK):
                copy.write(chunk)
    except (EOFError, zlib.error, OSError, pa.ArrowException) as error:
        if (
            isinstance(error, OSError) and error.errno
        ):  # the disk is full, say; gzip's and pyarrow's have no number
            raise
        raise GenRecError(
            f"{path} is truncated or damaged {kind} ({error}); fetch or compress it again"
        ) from error
    if not target.stat().st_size:
        raise GenRecError(f"{path} is empty; a file with a header line and rows is wanted")
    return target


def _open(path: Path, kind: str | None) -> Any:
    return gzip.open(path, "rb") if kind == "gzip" else pa.CompressedInputStream(pa.OSFile(str(path)), kind)

"""A file of users and histories: CSV, TSV or Parquet, read as it comes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from genrec.bulk.rows import CHUNK_ROWS, chunks, parquet_rows, window
from genrec.errors import GenRecError

USER: Final = "user"
HISTORY: Final = "history"

_BLOCK: Final = 4 << 20
"""Bytes of text that are parsed together, and the longest row; Arrow reads up to 32 blocks ahead."""


@dataclass(frozen=True)
class Requests:
    """Successive rows of a users file, as they are written there."""

    first: int
    """Number of the first row, from 1."""
    users: pa.Array
    """string [rows]; null is a visitor."""
    items: pa.Array
    """string [items]: the given histories, one after the other."""
    lengths: NDArray[np.int64]
    """int64 [rows]: how many of the items are a row's; 0 where the user's own history is meant."""


def read_requests(path: Path, first: int, stop: int, rows: int = CHUNK_ROWS) -> Iterator[Requests]:
    """Rows `first` to `stop` (from 0, exclusive) of a users file, at most `rows` together.

    Raises:
        GenRecError: The file is missing, unreadable, or has neither a column `user` nor `history`.
    """
    with _told(path):
        columns = _columns(path)
        if _is_parquet(path):
            batches = parquet_rows(path, columns, first, stop)
        else:
            batches = window(_open_text(path, columns), first, stop)
        row = first + 1
        for table in chunks(batches, rows):
            nothing = pa.nulls(table.num_rows)
            users = table.column(USER).combine_chunks() if USER in columns else nothing
            history = table.column(HISTORY).combine_chunks() if HISTORY in columns else nothing
            yield Requests(row, _ids(users, USER), *_histories(history))
            row += table.num_rows


def count_rows(path: Path) -> int:
    """Rows of a users file; text is parsed for that.

    Raises:
        GenRecError: As `read_requests`.
    """
    with _told(path):
        columns = _columns(path)
        if _is_parquet(path):
            return int(pq.read_metadata(path).num_rows)
        return sum(batch.num_rows for batch in _open_text(path, columns[:1]))


def quick_count(path: Path) -> int | None:
    """Rows of a users file where that is known without reading it."""
    return count_rows(path) if path.is_file() and _is_parquet(path) else None


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Errors that name the file."""
    try:
        yield
    except FileNotFoundError as error:
        raise GenRecError(f"the users file {path} does not exist") from error
    except IsADirectoryError as error:
        raise GenRecError(f"the users file {path} is a folder; give one CSV, TSV or Parquet file") from error
    except (OSError, pa.ArrowException) as error:
        if "straddl" in str(error):
            raise GenRecError(
                f"a row of {path} is longer than {_BLOCK >> 20} MB; shorten it, or use Parquet"
            ) from error
        raise GenRecError(f"the users file {path} cannot be read: {error}") from error


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def _columns(path: Path) -> list[str]:
    """Which of the two columns the file has."""
    names = pq.read_schema(path).names if _is_parquet(path) else _open_text(path).schema.names
    columns = [name for name in (USER, HISTORY) if name in names]
    if not columns:
        raise GenRecError(
            f"{path} has the columns {', '.join(names)}; a column {USER!r}, {HISTORY!r} or both is wanted"
        )
    for name in columns:
        if names.count(name) > 1:
            raise GenRecError(f"{path} has {names.count(name)} columns {name!r}; one is wanted, rename the others")
    return columns


def _open_text(path: Path, columns: list[str] | None = None) -> pv.CSVStreamingReader:
    """A CSV or TSV file, compressed or not; IDs stay text, whatever they look like."""
    return pv.open_csv(
        path,
        # Only a single thread can tell which row is malformed.
        pv.ReadOptions(block_size=_BLOCK, use_threads=False),
        pv.ParseOptions(delimiter="\t" if ".tsv" in path.suffixes else ",", newlines_in_values=True),
        pv.ConvertOptions(column_types={USER: pa.string(), HISTORY: pa.string()}, include_columns=columns),
    )


def _ids(values: pa.Array, column: str) -> pa.Array:
    """IDs of any type as text; null where there is none."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _ids(values.dictionary_decode(), column)
    if pa.types.is_nested(kind):
        raise GenRecError(f"the column {column!r} is of type {kind}; IDs, texts or numbers, are wanted there")
    if pa.types.is_floating(kind):  # what pandas makes of whole numbers beside missing ones
        values = pc.if_else(pc.is_nan(values), None, values)
    texts = values.cast(pa.string())
    return pc.if_else(pc.equal(texts, ""), None, texts)


def _histories(values: pa.Array) -> tuple[pa.Array, NDArray[np.int64]]:
    """Histories in any of their forms as item IDs, one after the other, and how many are each row's."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _histories(values.dictionary_decode())
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        if pa.types.is_nested(kind):
            raise GenRecError(f"the column {HISTORY!r} is of type {kind}; a list or a text is wanted there")
        values = _split(values.cast(pa.string()))
    lengths = np.asarray(pc.fill_null(pc.list_value_length(values), 0), np.int64)
    return _ids(pc.list_flatten(values), HISTORY), lengths


def _split(texts: pa.Array) -> pa.Array:
    """Texts as lists: JSON where they look like it, else words."""
    texts = pc.utf8_trim_whitespace(texts)
    texts = pc.if_else(pc.equal(texts, ""), None, texts)
    if not pc.any(pc.starts_with(texts, "[")).as_py():
        return pc.utf8_split_whitespace(texts)
    return pa.array([text and _parse(text) for text in texts.to_pylist()], pa.list_(pa.string()))


def _parse(text: str) -> list[str | None]:
    if text.startswith("["):
        try:
            values: list[Any] = json.loads(text)
        except (ValueError, RecursionError):
            return text.split()  # type: ignore[return-value]  # an ID that begins with a bracket
        return [None if value is None else str(value) for value in values]
    return text.split()  # type: ignore[return-value]

"""The Parquet tables of users, items and sequences of datasets, runs and bundles: written and read here.

Only pyarrow and numpy are imported: `genrec recommend BUNDLE USER` passes through here, a second in all.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from genrec.errors import GenRecError
from genrec.ids import (
    ITEMS,
    SEQUENCES_FILE,
    TIMESTAMPS,
    USER,
)

GROUP_USERS: Final = 10_000
"""Users in one row group of sequences.parquet: few enough that reading one user's history is quick."""


@dataclass(frozen=True)
class Sequences:
    """Every user's items, oldest first, flat; user u (from 1) is `items[offsets[u - 1] : offsets[u]]`."""

    items: np.ndarray
    """int32 [interactions], item indexes from 1."""
    offsets: np.ndarray
    """int64 [users + 1], ascending from 0."""

    @property
    def lengths(self) -> np.ndarray:
        """int64 [users]: the number of interactions of each user."""
        return np.diff(self.offsets)

    def of(self, user: int) -> np.ndarray:
        """int32 [n]: the items of user index `user`, oldest first; a view, not a copy.

        Raises:
            IndexError: `user` is not in 1..U.
        """
        if not 1 <= user < len(self.offsets):
            raise IndexError(f"user {user} is not in 1..{len(self.offsets) - 1}")
        return self.items[self.offsets[user - 1] : self.offsets[user]]


@dataclass(frozen=True)
class Group:
    """Successive users' items, oldest first."""

    first: int
    """The index of the first user."""
    lengths: np.ndarray
    """int64 [users]: each user's number of items."""
    items: np.ndarray
    """int32 [interactions]."""
    times: np.ndarray | None = None
    """int64 [interactions]: UTC microseconds, where they are known."""


def open_parquet(path: Path) -> pq.ParquetFile:
    """Open one of genrec's tables.

    Raises:
        GenRecError: The file is missing or no Parquet file.
    """
    try:
        return pq.ParquetFile(path)
    except FileNotFoundError as error:
        raise GenRecError(f"{path} is missing; make {path.parent} anew or copy it again") from error
    except (OSError, pa.ArrowException) as error:
        raise damaged(path, error) from error


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Read one of genrec's tables, or some of its columns.

    Raises:
        GenRecError: The file is missing, damaged or lacks a column.
    """
    file = open_parquet(path)
    lacking = sorted(set(columns or ()) - set(file.schema_arrow.names))
    if lacking:
        raise GenRecError(f"{path} lacks the column {lacking[0]!r}; make {path.parent} anew")
    try:
        return file.read(columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise damaged(path, error) from error


def read_sequences(folder: Path) -> Sequences:
    """Read `sequences.parquet` of a dataset, run or bundle.

    Raises:
        GenRecError: The file is missing or damaged.
    """
    column = read_table(Path(folder) / SEQUENCES_FILE, [ITEMS]).column(ITEMS)
    return _flatten(column.chunks)


def _flatten(chunks: Sequence[pa.ListArray]) -> Sequences:
    """Join list arrays into flat arrays; one chunk is not copied."""
    values = [np.asarray(chunk.flatten()) for chunk in chunks]
    counts = [np.diff(np.asarray(chunk.offsets)) for chunk in chunks]
    items = values[0] if len(values) == 1 else np.concatenate([np.empty(0, np.int32), *values])
    offsets = np.zeros(sum(map(len, counts)) + 1, np.int64)
    np.cumsum(np.concatenate([np.empty(0, np.int64), *counts]), out=offsets[1:])
    return Sequences(items.astype(np.int32, copy=False), offsets)


def damaged(path: Path, error: Exception) -> GenRecError:
    """The error for a table that cannot be read."""
    return GenRecError(f"{path} is damaged or no Parquet file ({error}); make {path.parent} anew or copy it again")


def write_table(path: Path, batches: pa.RecordBatchReader) -> int:
    """Write a table as it comes, one batch a row group; returns its number of rows."""
    count = 0
    with pq.ParquetWriter(path, batches.schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def write_sequences(path: Path, groups: Iterable[Group], has_time: bool) -> int:
    """Write `sequences.parquet` as it comes, one group a row group; returns the number of interactions.

    A list array's 32-bit offsets could not span a large log.
    """
    count = 0
    schema = {USER: pa.int32(), ITEMS: pa.list_(pa.int32())}
    if has_time:
        schema[TIMESTAMPS] = pa.list_(pa.int64())
    with pq.ParquetWriter(path, pa.schema(schema)) as writer:
        for group in groups:
            places = pa.array(np.concatenate([[0], np.cumsum(group.lengths)]).astype(np.int32))
            users = np.arange(group.first, group.first + len(group.lengths), dtype=np.int32)
            columns = [pa.array(users), pa.ListArray.from_arrays(places, pa.array(group.items, pa.int32()))]
            if has_time:
                columns.append(pa.ListArray.from_arrays(places, pa.array(group.times, pa.int64())))
            writer.write_table(pa.Table.from_arrays(columns, schema=writer.schema))
            count += len(group.items)
    return count

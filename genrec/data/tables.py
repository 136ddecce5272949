"""The Parquet tables of users, items and sequences of datasets, runs and bundles: written and read here.

Only pyarrow and numpy are imported: `genrec recommend BUNDLE USER` passes through here, a second in all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from genrec.errors import GenRecError
from genrec.ids import (
    INDEX,
    ITEMS,
    ITEMS_FILE,
    SEQUENCES_FILE,
    TIMESTAMPS,
    USER,
    USER_ID,
    USERS_FILE,
)

_GROUP_USERS = 10_000
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


def write_tables(
    folder: Path,
    user_ids: pa.Array,
    items: pa.Table,
    sequences: Sequences,
    timestamps: np.ndarray | None = None,
) -> None:
    """Write the three tables; equal contents give equal bytes.

    Args:
        folder: An existing folder.
        user_ids: string [users], in index order.
        items: [items] rows in index order, `item_id` first, without the index, which is added here.
        sequences: Every user's items.
        timestamps: int64 [interactions], UTC microseconds beside `sequences.items`, if they are known.
    """
    count = len(user_ids)
    users = pa.table({INDEX: pa.array(np.arange(1, count + 1, dtype=np.int32)), USER_ID: user_ids})
    pq.write_table(users, folder / USERS_FILE)
    items = items.add_column(0, INDEX, pa.array(np.arange(1, items.num_rows + 1, dtype=np.int32)))
    pq.write_table(items, folder / ITEMS_FILE)
    schema = {USER: pa.int32(), ITEMS: pa.list_(pa.int32())}
    if timestamps is not None:
        schema[TIMESTAMPS] = pa.list_(pa.int64())
    with pq.ParquetWriter(folder / SEQUENCES_FILE, pa.schema(schema)) as writer:
        # Written by parts: a list array's 32-bit offsets could not span all interactions of a large log.
        for first in range(0, count, _GROUP_USERS):
            last = min(first + _GROUP_USERS, count)
            offsets = sequences.offsets[first : last + 1]
            part = slice(offsets[0], offsets[-1])
            places = pa.array((offsets - offsets[0]).astype(np.int32))
            columns = [pa.array(np.arange(first + 1, last + 1, dtype=np.int32))]
            columns.append(pa.ListArray.from_arrays(places, pa.array(sequences.items[part], pa.int32())))
            if timestamps is not None:
                columns.append(pa.ListArray.from_arrays(places, pa.array(timestamps[part], pa.int64())))
            writer.write_table(pa.Table.from_arrays(columns, schema=writer.schema))

"""Looking up users, items and histories in the tables of a dataset, run or bundle.

A table is read when it is first needed and no Python list of all IDs is ever made, because `genrec recommend`
has to answer within a second.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genrec.data.tables import damaged, open_parquet, read_table
from genrec.ids import INDEX, ITEM_ID, ITEMS, ITEMS_FILE, SEQUENCES_FILE, UNKNOWN, USER_ID, USERS_FILE


class Catalogue:
    """Looks up users, items and histories in a folder's tables.

    External IDs go in, indexes come out, and the other way round. A folder without users and sequences (a
    bundle made with --no-histories) knows no user.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    @cached_property
    def _items(self) -> pa.Table:
        return read_table(self.folder / ITEMS_FILE)

    @cached_property
    def _item_ids(self) -> pa.ChunkedArray:
        """In one chunk, of which single IDs are quickly taken, whatever the size of the catalogue."""
        ids = read_table(self.folder / ITEMS_FILE, [ITEM_ID]).column(ITEM_ID)
        return pa.chunked_array([ids.cast(pa.large_string()).combine_chunks()])

    @cached_property
    def _users(self) -> pa.ChunkedArray:
        path = self.folder / USERS_FILE
        if not path.exists():
            return pa.chunked_array([], pa.string())
        return read_table(path, [USER_ID]).column(USER_ID)

    @property
    def item_count(self) -> int:
        """The number of items, I."""
        return open_parquet(self.folder / ITEMS_FILE).metadata.num_rows

    @property
    def user_count(self) -> int:
        """The number of users, U; 0 where the folder holds no users."""
        path = self.folder / USERS_FILE
        return open_parquet(path).metadata.num_rows if path.exists() else 0

    @property
    def has_histories(self) -> bool:
        """Whether the folder holds users' histories."""
        return (self.folder / SEQUENCES_FILE).exists()

    def user_index(self, user_id: str) -> int:
        """The index of an external user ID, 0 when unknown."""
        # A scan, not a binary search: extended datasets append their new users out of order.
        return int(pc.index(self._users, pa.scalar(user_id, self._users.type)).as_py()) + 1

    def user_id(self, index: int) -> str:
        """The external ID of user `index` (1..U)."""
        if not 1 <= index <= len(self._users):
            raise IndexError(f"user {index} is not in 1..{len(self._users)}")
        return self._users[index - 1].as_py()

    def user_ids(self, indexes: np.ndarray) -> pa.Array:
        """string [n]: the external IDs of user indexes (1..U)."""
        return _take(self._users, indexes)

    def user_indexes(self, ids: Sequence[str] | pa.Array) -> np.ndarray:
        """int64 [n]: the indexes of external user IDs, 0 where unknown."""
        return _positions(ids, self._users)

    def history(self, user_index: int) -> np.ndarray:
        """int32 [n]: a user's item indexes, oldest first; empty for user 0. Reads one row group."""
        if user_index == UNKNOWN or not self.has_histories:
            return np.empty(0, np.int32)
        path = self.folder / SEQUENCES_FILE
        file = open_parquet(path)
        row = user_index - 1
        for group in range(file.metadata.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if 0 <= row < rows:
                try:
                    chunk = file.read_row_group(group, columns=[ITEMS]).column(ITEMS)[row]
                except (OSError, pa.ArrowException) as error:
                    raise damaged(path, error) from error
                return np.asarray(chunk.values, dtype=np.int32)
            row -= rows
        raise IndexError(f"user {user_index} is not in {path}")

    def item_indexes(self, ids: Sequence[str] | pa.Array) -> np.ndarray:
        """int64 [n]: the indexes of external item IDs, 0 where unknown."""
        return _positions(ids, self._item_ids)

    def item_ids(self, indexes: np.ndarray) -> pa.Array:
        """string [n]: the external IDs of item indexes (1..I)."""
        return _take(self._item_ids, indexes)

    def item_rows(self, indexes: Sequence[int] | np.ndarray) -> list[dict[str, Any]]:
        """What is known of items (indexes 1..I), in the given order.

        Returns:
            One dict each: {"item": external ID, "title"?: ..., "attributes"?: [...], any other column}; a
            column of the source that is called "item" too is left out.
        """
        rows = self._items.take(self._rows(indexes)).to_pylist()
        return [
            {
                "item": row[ITEM_ID],
                **{name: value for name, value in row.items() if name not in (INDEX, ITEM_ID, "item")},
            }
            for row in rows
        ]

    def _rows(self, indexes: Sequence[int] | np.ndarray) -> pa.Array:
        positions = np.asarray(indexes, dtype=np.int64).reshape(-1)
        if len(positions) and (positions.min() < 1 or positions.max() > self._items.num_rows):
            raise IndexError(f"item indexes must be in 1..{self._items.num_rows}")
        return pa.array((positions - 1).tolist(), pa.int64())  # from an array, pyarrow would import numpy.ma


def _take(column: pa.ChunkedArray, indexes: np.ndarray) -> pa.Array:
    """string [n]: the IDs in the rows of some indexes (from 1)."""
    return column.take(pa.array(indexes - 1)).combine_chunks().cast(pa.string())


def _positions(ids: Sequence[str] | pa.Array, column: pa.ChunkedArray) -> np.ndarray:
    """int64 [n]: one plus the row of each ID in `column`, 0 where it has none."""
    wanted = (ids if isinstance(ids, pa.Array) else pa.array(list(ids), pa.string())).cast(column.type)
    # Hashing the few wanted IDs and scanning the column is much quicker than hashing the column.
    rows = pc.indices_nonzero(pc.is_in(column, value_set=wanted))
    found = pc.index_in(wanted, value_set=column.take(rows).combine_chunks())
    places = np.asarray(pc.fill_null(found, -1), dtype=np.int64)
    indexes = np.append(np.asarray(rows, dtype=np.int64) + 1, 0)
    return indexes[places]

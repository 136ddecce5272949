"""Small datasets and files made by hand."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from genrec.data.tables import Sequences
from tests.helpers import save_dataset


def sequences(*users: list[int]) -> Sequences:
    """Sequences of the given users' item lists."""
    offsets = np.cumsum([0, *map(len, users)]).astype(np.int64)
    return Sequences(np.array([item for items in users for item in items], np.int32), offsets)


def small_dataset(folder: Path) -> Path:
    """Three users, four items with titles."""
    folder.mkdir(parents=True)
    items = pa.table(
        {
            "item_id": ["a", "b", "c", "é"],
            "title": ["A", None, "C", "E"],
            "attributes": pa.array([["x", "y"], None, [], ["z"]], pa.list_(pa.string())),
        }
    )
    data = sequences([1, 2, 3], [2], [4, 4])
    save_dataset(folder, ["u1", "u 2", "007"], items, data, np.arange(6))
    return folder


def read_back(folder: Path) -> dict[str, list[str]]:
    """A dataset as external IDs: {user: [item, ...]}."""
    users = pq.read_table(folder / "users.parquet").column("user_id").to_pylist()
    items = pq.read_table(folder / "items.parquet").column("item_id").to_pylist()
    rows = pq.read_table(folder / "sequences.parquet").to_pylist()
    return {users[row["user"] - 1]: [items[item - 1] for item in row["items"]] for row in rows}


def times_of(folder: Path) -> list[list[int]]:
    """The timestamps of a dataset's users."""
    return pq.read_table(folder / "sequences.parquet").column("timestamps").to_pylist()


def items_of(folder: Path) -> dict[str, dict[str, object]]:
    """The rows of a dataset's items, by external ID."""
    rows = pq.read_table(folder / "items.parquet").to_pylist()
    return {row.pop("item_id"): row for row in rows}

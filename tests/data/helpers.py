"""Small datasets and files made by hand."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from genrec.data.dataset import save_dataset
from genrec.data.tables import Sequences


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
    save_dataset(folder, pa.array(["u1", "u 2", "007"]), items, data, np.arange(6), name="small")
    return folder

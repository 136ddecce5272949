"""Attributes of items, for the reference models that read them."""

from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from genrec.baselines.base import ItemModel
from genrec.baselines.examples import Ints
from genrec.baselines.settings import BaselineConfig
from genrec.data.dataset import Dataset
from genrec.data.split import train_part
from genrec.data.tables import open_parquet, read_table
from genrec.errors import GenRecError
from genrec.ids import ATTRIBUTES, ITEMS_FILE

MOST = 32
"""Most attributes of an item that are read; the commonest are kept."""


class AttributeModel(ItemModel[Any]):
    """A model that knows the attributes of all items, also of those that the training part does not show.

    `__init__` takes two numbers more, `attributes` and `attributes_each`, and calls `expect_attributes` with them.
    """

    item_attributes: Tensor
    """int64 [items + 1, attributes_each]: attributes, from 1; zeros on the right are padding."""

    def expect_attributes(self, attributes: int, attributes_each: int) -> None:
        """Make room for the table.

        Args:
            attributes: Number of attributes.
            attributes_each: Most of an item.
        """
        self.attribute_count = attributes
        empty = torch.zeros(self.item_count + 1, attributes_each, dtype=torch.long)
        self.register_buffer("item_attributes", empty)

    @property
    def sizes(self) -> dict[str, int]:
        """Of the table of attributes."""
        return {"attributes": self.attribute_count, "attributes_each": self.item_attributes.shape[1]}

    @classmethod
    def of(cls, settings: BaselineConfig, data: Dataset) -> Self:
        """A new model that has read the dataset's attributes."""
        table = read_attributes(data.path, settings.model)
        sizes = {"attributes": int(table.max()), "attributes_each": table.shape[1]}
        model = cls(settings, data.user_count, data.item_count, **sizes)
        model.item_attributes.copy_(torch.from_numpy(table))
        model.observe(train_part(data.sequences))
        return model


def read_attributes(folder: Path, model: str) -> Ints:
    """Attributes of a dataset's items, the commonest being 1; those of one item alone are left out.

    Args:
        folder: The dataset.
        model: Who asks, for the error.

    Returns:
        int64 [items + 1, n], each row ascending, zeros on the right.

    Raises:
        GenRecError: The table is damaged, or no two items share an attribute.
    """
    path = folder / ITEMS_FILE
    file = open_parquet(path)
    count = file.metadata.num_rows
    items, codes = np.empty(0, np.int64), np.empty(0, np.int64)
    if ATTRIBUTES in file.schema_arrow.names:
        lists = read_table(path, [ATTRIBUTES])[ATTRIBUTES].combine_chunks()
        lists = lists.cast(pa.large_list(pa.large_string()))
        items = np.asarray(pc.list_parent_indices(lists), np.int64) + 1
        coded = pc.list_flatten(lists).dictionary_encode()
        codes = np.asarray(pc.fill_null(coded.indices, -1), np.int64)
    items, codes = np.unique(np.stack([items, codes])[:, codes >= 0], axis=1)  # sorted by item
    carriers = np.bincount(codes)
    number = np.zeros(len(carriers), np.int64)
    commonest = np.argsort(-carriers, kind="stable")[: int((carriers > 1).sum())]
    number[commonest] = np.arange(1, len(commonest) + 1)
    items, numbers = items[number[codes] > 0], number[codes][number[codes] > 0]
    if not len(items):
        raise GenRecError(
            f"the items of {folder} share no attributes, which {model} reads; prepare the dataset with --items "
            "FILE (a table with item and attributes, or JSON {item: [attributes]}), or take --model sasrec, which "
            "needs interactions only"
        )
    order = np.lexsort([numbers, items])
    items, numbers = items[order], numbers[order]
    place = np.arange(len(items)) - np.searchsorted(items, items)
    kept = place < MOST
    table = np.zeros((count + 1, int(place[kept].max()) + 1), np.int64)
    table[items[kept], place[kept]] = numbers[kept]
    return table

"""What a rule may look at: nothing that it should not see is handed to it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genrec.data.tables import Sequences, open_parquet, read_table
from genrec.errors import GenRecError
from genrec.ids import ATTRIBUTES, ITEMS_FILE, TITLE
from genrec.indexing.codes import Ints


@dataclass(frozen=True)
class Descriptions:
    """What the source says of the items; a missing column is all null."""

    titles: pa.Array
    """string [items]."""
    attributes: pa.Array
    """list<string> [items]."""

    def take(self, order: Ints) -> "Descriptions":
        """The same of items (indexes from 1) in another order."""
        places = pa.array(order - 1)
        return Descriptions(self.titles.take(places), self.attributes.take(places))


def no_descriptions() -> Descriptions:
    """Stands in where nothing is known of the items.

    Raises:
        GenRecError: Always.
    """
    raise _nothing_said("these items have")


@dataclass(frozen=True)
class Evidence:
    """A catalogue and what is known of it before validation and test.

    The items carry labels that were drawn with the run's seed, not the source's numbers and not the dataset's
    indexes, which follow the source's IDs: no tie that is broken by a label tells anything of those.
    """

    train: Sequences
    """The training part of all sequences, whose items are labels from 1 on; whole sequences for a leaky rule."""
    item_count: int
    """Number of items, I."""
    depth: int = 0
    """Codes of an item; 0 chooses, see `genrec.indexing.codes.fan_out`."""
    describe: Callable[[], Descriptions] = no_descriptions
    """Reads titles and attributes, in the order of the labels; only rules that want them pay for it."""
    text_encoder: str | None = None
    """Folder or name of a sentence-transformers model that reads the descriptions."""

    @property
    def counts(self) -> Ints:
        """int64 [items]: how often each label (from 1) occurs in the training part."""
        return np.bincount(self.train.items, minlength=self.item_count + 1)[1:]


def relabelled(evidence: Evidence, seen: Sequences, seed: int) -> tuple[Evidence, Ints]:
    """Give the items labels that say nothing.

    A source that numbers the same items otherwise gets the same labels for all items that `seen` shows, since the
    order of first appearance is shuffled, not that of the numbers. So it gets the same codes, but for rules that
    read what is said of unseen items.

    Args:
        evidence: In the dataset's item indexes.
        seen: The training part of all sequences.
        seed: The run's seed.

    Returns:
        The evidence with labels in place of indexes, and int64 [items + 1] the label of each index.
    """
    appeared = first_appearance(seen)
    hidden = np.setdiff1d(np.arange(1, evidence.item_count + 1), appeared)
    # A stream of its own: the rules draw from the seed's.
    order = np.random.default_rng([seed, 1]).permutation(np.concatenate([appeared, hidden]))
    labels = np.zeros(evidence.item_count + 1, np.int64)
    labels[order] = np.arange(1, evidence.item_count + 1)
    items = labels[evidence.train.items].astype(np.int32)
    return replace(
        evidence,
        train=Sequences(items, evidence.train.offsets),
        describe=lambda: evidence.describe().take(order),
    ), labels


def first_appearance(sequences: Sequences) -> Ints:
    """int64 [n]: the items that occur, in the order in which they first do, user after user."""
    items, first = np.unique(sequences.items, return_index=True)
    return items[np.argsort(first)].astype(np.int64)


def read_descriptions(folder: Path) -> Descriptions:
    """Titles and attributes of a dataset's items, in index order.

    Raises:
        GenRecError: The table is damaged, or says nothing of any item.
    """
    found = find_descriptions(folder)
    if found is None:
        raise _nothing_said(f"the items of {folder} have")
    return found


def find_descriptions(folder: Path) -> Descriptions | None:
    """The same, or None where nothing is said of any item.

    Raises:
        GenRecError: The table is damaged.
    """
    path = folder / ITEMS_FILE
    names = open_parquet(path).schema_arrow.names
    table = read_table(path, [name for name in (TITLE, ATTRIBUTES) if name in names])
    count = open_parquet(path).metadata.num_rows

    def column(name: str, kind: pa.DataType) -> pa.Array:
        return table[name].combine_chunks().cast(kind) if name in table.column_names else pa.nulls(count, kind)

    found = Descriptions(column(TITLE, pa.large_string()), column(ATTRIBUTES, pa.large_list(pa.large_string())))
    lengths = pc.fill_null(pc.list_value_length(found.attributes), 0)
    said = found.titles.null_count < count or pc.any(pc.greater(lengths, 0)).as_py()
    return found if said else None


def _nothing_said(what: str) -> GenRecError:
    return GenRecError(
        f"{what} neither titles nor attributes, which the indexings 'semantic' and 'hybrid' read; prepare the "
        "dataset with --items FILE (a table with item, title and attributes, or JSON {item: [attributes]}), or "
        "take --set indexing=collaborative, which needs interactions only"
    )

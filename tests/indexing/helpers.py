"""Small catalogues with planted structure."""

import numpy as np
import pyarrow as pa

from genrec.data.tables import Sequences
from genrec.indexing.evidence import Descriptions

ITEMS = 60
KINDS = 6


def make_sequences(seed: int = 0, users: int = 50, items: int = ITEMS - 5) -> Sequences:
    """Random histories of items 1..`items`."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 12, users)
    drawn = rng.integers(1, items + 1, lengths.sum()).astype(np.int32)
    return Sequences(drawn, np.concatenate([[0], np.cumsum(lengths)]))


def community_sequences(groups: int, size: int, users: int = 60, length: int = 10) -> Sequences:
    """Users who stay within a group; item i is of group (i - 1) // size."""
    rng = np.random.default_rng(0)
    rows = [rng.permutation(size)[:length] + 1 + size * group for group in range(groups) for _ in range(users)]
    return Sequences(np.concatenate(rows).astype(np.int32), np.arange(0, len(rows) * length + 1, length))


def other_targets(sequences: Sequences, item: int = ITEMS) -> Sequences:
    """The same training parts, but `item` is everybody's validation and test item."""
    items = sequences.items.copy()
    for start, end in zip(sequences.offsets[:-1], sequences.offsets[1:], strict=True):
        held_out = 2 if end - start >= 3 else int(end - start == 2)
        items[end - held_out : end] = item
    return Sequences(items, sequences.offsets)


def describe(kinds: np.ndarray) -> Descriptions:
    """Titles and attributes that tell the kind of each item, besides a word of its own."""
    titles = [f"Thing {number} of kind{kind}" for number, kind in enumerate(kinds)]
    attributes = [[f"kind {kind}", "thing"] for kind in kinds]
    return descriptions(titles, attributes)


def descriptions(titles: list, attributes: list) -> Descriptions:
    """From Python lists, in which None is nothing."""
    return Descriptions(
        pa.array(titles, pa.large_string()), pa.array(attributes, pa.large_list(pa.large_string()))
    )


def some_descriptions() -> Descriptions:
    """Of `ITEMS` items."""
    return describe(np.arange(ITEMS) % KINDS)


def renumber(sequences: Sequences, numbers: np.ndarray) -> Sequences:
    """Item i becomes `numbers[i]` (int64 [items + 1])."""
    return Sequences(numbers[sequences.items].astype(np.int32), sequences.offsets)

"""How popular items are in the training part, and which are the head and the tail of the catalogue."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from genrec.data.split import train_part
from genrec.data.tables import Sequences

Counts = NDArray[np.int64]
"""int64 [items]: how often each item (from 1) occurs in the training part."""

HEAD, MIDDLE, TAIL, UNSEEN = "head", "middle", "tail", "unseen"
GROUPS: Final = (HEAD, MIDDLE, TAIL, UNSEEN)

RULE: Final = (
    "items by training interactions: head = the most popular, that make up the first third of all interactions, "
    "middle = the second third, tail = the rest; unseen = not in training"
)


def train_counts(sequences: Sequences, item_count: int) -> Counts:
    """How often each item occurs in the training part of everybody's sequence."""
    return np.bincount(train_part(sequences).items, minlength=item_count + 1)[1:]


def popularity_groups(counts: Counts) -> NDArray[np.int64]:
    """int64 [items]: the place of each item's group in `GROUPS`; equally popular items share one.

    An item belongs to the head if less than a third of the interactions is with more popular items, to the
    middle if less than two thirds are.

    >>> popularity_groups(np.array([4, 1, 0, 3, 1])).tolist()
    [0, 2, 3, 1, 2]
    """
    values, group, sizes = np.unique(counts, return_inverse=True, return_counts=True)
    above = counts.sum() - np.cumsum(values * sizes)  # interactions with items of a larger count
    third = (3 * above >= counts.sum()).astype(np.int64) + (3 * above >= 2 * counts.sum())
    return np.where(counts > 0, third[group.ravel()], GROUPS.index(UNSEEN))

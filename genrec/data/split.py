"""The leave-one-out split: per user the last item is test, the one before it validation, the rest training.

A user needs two interactions for a test item and three for a validation item as well; one with fewer keeps
what there is for training.
"""

from typing import Final, Literal

import numpy as np

from genrec.data.tables import Sequences
from genrec.errors import GenRecError

Split = Literal["valid", "test"]

_FROM_END: Final = {"test": 1, "valid": 2}
"""Where a split's target stands, counted from the end of the sequence."""


def train_lengths(lengths: np.ndarray) -> np.ndarray:
    """int64 [users]: how many of each user's first interactions are for training.

    >>> train_lengths(np.array([1, 2, 3, 4])).tolist()
    [1, 1, 1, 2]
    """
    lengths = np.asarray(lengths, dtype=np.int64)
    return np.where(lengths >= 3, lengths - 2, np.minimum(lengths, 1))


def targets(sequences: Sequences, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Who is evaluated on a split, and where their target stands.

    Returns:
        users: int64 [n], the users (from 1) that have the split's item, ascending.
        positions: int64 [n], the target's position p in the user's sequence: history is `of(user)[:p]`,
            target `of(user)[p]`.

    Raises:
        GenRecError: `split` is neither "valid" nor "test".
    """
    if split not in _FROM_END:
        raise GenRecError(f"split {split!r} is unknown; choose one of: {', '.join(sorted(_FROM_END))}")
    back = _FROM_END[split]
    lengths = sequences.lengths
    # One item must stand before the target: the test item needs two interactions, the validation item three.
    users = np.flatnonzero(lengths > back) + 1
    return users, lengths[users - 1] - back


def train_part(sequences: Sequences) -> Sequences:
    """The training part of everybody's sequence, as sequences of their own (every user stays)."""
    kept = train_lengths(sequences.lengths)
    offsets = np.zeros(len(kept) + 1, np.int64)
    np.cumsum(kept, out=offsets[1:])
    # Training is the head of each sequence, so a kept event's place moves by its user's shift alone.
    shift = np.repeat(sequences.offsets[:-1] - offsets[:-1], kept)
    return Sequences(sequences.items[np.arange(offsets[-1]) + shift], offsets)

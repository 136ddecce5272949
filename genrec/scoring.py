"""What `recommend` asks of a model, whichever backend runs it: lists of item indexes in, ranked items out."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from genrec.errors import GenRecError

Rows = Sequence[Sequence[int] | NDArray[Any]] | NDArray[Any]
"""Lists of item indexes, one per user; or a matrix of them with zeros as padding."""

Ranked = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Items and scores, both [batch, k], best first; (0, -inf) where fewer than k items are allowed."""


class Scorer(Protocol):
    """Ranks items for users, all by index."""

    backend: str
    """The library that computes: "torch" or "onnxruntime"."""
    provider: str
    """The device or execution provider that really runs."""
    trouble: str | None
    """Why that is not a better one, and what to do; None where nothing better was in reach."""
    batch_users: int
    """Most users that it should be given together."""

    def __call__(
        self,
        history: Rows,
        users: Sequence[int] | NDArray[Any],
        exclude_seen: bool = True,
        banned: Rows | None = None,
        allowed: Rows | None = None,
        k: int | None = None,
    ) -> Ranked:
        """Recommend to a batch of users.

        Args:
            history: Per user item indexes, oldest first.
            users: Per user the index; 0 is an unknown user.
            exclude_seen: Whether to keep the items of the history out.
            banned: Per user items to keep out.
            allowed: Per user the only items to return; an empty list allows all.
            k: Length of the lists; by default as many as the model was made for.
        """


BATCH_USERS = 128
"""Most users of a batch: of 8 to 256, within 2 % of the fastest at 8 and at 24 items on two cores."""


_GPU_BATCH_USERS = 512


def batch_users(on_cpu: bool, width: int = 1) -> int:
    """Most users of a batch by device and, where a model decodes, its width.

    On a GPU asking for the steps of a search takes longer than computing them. On the CPU what wide models compute
    for many falls out of the caches: with bart-base's width of 768, batches of 16 took half the time of batches of
    128, and a quarter of the memory.
    """
    return max(16, min(BATCH_USERS, 16_384 // width)) if on_cpu else _GPU_BATCH_USERS


_BATCH_SCORES = 2**24
"""Most scores of a batch, users times items, where every item is scored."""


def item_batch_users(item_count: int, most: int = BATCH_USERS) -> int:
    """Most users of a batch where every item is scored: their scores must fit into memory."""
    return max(1, min(most, _BATCH_SCORES // (item_count + 1)))


def nothing(k: int) -> Ranked:
    """The result for a batch of nobody, which a graph cannot run: both [0, k]."""
    return np.empty((0, k), np.int64), np.empty((0, k), np.float32)


def pad(rows: Rows | None, batch: int) -> NDArray[np.int64]:
    """Lists of item indexes as one matrix, int64 [batch, longest], filled up with zeros.

    Raises:
        GenRecError: There is not one list per user.

    >>> pad([[5], [6, 7]], 2).tolist()
    [[5, 0], [6, 7]]
    """
    rows = rows if rows is not None else [()] * batch
    if len(rows) != batch:
        raise GenRecError(f"{len(rows)} lists were given for {batch} users; give one list per user")
    if isinstance(rows, np.ndarray) and rows.ndim == 2:
        return rows.astype(np.int64, copy=False)
    matrix = np.zeros((batch, max(map(len, rows), default=0)), dtype=np.int64)
    for line, row in zip(matrix, rows, strict=True):
        line[: len(row)] = row
    return matrix

"""Many users through a model: batches of similar length, bounded in size, halved where memory runs out."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from genrec.errors import GenRecError
from genrec.scoring import BATCH_USERS, Ranked, Rows, Scorer

BATCH_NUMBERS = 16_384
"""Most item indexes of a batch's histories, padding included: users times the longest history."""

_LISTED_NUMBERS = 2_000_000
"""Most indexes of a batch's banned and allowed items: the search compares each with 20 beams, 8 bytes each."""

Result = TypeVar("Result")


def by_length(
    run: Callable[[NDArray[np.int64]], Result],
    lengths: Sequence[int] | NDArray[Any],
    users: int = BATCH_USERS,
    numbers: int = BATCH_NUMBERS,
) -> Iterator[tuple[NDArray[np.int64], Result]]:
    """Run batches of rows of similar length, longest first: the memory that the first one takes serves them all.

    Running out of memory halves the numbers of a batch from there on. Nobody is skipped.

    Args:
        run: Gets the places of a batch's rows, int64 [n].
        lengths: [rows], the length of each row's history.
        users: Most rows of a batch.
        numbers: Most numbers of a batch, padding included; a single row may have more.

    Yields:
        The places and what `run` made of them, so that `result[places] = made` restores the order.

    Raises:
        GenRecError: A single row does not fit into memory.

    >>> [(places.tolist(), made) for places, made in by_length(len, [1, 3, 2], numbers=4)]
    [([1], 1), ([2, 0], 2)]
    """
    lengths = np.asarray(lengths, dtype=np.int64)
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        longest = max(1, int(lengths[order[start]]))
        places = order[start : start + max(1, min(users, numbers // longest))]
        try:
            made = run(places)
        except Exception as error:  # onnxruntime's errors share no base class
            _check_memory(error, len(places))
            numbers = len(places) // 2 * longest
            continue
        yield places, made
        start += len(places)


def most_users(scorer: Scorer, listed: int) -> int:
    """Most users of a batch in which each has so many banned and allowed items."""
    return min(scorer.batch_users, max(1, _LISTED_NUMBERS // (1 + listed)))


def score_many(
    scorer: Scorer,
    history: Rows,
    users: Sequence[int] | NDArray[Any],
    exclude_seen: bool = True,
    banned: Rows | None = None,
    allowed: Rows | None = None,
    k: int | None = None,
    advance: Callable[[int], None] = lambda users: None,
) -> Ranked:
    """Recommend to any number of users; arguments and result as in `genrec.scoring.Scorer.__call__`.

    Args:
        advance: Is told of the number of users done, batch by batch.
    """
    if not len(users):
        return scorer(history, users, exclude_seen, banned, allowed, k)
    people = np.asarray(users, dtype=np.int64)
    listed = sum(max(map(len, rows)) for rows in (banned, allowed) if rows is not None)

    def run(places: NDArray[np.int64]) -> Ranked:
        limits = {"banned": _take(banned, places), "allowed": _take(allowed, places)}
        return scorer([history[place] for place in places], people[places], exclude_seen, **limits, k=k)

    batches = []
    for places, ranked in by_length(run, list(map(len, history)), most_users(scorer, listed)):
        batches.append((places, *ranked))
        advance(len(places))
    places, items, scores = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    back = np.argsort(places)
    return items[back], scores[back]


def _take(rows: Rows | None, places: NDArray[np.int64]) -> Rows | None:
    return None if rows is None else [rows[place] for place in places]


def _check_memory(error: Exception, batch: int) -> None:
    """Let any error go on its way but a lack of memory of more than one user."""
    message = str(error).lower()
    if not isinstance(error, MemoryError) and "out of memory" not in message and "alloc" not in message:
        raise error
    if batch == 1:
        raise GenRecError(f"one user alone does not fit into memory: {error}; use fewer beams") from error

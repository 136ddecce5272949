"""From subjects to rows of recommendations."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genrec.bulk.subjects import Indexes, Subjects
from genrec.data.catalogue import Catalogue
from genrec.scoring import Ranked, Scorer

BATCH = 256
"""Users that go through the model together, unless their lists are long."""

_MOST_NUMBERS = 2_000_000
"""Most item indexes in a batch: the search compares each with 20 beams, 8 bytes a comparison."""

SCHEMA = pa.schema(
    {
        "row": pa.int64(),
        "user": pa.string(),
        "rank": pa.int32(),
        "item": pa.string(),
        "score": pa.float32(),
        "known_user": pa.bool_(),
    }
)


@dataclass(frozen=True)
class Rules:
    """What may be recommended; the same for everybody."""

    k: int
    include_seen: bool
    banned: Indexes
    """int64 [n]."""
    allowed: Indexes
    """int64 [m]; empty allows all."""


def rank(scorer: Scorer, subjects: Subjects, rules: Rules, advance: Callable[[int], None]) -> Ranked:
    """Items and scores, both [rows, k]; `advance` is told how many rows are done."""
    shape = (len(subjects.lengths), rules.k)
    items, scores = np.empty(shape, np.int64), np.empty(shape, np.float32)
    for rows in _batches(subjects.lengths, len(rules.banned) + len(rules.allowed)):
        history, users = subjects.histories(rows), subjects.users[rows]
        banned, allowed = (np.tile(numbers, (len(rows), 1)) for numbers in (rules.banned, rules.allowed))
        items[rows], scores[rows] = scorer(history, users, not rules.include_seen, banned, allowed, rules.k)
        advance(len(rows))
    return items, scores


def _batches(lengths: Indexes, more: int) -> Iterator[NDArray[np.intp]]:
    """Row numbers by length, the longest first, so that little is padding; `more` numbers come with each row."""
    order = np.argsort(lengths, kind="stable")
    end = len(order)
    while end:
        longest = lengths[order[end - 1]]
        size = max(1, min(BATCH, _MOST_NUMBERS // (1 + longest + more)))
        start = max(0, end - size)
        yield order[start:end]
        end = start


def to_table(catalogue: Catalogue, subjects: Subjects, ranked: Ranked) -> pa.Table:
    """Rows of the output, in the order of the input and by rank."""
    items, scores = ranked
    line, place = np.nonzero(items)
    rows = pa.array(line)
    return pa.table(
        [
            pa.array(line + subjects.first),
            subjects.ids.take(rows),
            pa.array((place + 1).astype(np.int32)),
            catalogue.item_ids(items[line, place]),
            pa.array(scores[line, place]),
            pa.array(subjects.users > 0).take(rows),
        ],
        schema=SCHEMA,
    )

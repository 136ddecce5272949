"""From subjects to rows of recommendations."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from genrec.batching import by_length, most_users
from genrec.bulk.subjects import Indexes, Subjects
from genrec.data.catalogue import Catalogue
from genrec.scoring import Ranked, Scorer

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

    def run(rows: Indexes) -> Ranked:
        banned, allowed = (np.tile(numbers, (len(rows), 1)) for numbers in (rules.banned, rules.allowed))
        history, users = subjects.histories(rows), subjects.users[rows]
        return scorer(history, users, not rules.include_seen, banned, allowed, rules.k)

    most = most_users(scorer, len(rules.banned) + len(rules.allowed))
    for rows, ranked in by_length(run, subjects.lengths, most):
        items[rows], scores[rows] = ranked
        advance(len(rows))
    return items, scores


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

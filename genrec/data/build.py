"""From kept integer rows to the dataset's tables, streamed: no table is ever whole in Python."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from genrec.data.encode import ROLES
from genrec.data.engine import Engine
from genrec.data.order import Ties
from genrec.data.tables import GROUP_USERS, Group
from genrec.ids import INDEX, USER_ID

USERS: str = f'SELECT "index" AS "{INDEX}", id AS {USER_ID} FROM user_index ORDER BY 1'
"""SQL: users.parquet."""


def number_roles(engine: Engine) -> None:
    """Make `user_index` and `item_index` (code, index, id) of what is kept: 1..U and 1..I, in the codes' order."""
    for role in ROLES:
        engine.table(
            f"{role}_index",
            f"""
            SELECT code, CAST(row_number() OVER (ORDER BY code) AS INTEGER) AS index, id
            FROM {role}_codes SEMI JOIN kept_{role} USING (code)
            """,
        )


def sequences_sql(ties: Ties) -> str:
    """SQL: every kept row as (user, item, micros), users in index order, each one's rows in their order."""
    return f"""
        SELECT u.index AS user, i.index AS item, micros FROM events
        JOIN user_index AS u ON u.code = user_code JOIN item_index AS i ON i.code = item_code
        ORDER BY u.index, micros, {ties.keys}
    """


def user_groups(batches: pa.RecordBatchReader, has_time: bool) -> Iterator[Group]:
    """Cut rows of (user, item, micros) that are ordered by user, every user from 1 on among them, into groups."""
    first = 1
    kinds = (np.int32, np.int32, np.int64)[: 2 + has_time]
    rest: list[np.ndarray] = [np.empty(0, kind) for kind in kinds]
    for batch in batches:
        new = [np.asarray(column) for column in batch.columns]  # times last, if there are any
        rest = [np.concatenate([rest[n], new[n]]) for n in range(len(rest))]
        while len(rest[0]) and rest[0][-1] >= first + GROUP_USERS:
            cut = int(np.searchsorted(rest[0], first + GROUP_USERS))
            yield _group(first, [column[:cut] for column in rest], has_time)
            rest = [column[cut:] for column in rest]
            first += GROUP_USERS
    if len(rest[0]):
        yield _group(first, rest, has_time)


def _group(first: int, columns: list[np.ndarray], has_time: bool) -> Group:
    users = columns[0]
    lengths = np.bincount(users - first, minlength=int(users[-1]) - first + 1)
    return Group(first, lengths, columns[1].astype(np.int32, copy=False), columns[2] if has_time else None)

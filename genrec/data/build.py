"""From filtered integer rows to the dataset's tables."""

import duckdb
import numpy as np
import pyarrow as pa

from genrec.data.sql import one
from genrec.data.tables import Sequences
from genrec.ids import USER_ID


def number_roles(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """Make `user_index` and `item_index` (code, index, id): 1..U and 1..I in the byte order of the UTF-8 IDs.

    Returns:
        The number of users and of items.
    """
    for role in ("user", "item"):
        connection.execute(
            f"""
            CREATE TABLE {role}_index AS
            SELECT code, CAST(row_number() OVER (ORDER BY id) AS INTEGER) AS index, id
            FROM {role}_codes WHERE code IN (SELECT DISTINCT "{role}" FROM events)
            """
        )
    counts = [int(one(connection, f"SELECT count(*) FROM {role}_index")) for role in ("user", "item")]
    return counts[0], counts[1]


def user_ids(connection: duckdb.DuckDBPyConnection) -> pa.ChunkedArray:
    """The users' IDs, in index order."""
    return connection.sql(f"SELECT id AS {USER_ID} FROM user_index ORDER BY index").to_arrow_table().column(0)


def build_sequences(
    connection: duckdb.DuckDBPyConnection, users: int, has_time: bool
) -> tuple[Sequences, np.ndarray | None]:
    """Every user's items by time, rows of one time in input order.

    One sort of integers into flat columns: aggregating lists would hold every list twice.

    Returns:
        The sequences, and beside their items int64 [interactions] UTC microseconds, if the log has times.
    """
    flat = connection.sql(
        f"""
        SELECT user_index.index AS user, item_index.index AS item{", micros" if has_time else ""}
        FROM events
        JOIN user_index ON user_index.code = events.user
        JOIN item_index ON item_index.code = events.item
        ORDER BY user_index.index, micros, n
        """
    ).to_arrow_table()
    counts = np.bincount(np.asarray(flat.column("user")), minlength=users + 1)[1:]
    offsets = np.zeros(users + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    sequences = Sequences(np.asarray(flat.column("item"), dtype=np.int32), offsets)
    return sequences, np.asarray(flat.column("micros"), dtype=np.int64) if has_time else None

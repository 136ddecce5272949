"""k-core filtering: users and items with fewer than k rows go, until none is left to go."""

import duckdb

from genrec.data.sql import one


def k_core(connection: duckdb.DuckDBPyConnection, table: str, k: int) -> int:
    """Delete rows of `table` (integer columns user, item) until every user and every item has at least k rows.

    Rows are counted, not distinct pairs. The result does not depend on the order of deletion: the k-core is the
    largest set of rows with the property.

    Returns:
        How many rounds it took; the last finds nothing to delete.
    """
    if k <= 1:
        return 0
    rounds = 0
    left = one(connection, f"SELECT count(*) FROM {table}")
    while True:
        rounds += 1
        connection.execute(
            f"""
            DELETE FROM {table} WHERE user IN (SELECT user FROM {table} GROUP BY user HAVING count(*) < {int(k)})
                                   OR item IN (SELECT item FROM {table} GROUP BY item HAVING count(*) < {int(k)})
            """
        )
        now = one(connection, f"SELECT count(*) FROM {table}")
        if now == left:
            return rounds
        left = now

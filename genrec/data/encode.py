"""External IDs to integers, once: from here on, rows are integers."""

from typing import Final

from genrec.data.engine import Engine
from genrec.data.order import Ties

ROLES: Final = ("user", "item")
FIRST: Final = -(1 << 63)
"""The tie key of a parent dataset's rows, which stand before new ones of the same time."""


def encode(engine: Engine, ties: Ties) -> None:
    """Make `user_codes`, `item_codes` (code, id, place) and `encoded` (n, user_code, item_code, micros, tie).

    Codes follow the byte order of the IDs, after those of a parent dataset, which keep their indexes; `place` is
    the byte order among all. IDs of rows that do not stay have codes too: to leave them out would cost more.
    `encoded` holds the rows of `judged` that stay and, with negative n, the parent's.

    Args:
        engine: Holds `raw`, `judged`, and of a parent, or empty, `known_user` and `known_item` (code, id) and
            `known_events` (n, user_code, item_code, micros).
        ties: The rule for rows of one user and time.
    """
    for role in ROLES:
        engine.table(
            f"{role}_codes",
            f"""
            SELECT code, id, row_number() OVER (ORDER BY id) AS place FROM (
                SELECT code, id FROM known_{role}
                UNION ALL
                SELECT CAST(known.total + row_number() OVER (ORDER BY id) AS INTEGER) AS code, id
                FROM (SELECT DISTINCT {role}_id AS id FROM raw WHERE {role}_id IS NOT NULL) AS found
                ANTI JOIN known_{role} USING (id)
                CROSS JOIN (SELECT count(*) AS total FROM known_{role}) AS known
            ) AS numbered
            """,
        )
    engine.table(
        "encoded",
        f"""
        SELECT n, u.code AS user_code, i.code AS item_code, micros, {ties.key(engine)} AS tie
        FROM judged JOIN user_codes AS u ON u.id = judged.user_id JOIN item_codes AS i ON i.id = judged.item_id
        WHERE reason IS NULL
        UNION ALL
        SELECT n, user_code, item_code, micros, {FIRST} AS tie FROM known_events
        """,
    )

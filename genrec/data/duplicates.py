"""Repeated rows: which of them count."""

from typing import Final

from genrec.data.engine import Engine

EXACT: Final = "exact"
USER_ITEM: Final = "user-item"
DEDUPE: Final = (EXACT, USER_ITEM, "none")
"""Of rows with the same user, item and time one counts; of rows with the same user and item the earliest; all."""


def drop_duplicates(engine: Engine, rule: str, has_time: bool) -> tuple[int, list[int]]:
    """Make `events` of `encoded`, without the rows that repeat another one; a parent's rows all stay.

    Without times no two rows are the same event, so only "user-item" finds repeats then.

    Returns:
        How many rows were dropped, and the numbers `n` of the first of them, as far as they have any.
    """
    columns = "n, user_code, item_code, micros, tie"
    if rule == "none" or (rule == EXACT and not has_time):
        engine.view("events", f"SELECT {columns} FROM encoded")
        return 0, []
    if rule == EXACT:
        # One group per event holds less in memory than a window that ranks its rows.
        grouped = "user_code, item_code, micros"
        best = "min(n) AS n, min(tie) AS tie, count(*) > 1 AS repeated"
        engine.table("groups", f"SELECT {grouped}, {best} FROM encoded GROUP BY {grouped}")
    else:
        first = "PARTITION BY user_code, item_code ORDER BY n >= 0, micros, tie, n"
        ranked = f"SELECT *, row_number() OVER ({first}) AS rank FROM encoded"
        engine.table(
            "groups",
            f"SELECT {columns}, rank > 1 AS repeated FROM ({ranked}) AS ranked",
        )
    stays = "n >= 0" if rule == EXACT else "n >= 0 AND NOT repeated"
    engine.view(
        "events",
        f"SELECT {columns} FROM groups WHERE {stays} UNION ALL SELECT {columns} FROM encoded WHERE n < 0",
    )
    query = "SELECT (SELECT count(*) FROM encoded) - (SELECT count(*) FROM events)"
    dropped = int(engine.rows(query)[0][0])
    if not dropped:
        return 0, []
    again = "groups WHERE n >= 0 AND repeated"
    if rule == EXACT:
        first = "SELECT user_code, item_code, micros, n AS first FROM groups WHERE repeated"
        again = f"encoded JOIN ({first}) AS g USING (user_code, item_code, micros) WHERE n > first AND n >= 0"
    return dropped, list(engine.rows(f"SELECT {engine.firsts('n')} FROM {again}")[0][0] or [])

"""k-core filtering: users and items with fewer than k rows go, until none is left to go."""

from genrec.data.encode import ROLES
from genrec.data.engine import Engine


def count_rows(engine: Engine) -> dict[str, int]:
    """Make `user_counts` and `item_counts` (code, total) of `events`; returns users, items and interactions."""
    for role in ROLES:
        counted = f"SELECT {role}_code AS code, count(*) AS total FROM events GROUP BY {role}_code"
        engine.table(f"{role}_counts", counted)
    tables = {"users": "user_counts", "items": "item_counts", "interactions": "events"}
    return {name: _size(engine, table) for name, table in tables.items()}


def k_core(engine: Engine, k: int) -> int:
    """Make `kept_user` and `kept_item` (code): the largest sets in which each has at least k rows with the other.

    Rows are counted, not distinct pairs. The users and items of a parent dataset always stay. Each round takes the
    rows of those that go off the counts of the others, and so costs what it takes to find these rows.

    Args:
        engine: Holds `events` (user_code, item_code, ...), what `count_rows` makes, `known_user` and `known_item`.
        k: The fewest rows; 0 and 1 keep everything.

    Returns:
        How many rounds it took; the last finds nothing to take away.
    """
    rounds = 0
    gone = k > 1
    while gone:
        rounds += 1
        found = [_take_away(engine, k, *roles) for roles in (ROLES, ROLES[::-1])]
        gone = any(found)
    for role in ROLES:
        engine.view(f"kept_{role}", f"SELECT code FROM {role}_counts")
    return rounds


def _take_away(engine: Engine, k: int, role: str, other: str) -> bool:
    """Take those of one role that have too few rows away, and their rows off the counts of the other role."""
    known = _size(engine, f"known_{role}")
    engine.table(f"gone_{role}", f"SELECT code FROM {role}_counts WHERE total < {int(k)} AND code > {known}")
    if not _size(engine, f"gone_{role}"):
        return False
    engine.table(f"{role}_counts", f"SELECT * FROM {role}_counts ANTI JOIN gone_{role} USING (code)")
    # Whoever is still counted here has lost each of these rows just now, so none is taken off twice.
    engine.table(
        f"{other}_counts",
        f"""
        SELECT code, total - coalesce(lost, 0) AS total FROM {other}_counts LEFT JOIN (
            SELECT {other}_code AS code, count(*) AS lost
            FROM events SEMI JOIN gone_{role} AS g ON g.code = {role}_code GROUP BY {other}_code
        ) AS losses USING (code)
        """,
    )
    return True


def _size(engine: Engine, table: str) -> int:
    return int(engine.rows(f"SELECT count(*) FROM {table}")[0][0])

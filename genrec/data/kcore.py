"""k-core filtering: users and items with fewer than k rows go, until none is left to go."""

from genrec.data.encode import ROLES
from genrec.data.engine import Engine


def k_core(engine: Engine, k: int) -> int:
    """Make `kept_user` and `kept_item` (code): the largest sets in which each has at least k rows with the other.

    Rows are counted, not distinct pairs. The users and items of a parent dataset always stay. Rows are never
    rewritten: each round counts those whose other side is still there.

    Args:
        engine: Holds `events` (user_code, item_code, ...) and the tables of `genrec.data.encode`.
        k: The fewest rows; 0 and 1 keep everything.

    Returns:
        How many rounds it took; the last finds nothing to take away.
    """
    known = dict(zip(ROLES, _sizes(engine, "known_{}"), strict=True))
    sizes = _sizes(engine, "{}_codes")
    rounds = 0
    while True:
        for role, other in (ROLES, ROLES[::-1]):
            # The first round has no set of items yet, and every later set is within the one before.
            joined = f" SEMI JOIN kept_{other} AS o ON o.code = {other}_code" if rounds or role == ROLES[1] else ""
            engine.table(
                f"kept_{role}",
                f"SELECT {role}_code AS code FROM events{joined} GROUP BY {role}_code "
                f"HAVING count(*) >= {int(k)} OR {role}_code <= {known[role]}",
            )
        if k <= 1:
            return 0
        rounds += 1
        now = _sizes(engine, "kept_{}")
        if now == sizes:
            return rounds
        sizes = now


def _sizes(engine: Engine, table: str) -> list[int]:
    """The number of rows of the users' table and of the items'."""
    return [int(engine.rows(f"SELECT count(*) FROM {table.format(role)}")[0][0]) for role in ROLES]

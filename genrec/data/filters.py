"""Rows kept and rows dropped, each under its first failing reason, so that kept + dropped = read."""

from dataclasses import dataclass
from typing import Any, Final

import duckdb

from genrec.data.sql import one, rows

UNPARSEABLE: Final = "unparseable"
DUPLICATE: Final = "duplicate"
K_CORE: Final = "k_core"
REASONS: Final = (
    UNPARSEABLE,
    "missing_user",
    "missing_item",
    "missing_time",
    "below_rating",
    "outside_dates",
    DUPLICATE,
    K_CORE,
)
"""Every reason, in the order in which they are looked at."""


@dataclass(frozen=True)
class RowFilters:
    """What a row must satisfy."""

    min_rating: float | None = None
    since: int | None = None
    """UTC microseconds, inclusive."""
    until: int | None = None
    """UTC microseconds, inclusive."""

    def reason_sql(self, has_time: bool) -> str:
        """SQL: a row's first failing reason, NULL for a row that stays.

        It reads the columns bad, user, item, time, micros, rating.
        """
        rating = "TRY_CAST(rating AS DOUBLE)"
        tests = {UNPARSEABLE: "bad"}
        if has_time:
            tests[UNPARSEABLE] += " OR (time IS NOT NULL AND micros IS NULL)"
        if self.min_rating is not None:
            tests[UNPARSEABLE] += f" OR (rating IS NOT NULL AND coalesce(NOT isfinite({rating}), true))"
        tests["missing_user"] = "user IS NULL OR trim(user) = ''"
        tests["missing_item"] = "item IS NULL OR trim(item) = ''"
        if has_time:
            tests["missing_time"] = "time IS NULL"
        if self.min_rating is not None:
            tests["below_rating"] = f"rating IS NULL OR {rating} < {self.min_rating!r}"
        outside = [f"micros < {self.since}"] if self.since is not None else []
        outside += [f"micros > {self.until}"] if self.until is not None else []
        if outside:
            tests["outside_dates"] = " OR ".join(outside)
        return "CASE " + " ".join(f"WHEN {test} THEN '{reason}'" for reason, test in tests.items()) + " END"


def judge(
    connection: duckdb.DuckDBPyConnection, filters: RowFilters, micros: str, has_time: bool
) -> tuple[dict[str, int], int | None]:
    """Make the view `judged` of the view `raw`: its columns and micros, reason.

    Returns:
        Dropped rows by reason, and the number `n` of the first unparseable one.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE VIEW judged AS SELECT *, {filters.reason_sql(has_time)} AS reason
        FROM (SELECT *, {micros if has_time else "CAST(NULL AS BIGINT)"} AS micros FROM raw)
        """
    )
    found: list[tuple[Any, ...]] = rows(
        connection, "SELECT reason, count(*), min(n) FROM judged WHERE reason IS NOT NULL GROUP BY reason"
    )
    dropped = dict.fromkeys(REASONS, 0) | {reason: count for reason, count, _ in found}
    return dropped, next((first for reason, _, first in found if reason == UNPARSEABLE), None)


def encode(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `user_codes` and `item_codes` (code, id) and `events` (n, user, item, micros) of the rows that stay.

    From here on, rows are integers.
    """
    for role in ("user", "item"):
        connection.execute(
            f"""
            CREATE OR REPLACE TABLE {role}_codes AS
            SELECT CAST(row_number() OVER () AS INTEGER) AS code, id
            FROM (SELECT DISTINCT "{role}" AS id FROM judged WHERE reason IS NULL)
            """
        )
    connection.execute(
        """
        CREATE OR REPLACE TABLE events AS
        SELECT n, u.code AS user, i.code AS item, micros
        FROM judged JOIN user_codes u ON u.id = judged.user JOIN item_codes i ON i.id = judged.item
        WHERE reason IS NULL
        """
    )


def drop_duplicates(connection: duckdb.DuckDBPyConnection) -> int:
    """Delete from `events` all but the first row of each user, item and time; returns how many."""
    before = one(connection, "SELECT count(*) FROM events")
    connection.execute(
        """
        DELETE FROM events USING (
            SELECT user, item, micros, min(n) AS first FROM events GROUP BY ALL HAVING count(*) > 1
        ) AS repeated
        WHERE events.user = repeated.user AND events.item = repeated.item
          AND events.micros = repeated.micros AND events.n > repeated.first
        """
    )
    return int(before - one(connection, "SELECT count(*) FROM events"))

"""Rows kept and rows dropped, each under its first failing reason, so that kept + dropped = read."""

from dataclasses import dataclass
from typing import Final

from genrec.data.engine import Engine

UNPARSEABLE: Final = "unparseable"
OUTSIDE_DATES: Final = "outside_dates"
DUPLICATE: Final = "duplicate"
K_CORE: Final = "k_core"
BAD: Final = (UNPARSEABLE, "missing_user", "missing_item", "missing_time")
"""Reasons that say that a row itself is bad; the others are choices of the caller."""
REASONS: Final = (*BAD, "below_rating", OUTSIDE_DATES, DUPLICATE, K_CORE)
"""Every reason, in the order in which they are looked at."""

Firsts = dict[str, list[int]]
"""The numbers `n` of the first rows dropped for each reason."""


@dataclass(frozen=True)
class RowFilters:
    """What a row must satisfy."""

    min_rating: float | None = None
    since: int | None = None
    """UTC microseconds, inclusive."""
    until: int | None = None
    """UTC microseconds, inclusive."""

    def reason_sql(self, engine: Engine, has_time: bool, has_position: bool) -> str:
        """SQL: a row's first failing reason, NULL for a row that stays.

        It reads the columns bad, user_id, item_id, time, micros, rating, and position where there is one.
        """
        rating = engine.finite("rating")
        broken = ["bad"]
        if has_time:
            broken.append("(time IS NOT NULL AND micros IS NULL)")
        if has_position:
            broken.append("position IS NULL")
        if self.min_rating is not None:
            broken.append(f"(rating IS NOT NULL AND {rating} IS NULL)")
        tests = {UNPARSEABLE: " OR ".join(broken)}
        tests["missing_user"] = "user_id IS NULL OR trim(user_id) = ''"
        tests["missing_item"] = "item_id IS NULL OR trim(item_id) = ''"
        if has_time:
            tests["missing_time"] = "time IS NULL"
        if self.min_rating is not None:
            tests["below_rating"] = f"rating IS NULL OR {rating} < {self.min_rating!r}"
        outside = [f"micros < {self.since}"] if self.since is not None else []
        outside += [f"micros > {self.until}"] if self.until is not None else []
        if outside:
            tests[OUTSIDE_DATES] = " OR ".join(outside)
        return "CASE " + " ".join(f"WHEN {test} THEN '{reason}'" for reason, test in tests.items()) + " END"


def judge(
    engine: Engine, filters: RowFilters, micros: str | None, has_position: bool
) -> tuple[dict[str, int], Firsts]:
    """Make the view `judged` of the view `raw`: its columns and micros, reason.

    Args:
        engine: Holds `raw` (n, bad, user_id, item_id, time, rating, position).
        filters: What a row must satisfy.
        micros: SQL of the time in UTC microseconds; None where the log has no times.
        has_position: Whether the log has a column that numbers its rows.

    Returns:
        Dropped rows by reason, every reason named, and where the first of them are.
    """
    reason = filters.reason_sql(engine, micros is not None, has_position)
    timed = f"SELECT *, {micros or 'CAST(NULL AS BIGINT)'} AS micros FROM raw"
    engine.view("judged", f"SELECT *, {reason} AS reason FROM ({timed}) AS timed")
    found = engine.rows(
        f"SELECT reason, count(*), {engine.firsts('n')} FROM judged WHERE reason IS NOT NULL GROUP BY reason"
    )
    dropped = dict.fromkeys(REASONS, 0) | {reason: int(count) for reason, count, _ in found}
    nowhere: Firsts = {reason: [] for reason in REASONS}
    return dropped, nowhere | {reason: list(firsts) for reason, _, firsts in found}

"""One call of `prepare`: the filters asked for, and where every row went."""

from dataclasses import dataclass, field
from typing import Any

import duckdb

from genrec.data.filters import DUPLICATE, K_CORE, UNPARSEABLE, RowFilters, drop_duplicates, encode, judge
from genrec.data.kcore import k_core
from genrec.data.log import Log, unparseable_warnings
from genrec.data.sql import rows
from genrec.data.times import micros_sql, parse_bound
from genrec.errors import GenRecError
from genrec.progress import Task


@dataclass
class Job:
    """One call of `prepare`: what was asked, and what is known so far."""

    filters: RowFilters
    asked: dict[str, Any]
    """The filters as the caller wrote them, for dataset.json."""
    min_count: int
    read: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    before: dict[str, int] = field(default_factory=dict)
    """Users, items and interactions before k-core filtering."""
    rounds: int = 0
    times: str | None = None
    """What the time column was taken for; None without one."""
    warnings: list[str] = field(default_factory=list)
    """For the user and for dataset.json."""


def new_job(min_count: int, min_rating: float | None, since: object, until: object) -> Job:
    """Check the filters.

    Raises:
        GenRecError: A bound is no date, or the bounds leave no time.
    """
    if min_count < 0:
        raise GenRecError(f"min_count {min_count} is negative; 0 or 1 keeps everything, 5 is usual")
    first, last = parse_bound(since, "--since"), parse_bound(until, "--until")
    if first is not None and last is not None and first > last:
        raise GenRecError(f"--since {since} is later than --until {until}; exchange them")
    dates = {"since": None if since is None else str(since), "until": None if until is None else str(until)}
    asked = {"min_count": min_count, "min_rating": min_rating, **dates}
    return Job(RowFilters(min_rating, first, last), asked, min_count)


def filter_rows(connection: duckdb.DuckDBPyConnection, log: Log, job: Job, task: Task) -> None:
    """Leave in `events` the rows that pass every filter, and account for the others."""
    job.read = log.read
    has_time = log.mapping.time is not None
    is_sequences = log.format == "sequences"
    _check_wanted(log, job.filters, is_sequences)
    micros = "NULL"
    if has_time:
        micros, job.times = micros_sql(connection, "raw")
    elif not is_sequences:
        job.warnings.append(
            "there is no time column, so the order of the rows counts; name one with --time-col if there is one"
        )
    task.advance(stage="rows")
    job.dropped, first = judge(connection, job.filters, micros, has_time)
    used_rating = job.filters.min_rating is not None
    job.warnings += unparseable_warnings(connection, log, job.dropped[UNPARSEABLE], first, used_rating)
    job.dropped[UNPARSEABLE] += log.lost
    encode(connection)
    if has_time:
        job.dropped[DUPLICATE] = drop_duplicates(connection)
    task.advance(stage="k-core")
    job.before = _counts(connection)
    job.rounds = k_core(connection, "events", job.min_count)
    job.dropped[K_CORE] = job.before["interactions"] - _counts(connection)["interactions"]
    if job.dropped[K_CORE] == job.before["interactions"]:
        raise _nothing_left(job)


def _check_wanted(log: Log, filters: RowFilters, is_sequences: bool) -> None:
    """Refuse filters on columns that the log does not have."""
    columns = ", ".join(map(repr, log.parts[0].reader.columns))
    if log.mapping.time is None and (filters.since is not None or filters.until is not None):
        reason = (
            "the sequences format has no dates" if is_sequences else f"there is no time column among {columns}"
        )
        hint = "leave them out" if is_sequences else "name it with --time-col"
        raise GenRecError(f"--since and --until cannot be applied: {reason}; {hint}")
    if log.mapping.rating is None and filters.min_rating is not None:
        raise GenRecError(f"--min-rating: there is no rating column among {columns}; name it with --rating-col")


def _counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    query = "SELECT count(DISTINCT user), count(DISTINCT item), count(*) FROM events"
    return dict(zip(("users", "items", "interactions"), map(int, rows(connection, query)[0]), strict=True))


def _nothing_left(job: Job) -> GenRecError:
    """The error for a log of which no row passes."""
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in job.dropped.items() if count)
    worst = max(job.dropped, key=lambda reason: job.dropped[reason])
    before = job.before
    passed = f"{before['users']:,} users, {before['items']:,} items and {before['interactions']:,} interactions"
    hints = {
        K_CORE: f"lower --min-count (now {job.min_count}) or give more data",
        UNPARSEABLE: "check --time-col, --rating-col and --format",
        "below_rating": "lower --min-rating or check --rating-col",
        "outside_dates": "widen --since and --until",
    }
    first = f" ({job.warnings[-1]})" if worst == UNPARSEABLE and job.warnings else ""
    return GenRecError(
        f"nothing is left: of {job.read:,} rows read, {passed} remained before k-core filtering and 0 after it; "
        f"dropped: {dropped}{first}; {hints.get(worst, 'check --user-col, --item-col and --time-col')}"
    )

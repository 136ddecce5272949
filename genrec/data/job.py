"""One call of `prepare`: what is known of the log, and where every row went."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from genrec.data.columns import Mapping
from genrec.data.duplicates import drop_duplicates
from genrec.data.encode import encode
from genrec.data.engine import Engine
from genrec.data.examples import Example, listed
from genrec.data.extend import Parent, check_times
from genrec.data.filters import BAD, DUPLICATE, K_CORE, Firsts, judge
from genrec.data.kcore import count_rows, k_core
from genrec.data.order import Ties
from genrec.data.rules import Rules, check_columns, order_of_ties
from genrec.errors import GenRecError
from genrec.progress import Task


@dataclass
class Job:
    """What is known so far."""

    rules: Rules
    parent: Parent | None
    name: str
    """What the dataset is called."""
    format: str
    mapping: Mapping
    read: int
    """Rows in the source."""
    times: str | None = None
    """What the time column was taken for; None without one."""
    ties: Ties = field(default_factory=Ties)
    dropped: dict[str, int] = field(default_factory=dict)
    firsts: Firsts = field(default_factory=dict)
    """The numbers of the first rows dropped for each reason."""
    examples: list[Example] = field(default_factory=list)
    """These rows."""
    before: dict[str, int] = field(default_factory=dict)
    """Users, items and interactions before k-core filtering, a parent's among them."""
    kept: int = 0
    """New rows that stay."""
    rounds: int = 0
    warnings: list[str] = field(default_factory=list)
    """For the user and for dataset.json."""

    @property
    def has_time(self) -> bool:
        """Whether rows have times."""
        return self.mapping.time is not None

    def describe(self) -> dict[str, Any]:
        """For dataset.json."""
        return {
            "name": self.name,
            "format": self.format,
            "columns": self.mapping.as_dict(),
            "filters": self.rules.asked,
            "times": self.times,
            "read": self.read,
            "kept": self.kept,
            "dropped": self.dropped,
            "examples": [example.as_dict() for example in self.examples],
            "before_k_core": self.before,
            "rounds": self.rounds,
            "parent": self.parent.describe() if self.parent else None,
            "warnings": self.warnings,
        }


def make_job(
    rules: Rules,
    parent: Parent | None,
    name: str,
    format: str,
    mapping: Mapping,
    columns: Sequence[str],
    read: int,
) -> Job:
    """Begin a job, once a log's columns are known.

    Args:
        rules: What the caller asks for.
        parent: The dataset that is extended.
        name: What a dataset of the log alone is called.
        format: What the log is.
        mapping: Its columns that have a meaning.
        columns: All of them.
        read: The number of its rows.

    Raises:
        GenRecError: A rule cannot be applied to these columns.
    """
    check_columns(rules, mapping, columns, format)
    job = Job(rules, parent, str((parent and parent.info.get("name")) or name), format, mapping, read)
    job.ties = order_of_ties(rules, mapping, format)
    if parent:
        check_times(parent, job.has_time)
    return job


def judge_rows(engine: Engine, job: Job, micros: str | None) -> None:
    """Make `judged`: which rows of `raw` stay, before any is compared with others."""
    job.dropped, job.firsts = judge(engine, job.rules.filters, micros, job.mapping.order is not None)


def refuse_bad_rows(job: Job) -> None:
    """With --strict, a bad row is an error.

    Raises:
        GenRecError: There is one.
    """
    bad = {reason: job.dropped[reason] for reason in BAD if job.dropped[reason]}
    if not job.rules.strict or not bad:
        return
    shown = {reason: listed(job.examples, reason) for reason in bad}
    told = "; ".join(
        f"{count:,} {reason}" + (f" ({shown[reason]})" if shown[reason] else "") for reason, count in bad.items()
    )
    count = sum(bad.values())
    rows = "1 row is" if count == 1 else f"{count:,} rows are"
    raise GenRecError(f"--strict: {rows} bad: {told}; mend them, or leave --strict out")


def filter_rows(engine: Engine, job: Job, task: Task) -> None:
    """Make `events`, `kept_user` and `kept_item` of `judged`, and account for the other rows.

    Raises:
        GenRecError: No row is left.
    """
    encode(engine, job.ties)
    job.dropped[DUPLICATE], job.firsts[DUPLICATE] = drop_duplicates(engine, job.rules.dedupe, job.has_time)
    task.advance(stage="k-core")
    job.before = count_rows(engine)
    job.rounds = k_core(engine, job.rules.min_count)
    job.kept, job.dropped[K_CORE], job.firsts[K_CORE] = _stay(engine)
    if not job.kept and not job.parent:
        raise _nothing_left(job)


def _stay(engine: Engine) -> tuple[int, int, list[int]]:
    """How many new rows stay, how many do not, and the numbers of the first of these."""
    kept, dropped, firsts = engine.rows(
        f"""
        SELECT count(*) FILTER (WHERE stays), count(*) FILTER (WHERE NOT stays),
               {engine.firsts("n")} FILTER (WHERE NOT stays)
        FROM (SELECT n, u.code IS NOT NULL AND i.code IS NOT NULL AS stays FROM events
              LEFT JOIN kept_user AS u ON u.code = user_code LEFT JOIN kept_item AS i ON i.code = item_code
              WHERE n >= 0) AS new
        """
    )[0]
    return int(kept), int(dropped), list(firsts or [])


def _nothing_left(job: Job) -> GenRecError:
    """The error for a log of which no row passes."""
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in job.dropped.items() if count)
    worst = max(job.dropped, key=lambda reason: job.dropped[reason])
    before = job.before
    passed = f"{before['users']:,} users, {before['items']:,} items and {before['interactions']:,} interactions"
    hints = {
        K_CORE: f"lower --min-count (now {job.rules.min_count}) or give more data",
        "unparseable": "check --time-col, --rating-col and --format",
        "below_rating": "lower --min-rating or check --rating-col",
        "outside_dates": "widen --since and --until",
    }
    example = listed(job.examples, worst)
    shown = f" ({example})" if example else ""
    return GenRecError(
        f"nothing is left: of {job.read:,} rows read, {passed} remained before k-core filtering and 0 after it; "
        f"dropped: {dropped}{shown}; {hints.get(worst, 'check --user-col, --item-col and --time-col')}"
    )

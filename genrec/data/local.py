"""`prepare` on this machine: files of any format into the scratch database, and its rows through every step."""

from collections.abc import Sequence
from pathlib import Path

from genrec.data.engine import DuckDBEngine
from genrec.data.examples import find_examples
from genrec.data.extend import Parent, check_times
from genrec.data.filters import DUPLICATE, K_CORE, UNPARSEABLE
from genrec.data.inputs import Inputs
from genrec.data.job import Job, filter_rows, judge_rows, refuse_bad_rows
from genrec.data.log import Log, load_log
from genrec.data.rules import Rules, check_columns, order_of_ties
from genrec.data.sources import Source
from genrec.data.times import micros_sql
from genrec.progress import Task

_NO_TIME = "there is no time column, so the order of the rows counts; name one with --time-col if there is one"


def read_log(
    engine: DuckDBEngine,
    sources: Sequence[Source],
    inputs: Inputs,
    wanted: dict[str, str | None],
    rules: Rules,
    parent: Parent | None,
) -> tuple[Log, Job]:
    """Read the files; make the view `raw`.

    Raises:
        GenRecError: A file is damaged, lacks a column, or a rule cannot be applied to it.
    """
    log = load_log(engine.connection, sources, inputs.header, wanted, inputs.format)
    check_columns(rules, log.mapping, log.parts[0].reader.columns, log.format)
    name = str(parent.info.get("name") or inputs.name) if parent else inputs.name
    job = Job(rules, parent, name, log.format, log.mapping, log.read)
    job.ties = order_of_ties(rules, log.mapping, log.format)
    if parent:
        check_times(parent, job.has_time)
    return log, job


def filter_log(engine: DuckDBEngine, log: Log, job: Job, task: Task) -> None:
    """Leave in `events` the rows that pass every filter, and account for the others.

    Raises:
        GenRecError: No row is left, or with --strict a row is bad.
    """
    micros = None
    if job.has_time:
        micros, job.times = micros_sql(engine.connection, "raw")
    elif log.format != "sequences" and not log.mapping.order:
        job.warnings.append(_NO_TIME)
    task.advance(stage="rows")
    judge_rows(engine, job, micros)
    used_rating = job.rules.filters.min_rating is not None
    job.examples = find_examples(engine.connection, log, job.firsts, used_rating)
    job.dropped[UNPARSEABLE] += log.lost
    refuse_bad_rows(job)
    if count := job.dropped[UNPARSEABLE]:
        first = next(example for example in job.examples if example.reason == UNPARSEABLE)
        job.warnings.append(f"unparseable and dropped: {count:,} row{'s' * (count > 1)}; the first is {first}")
    filter_rows(engine, job, task)
    later = {reason: job.firsts[reason] for reason in (DUPLICATE, K_CORE)}
    job.examples += find_examples(engine.connection, log, later, used_rating)


def describe_sources(sources: Sequence[Source], inputs: Inputs, metadata: Source | None) -> dict[str, object]:
    """For dataset.json: the files that were read."""
    return {
        "database": inputs.database,
        "sources": [source.describe() for source in sources],
        "items_file": metadata.describe() if metadata else None,
    }


def metadata_path(inputs: Inputs, items: str | Path | None) -> Path | None:
    """The file of item metadata: the caller's, or the one that belongs to the log."""
    return Path(items) if items else inputs.items

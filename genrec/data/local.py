"""`prepare` on this machine: files of any format into the scratch database, and its rows through every step."""

from collections.abc import Sequence
from pathlib import Path

from genrec.data.build import number_roles, sequences_sql
from genrec.data.engine import DuckDBEngine
from genrec.data.examples import find_examples
from genrec.data.extend import Parent
from genrec.data.filters import DUPLICATE, K_CORE, UNPARSEABLE
from genrec.data.inputs import Inputs
from genrec.data.job import Job, filter_rows, judge_rows, make_job, refuse_bad_rows
from genrec.data.log import Log, load_log
from genrec.data.rules import Rules
from genrec.data.sources import Source, open_sources
from genrec.data.times import micros_sql
from genrec.progress import Task

_NO_TIME = "there is no time column, so the order of the rows counts; name one with --time-col if there is one"


class LocalSteps:
    """The steps in the scratch database; see `genrec.data.steps.Steps`."""

    def __init__(self, engine: DuckDBEngine, inputs: Inputs, work: Path) -> None:
        self._engine = engine
        self._inputs = inputs
        self._log: Log
        self.sources: Sequence[Source] = open_sources(inputs.paths, inputs.format, work)

    def read(self, wanted: dict[str, str | None], rules: Rules, parent: Parent | None) -> Job:
        """Read the files; make the view `raw`.

        Raises:
            GenRecError: A file is damaged, lacks a column, or a rule cannot be applied to it.
        """
        inputs = self._inputs
        log = load_log(self._engine.connection, self.sources, inputs.header, wanted, inputs.format)
        self._log = log
        columns = log.parts[0].reader.columns
        return make_job(rules, parent, inputs.name, log.format, log.mapping, columns, log.read)

    def filter(self, job: Job, task: Task) -> None:
        """Leave in `events` the rows that pass every filter, and account for the others.

        Raises:
            GenRecError: No row is left, or with --strict a row is bad.
        """
        engine, log = self._engine, self._log
        micros = None
        if job.has_time:
            micros, job.times = micros_sql(engine, "raw")
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

    def number(self, job: Job) -> str:
        """Make `user_index` and `item_index`; SQL: every kept row in order."""
        number_roles(self._engine)
        return sequences_sql(job.ties)


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

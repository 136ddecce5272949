"""`prepare` with Spark: Parquet files, whose rows go through the same steps as in `local` but have no numbers."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from genrec.data.build import number_roles, sequences_sql
from genrec.data.encode import ROLES
from genrec.data.engine import DuckDBEngine
from genrec.data.extend import EVENTS, Parent
from genrec.data.filters import UNPARSEABLE
from genrec.data.inputs import Inputs
from genrec.data.job import Job, filter_rows, judge_rows, make_job, refuse_bad_rows
from genrec.data.log import map_sources, merged, no_rows
from genrec.data.order import INPUT
from genrec.data.readers import ParquetReader
from genrec.data.rules import Rules
from genrec.data.sources import Source, open_sources
from genrec.data.spark import SparkEngine
from genrec.data.spark_columns import file_columns, make_raw
from genrec.data.spark_session import spark_engine
from genrec.data.sql import literal, one, path_literal
from genrec.data.textfile import check_file
from genrec.data.times import micros_sql
from genrec.errors import GenRecError
from genrec.progress import Task


class SparkSteps:
    """The steps in Spark, which `read` starts; see `genrec.data.steps.Steps`."""

    def __init__(self, scratch: DuckDBEngine, inputs: Inputs, work: Path, memory: int, stack: ExitStack) -> None:
        for path in inputs.paths:
            _check_parquet(path)
        self._scratch = scratch
        self._inputs = inputs
        self._work = work
        self._memory = memory
        self._stack = stack
        self._engine: SparkEngine
        self.sources: Sequence[Source] = open_sources(inputs.paths, inputs.format, work)

    def read(self, wanted: dict[str, str | None], rules: Rules, parent: Parent | None) -> Job:
        """Find the columns in the files; start Spark and make the view `raw`.

        Raises:
            GenRecError: A file is damaged, lacks a column, has one of a type that Spark does not read, or a rule
                cannot be applied; or rows have no order, or Spark does not start.
        """
        connection, paths = self._scratch.connection, [source.plain for source in self.sources]
        readers = [ParquetReader(source, connection) for source in self.sources]
        format, mappings = map_sources(readers, self._inputs.format, wanted)
        columns = list(map(file_columns, readers, mappings))
        count = one(connection, f"SELECT sum(num_rows) FROM parquet_file_metadata({_listed(paths)})")
        if not count:
            raise no_rows(self.sources)
        whole = merged(mappings)
        mapping = replace(whole, title=None, attributes=None)
        job = make_job(rules, parent, self._inputs.name, format, mapping, readers[0].columns, int(count))
        _check_order(job)
        if ignored := [column for column in (whole.title, whole.attributes) if column]:
            listed = " and ".join(map(repr, ignored))
            job.warnings.append(f"--engine spark keeps nothing of {listed}; describe the items with --items FILE")
        size = sum(path.stat().st_size for path in paths)
        self._engine = self._stack.enter_context(spark_engine(self._work, self._memory, size))
        make_raw(self._engine, list(zip(columns, paths, strict=True)))
        self._load_known()
        return job

    def _load_known(self) -> None:
        """Bring the parent's tables from the scratch database."""
        ids = {"code": "INTEGER", "id": "STRING"}
        for name, columns in (("known_user", ids), ("known_item", ids), ("known_events", EVENTS)):
            file = self._work / f"{name}.parquet"
            self._scratch.connection.execute(f"COPY {name} TO {literal(str(file))} (FORMAT parquet)")
            self._engine.parquet(name, [file], ", ".join(" ".join(column) for column in columns.items()))

    def filter(self, job: Job, task: Task) -> None:
        """Leave in `events` the rows that pass every filter, and account for the others.

        Raises:
            GenRecError: No row is left, with --strict a row is bad, or Spark did not see every row.
        """
        micros = None
        if job.has_time:
            micros, job.times = micros_sql(self._engine, "raw")
        task.advance(stage="rows")
        judge_rows(self._engine, job, micros)
        refuse_bad_rows(job)
        if count := job.dropped[UNPARSEABLE]:
            job.warnings.append(f"unparseable and dropped: {count:,} row{'s' * (count > 1)}")
        filter_rows(self._engine, job, task)
        if (seen := job.kept + sum(job.dropped.values())) != job.read:
            raise GenRecError(f"Spark saw {seen:,} rows of {job.read:,}; did a file change meanwhile? Try again")

    def number(self, job: Job) -> str:
        """Make `user_index` and `item_index` in the scratch database; SQL: every kept row in order."""
        number_roles(self._engine)
        for role in ROLES:
            self._scratch.view(f"{role}_index", self._stored(f"{role}_index"))
        self._engine.table("sequences", sequences_sql(job.ties))
        return self._stored("sequences")

    def _stored(self, name: str) -> str:
        """SQL for the scratch database: a table that Spark stored."""
        return f"SELECT * FROM read_parquet({_listed(self._engine.files(name))}, hive_partitioning = false)"


def _check_parquet(path: Path) -> None:
    """Refuse what Spark would not read, without reading it through.

    Raises:
        GenRecError: It is missing, no Parquet file, or has a name that Spark passes over.
    """
    check_file(path)
    if path.name.startswith(("_", ".")):
        raise GenRecError(f"{path}: Spark passes over files whose names begin with _ or a dot; rename it")
    with path.open("rb") as file:
        if file.read(4) != b"PAR1":
            raise GenRecError(
                f"{path} is no Parquet file, and --engine spark reads nothing else; use --engine duckdb, or "
                f"convert it: duckdb -c \"COPY (FROM '{path.name}') TO '{path.stem}.parquet'\""
            )


def _check_order(job: Job) -> None:
    """Refuse rows whose order only their place in a file tells.

    Raises:
        GenRecError: There is no column for it, and no rule.
    """
    if job.ties.rule != INPUT or job.ties.column:
        return
    if job.has_time:
        rules = "name a column with --order-col, or give --ties item or --ties shuffle"
        raise GenRecError(f"rows have no order in Spark: {rules}")
    raise GenRecError(
        "rows have no order in Spark, and there is no time column: name one with --time-col, or a column of whole "
        "numbers with --order-col"
    )


def _listed(paths: Sequence[Path]) -> str:
    """SQL for the scratch database: paths as a list."""
    return f"[{', '.join(map(path_literal, paths))}]"

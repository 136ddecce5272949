"""The steps of `prepare` that differ between engines: DuckDB on this machine (`local`), or Spark (`spark_log`)."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Protocol

from genrec.data.engine import DuckDBEngine
from genrec.data.extend import Parent
from genrec.data.inputs import Inputs
from genrec.data.job import Job
from genrec.data.local import LocalSteps
from genrec.data.rules import Rules
from genrec.data.sources import Source
from genrec.data.spark_log import SparkSteps
from genrec.data.spark_session import check_spark
from genrec.errors import GenRecError
from genrec.progress import Task

SPARK: Final = "spark"
ENGINES: Final = ("duckdb", SPARK)


class Steps(Protocol):
    """From files to numbered rows, one call after the other."""

    sources: Sequence[Source]

    def read(self, wanted: dict[str, str | None], rules: Rules, parent: Parent | None) -> Job:
        """Find the log's columns, and make its rows the view `raw`."""

    def filter(self, job: Job, task: Task) -> None:
        """Leave the rows that pass every filter, and account for the others."""

    def number(self, job: Job) -> str:
        """Make `user_index` and `item_index` in the scratch database.

        Returns:
            SQL for the scratch database: every kept row as (user, item, micros), in order.
        """


def check_engine(engine: str) -> None:
    """Refuse an engine that cannot be used here.

    Raises:
        GenRecError: It is unknown, or something that it needs is missing.
    """
    if engine not in ENGINES:
        raise GenRecError(f"engine {engine!r} is unknown; choose one of: {', '.join(ENGINES)}")
    if engine == SPARK:
        check_spark()


@contextmanager
def open_steps(engine: str, scratch: DuckDBEngine, inputs: Inputs, work: Path, memory: int) -> Iterator[Steps]:
    """Check the inputs and make them ready for an engine, whose processes end with this block.

    Args:
        engine: One of ENGINES.
        scratch: The scratch database, which holds the parent's tables (see `genrec.data.extend.load_known`).
        inputs: The files.
        work: A folder.
        memory: Bytes.

    Raises:
        GenRecError: A file is missing, damaged or of a format that the engine does not read.
    """
    if engine == SPARK:
        with ExitStack() as stack:
            yield SparkSteps(scratch, inputs, work, memory, stack)
    else:
        yield LocalSteps(scratch, inputs, work)

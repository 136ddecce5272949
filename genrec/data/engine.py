"""Where the steps of `prepare` run: DuckDB on this machine, or Spark (`genrec.data.spark`).

The steps (`filters`, `encode`, `duplicates`, `kcore`, `order`) are SQL that both understand: results are stored
under names, nothing depends on the order in which rows lie, and what differs between the dialects is asked of the
engine here.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import duckdb
import pyarrow as pa


class Engine(Protocol):
    """Runs SQL and keeps results under names."""

    def table(self, name: str, query: str) -> None:
        """Store a query's rows, in place of what had the name."""

    def view(self, name: str, query: str) -> None:
        """Give a query a name."""

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """All rows of a small result."""

    def finite(self, text: str) -> str:
        """SQL: a text as a finite number, NULL otherwise."""

    def hashed(self, text: str) -> str:
        """SQL: the first 60 bits of a text's MD5."""

    def firsts(self, number: str) -> str:
        """SQL: the three smallest row numbers of a group; an empty list where rows have no numbers."""


@dataclass(frozen=True)
class DuckDBEngine:
    """The scratch database (see `genrec.data.sql.scratch_database`)."""

    connection: duckdb.DuckDBPyConnection

    def table(self, name: str, query: str) -> None:
        """Store a query's rows."""
        self.connection.execute(f"CREATE OR REPLACE TABLE {name} AS {query}")

    def view(self, name: str, query: str) -> None:
        """Give a query a name."""
        self.connection.execute(f"CREATE OR REPLACE VIEW {name} AS {query}")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """All rows of a small result."""
        return self.connection.execute(query).fetchall()

    def batches(self, query: str, size: int = 1 << 17) -> pa.RecordBatchReader:
        """A query's rows as they come; begun when this is called."""
        # A connection streams one result at a time, and closes it when the next query begins.
        return self.connection.cursor().sql(query).to_arrow_reader(size)

    def finite(self, text: str) -> str:
        """SQL: a text as a finite number, NULL otherwise."""
        number = f"TRY_CAST({text} AS DOUBLE)"
        return f"CASE WHEN isfinite({number}) THEN {number} END"

    def hashed(self, text: str) -> str:
        """SQL: the first 60 bits of a text's MD5."""
        return f"CAST('0x' || left(md5({text}), 15) AS BIGINT)"

    def firsts(self, number: str) -> str:
        """SQL: the three smallest row numbers of a group."""
        return f"min({number}, 3)"

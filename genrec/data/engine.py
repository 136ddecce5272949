"""Where the steps of `prepare` run: DuckDB on this machine, or Spark (`genrec.data.spark`).

The steps (`filters`, `encode`, `duplicates`, `kcore`, `order`) are SQL that both understand: results are stored
under names, nothing depends on the order in which rows lie, and what differs between the dialects is asked of the
engine here.
"""

from dataclasses import dataclass
from typing import Any, Final, Protocol

import duckdb
import pyarrow as pa

TIMESTAMP: Final = "timestamp"
TEXT: Final = "text"
NUMBER: Final = "number"


class Engine(Protocol):
    """Runs SQL and keeps results under names."""

    def table(self, name: str, query: str) -> None:
        """Store a query's rows, in place of what had the name."""

    def view(self, name: str, query: str) -> None:
        """Give a query a name."""

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """All rows of a small result."""

    def kind(self, table: str, column: str) -> str:
        """What a column holds: TIMESTAMP, TEXT or NUMBER."""

    def number(self, value: str) -> str:
        """SQL: a text or a number as a DOUBLE, NULL otherwise."""

    def finite(self, text: str) -> str:
        """SQL: a text as a finite number, NULL otherwise."""

    def whole(self, value: str) -> str:
        """SQL: a text or a number that is whole as a BIGINT, NULL beyond its range."""

    def quotient(self, number: str, by: int) -> str:
        """SQL: a BIGINT divided, without the remainder."""

    def day(self, text: str) -> str:
        """SQL: a text like 20190131 as a timestamp, NULL where there is no such day."""

    def moment(self, text: str) -> str:
        """SQL: a text in ISO 8601 as a timestamp, UTC where it names no zone; NULL otherwise."""

    def micros(self, timestamp: str) -> str:
        """SQL: a timestamp as BIGINT UTC microseconds."""

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

    def kind(self, table: str, column: str) -> str:
        """What a column holds: TIMESTAMP, TEXT or NUMBER."""
        found = dict(row[:2] for row in self.rows(f"DESCRIBE {table}"))[column]
        return TIMESTAMP if found.startswith("TIMESTAMP") else TEXT if found == "VARCHAR" else NUMBER

    def number(self, value: str) -> str:
        """SQL: a text or a number as a DOUBLE."""
        return f"TRY_CAST({value} AS DOUBLE)"

    def finite(self, text: str) -> str:
        """SQL: a text as a finite number, NULL otherwise."""
        number = self.number(text)
        return f"CASE WHEN isfinite({number}) THEN {number} END"

    def whole(self, value: str) -> str:
        """SQL: a text or a number that is whole as a BIGINT."""
        return f"TRY_CAST({value} AS BIGINT)"

    def quotient(self, number: str, by: int) -> str:
        """SQL: a BIGINT divided, without the remainder."""
        return f"{number} // {by}"

    def day(self, text: str) -> str:
        """SQL: a text like 20190131 as a timestamp."""
        return f"try_strptime({text}, '%Y%m%d')"

    def moment(self, text: str) -> str:
        """SQL: a text in ISO 8601 as a timestamp; the session's time zone is UTC."""
        # DuckDB would also take words, "epoch" say, for a time.
        return f"CASE WHEN left({text}, 1) BETWEEN '0' AND '9' THEN TRY_CAST({text} AS TIMESTAMPTZ) END"

    def micros(self, timestamp: str) -> str:
        """SQL: a timestamp as BIGINT UTC microseconds."""
        return f"CASE WHEN isfinite({timestamp}) THEN epoch_us({timestamp}) END"

    def hashed(self, text: str) -> str:
        """SQL: the first 60 bits of a text's MD5."""
        return f"CAST('0x' || left(md5({text}), 15) AS BIGINT)"

    def firsts(self, number: str) -> str:
        """SQL: the three smallest row numbers of a group."""
        return f"min({number}, 3)"

"""DuckDB, SQLite and PostgreSQL, read only: a query's rows go to a Parquet file, batch by batch."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from genrec.data.sql import bound_memory, first_line, literal, name, rows
from genrec.errors import GenRecError
from genrec.progress import Task

_SQLITE_BATCH: Final = 1 << 16
_SQLITE_TABLES: Final = (
    "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name"
)
_TABLES: Final = (
    "SELECT CASE WHEN table_schema IN ('main', 'public') THEN '' ELSE table_schema || '.' END || table_name "
    "FROM information_schema.tables WHERE table_schema NOT IN ('information_schema', 'pg_catalog') ORDER BY 1"
)


class Connector(Protocol):
    """An open database."""

    def tables(self) -> list[str]:
        """The tables and views in it, with their schema where it is not the usual one."""

    def copy(self, query: str, target: Path, task: Task) -> None:
        """Write a query's rows to a Parquet file, in the query's order."""


class DuckDBConnector:
    """A DuckDB file."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, memory: int) -> None:
        self._connection = connection
        self._memory = memory

    def tables(self) -> list[str]:
        """The tables and views in it."""
        return [row[0] for row in rows(self._connection, _TABLES)]

    def copy(self, query: str, target: Path, task: Task) -> None:
        """Write a query's rows to a Parquet file."""
        bound_memory(self._connection, target.parent / "spill", self._memory)
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET enable_progress_bar = false")
        self._connection.execute(f"COPY ({query}\n) TO {literal(str(target))} (FORMAT parquet)")


class SQLiteConnector:
    """An SQLite file, through ADBC."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def tables(self) -> list[str]:
        """The tables and views in it."""
        return _column(self._connection, _SQLITE_TABLES)

    def copy(self, query: str, target: Path, task: Task) -> None:
        """Write a query's rows to a Parquet file, every value as text.

        SQLite's columns hold values of any type, and a batch of another type than the first would be an error.
        """
        with self._connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM ({query}\n) LIMIT 0")
            names = cursor.fetch_record_batch().schema.names
        columns = ", ".join(f"CAST({name(column)} AS TEXT) AS {name(column)}" for column in names)
        with self._connection.cursor() as cursor:
            cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(_SQLITE_BATCH)})
            cursor.execute(f"SELECT {columns} FROM ({query}\n)")
            _write(cursor.fetch_record_batch(), target, task)


class PostgresConnector:
    """A PostgreSQL database, through ADBC."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")

    def tables(self) -> list[str]:
        """The tables and views in it."""
        return _column(self._connection, _TABLES)

    def copy(self, query: str, target: Path, task: Task) -> None:
        """Write a query's rows to a Parquet file; types that Arrow has no plain type for (uuid, ...) as text."""
        with self._connection.cursor() as cursor:
            schema = cursor.adbc_execute_schema(query)
            if not all(_is_plain(field.type) for field in schema):
                columns = (
                    name(field.name) if _is_plain(field.type) else f"CAST({name(field.name)} AS text)"
                    for field in schema
                )
                named = (f"{column} AS {name(key)}" for column, key in zip(columns, schema.names, strict=True))
                query = f"SELECT {', '.join(named)} FROM ({query}\n) AS asked"
            cursor.execute(query)
            _write(cursor.fetch_record_batch(), target, task)


@contextmanager
def connect(kind: str, address: str, label: str, memory: int) -> Iterator[Connector]:
    """Open a database for reading.

    Args:
        kind: duckdb, sqlite or postgresql.
        address: The file's path, or the URL of the server's database.
        label: What to call it in messages; without a password.
        memory: How many bytes a query may take before it goes to disk, where that is ours to say (DuckDB).

    Raises:
        GenRecError: The driver is not installed, or the database refuses.
    """
    if kind == "duckdb":
        try:
            with duckdb.connect(address, read_only=True) as connection:
                yield DuckDBConnector(connection, memory)
        except duckdb.Error as error:
            raise GenRecError(f"{label}: {first_line(error)}") from error
        return
    driver = _driver(kind)
    uri = f"file:{quote(address)}?mode=ro" if kind == "sqlite" else address
    try:
        with driver.connect(uri) as connection:
            yield SQLiteConnector(connection) if kind == "sqlite" else PostgresConnector(connection)
    except (driver.Error, pa.ArrowException, OSError) as error:
        raise GenRecError(f"{label}: {first_line(error)}") from error


def _driver(kind: str) -> Any:
    try:
        return import_module(f"adbc_driver_{kind}.dbapi")
    except ImportError as error:
        raise GenRecError(
            f"{kind}:// needs the driver adbc-driver-{kind}, which is not installed; pip install 'genrec[sql]'"
        ) from error


def _column(connection: Any, query: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [row[0] for row in cursor.fetchall()]


def _is_plain(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind):
        return bool(pa.types.is_string(kind.value_type))
    checks = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_string)
    return any(check(kind) for check in (*checks, pa.types.is_timestamp, pa.types.is_date))


def _write(batches: pa.RecordBatchReader, target: Path, task: Task) -> None:
    """Write record batches as they come; one is in memory at a time."""
    with pq.ParquetWriter(target, batches.schema) as writer:
        for batch in batches:
            try:
                batch.validate(full=True)
            except pa.ArrowInvalid as error:
                raise GenRecError(
                    f"a column of the query holds bytes that are no UTF-8 text ({first_line(error)}); "
                    "convert it in --query, hex(column) say"
                ) from error
            writer.write_batch(batch)
            task.advance(batch.num_rows)

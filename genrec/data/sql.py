"""Small helpers for SQL text, and the DuckDB connection that prepares a dataset."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from genrec.errors import GenRecError


@contextmanager
def scratch_database(folder: Path, memory: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB database in a file of `folder`, which spills there too, beyond `memory` bytes.

    Raises:
        GenRecError: DuckDB failed in a way that the readers did not foresee.
    """
    connection = duckdb.connect(str(folder / "scratch.duckdb"))
    try:
        bound_memory(connection, folder / "spill", memory)
        connection.execute("SET TimeZone = 'UTC'")
        # Input order decides between equal timestamps, so no operator may shuffle rows on their way into a table.
        connection.execute("SET preserve_insertion_order = true")
        connection.execute("SET enable_progress_bar = false")
        yield connection
    except (RuntimeError, duckdb.InterruptException) as error:
        # DuckDB turns Ctrl-C in a running query into a bare RuntimeError.
        if "interrupted" in str(error).lower():
            raise KeyboardInterrupt from error
        raise
    except duckdb.Error as error:
        raise GenRecError(f"the data could not be read or sorted: {first_line(error)}") from error
    finally:
        connection.close()


def bound_memory(connection: duckdb.DuckDBPyConnection, spill: Path, memory: int) -> None:
    """Let a connection use at most `memory` bytes, and a folder for what does not fit."""
    connection.execute(f"SET temp_directory = {literal(str(spill))}")
    connection.execute(f"SET memory_limit = '{memory}B'")


def literal(text: str) -> str:
    """A string as an SQL literal.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def parquet(path: Path, *options: str) -> str:
    """SQL: a Parquet file as a relation; `options` as DuckDB writes them."""
    # DuckDB takes parts of a path such as "user_id=7" for columns, unless told not to.
    return f"read_parquet({', '.join([path_literal(path), 'hive_partitioning = false', *options])})"


def path_literal(path: Path) -> str:
    """A file's path as an SQL literal that is no pattern, whatever the path.

    >>> path_literal(Path("logs/a[1].csv"))
    "'logs/a[[]1].csv'"

    Raises:
        GenRecError: The path is no text.
    """
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise GenRecError(f"{ascii(text)[1:-1]} is not named in UTF-8; rename it") from error
    return literal(re.sub(r"([\[*?])", r"[\1]", text))


def name(column: str) -> str:
    """A column's name as an SQL identifier.

    >>> name('a "b"')
    '"a ""b\"""'
    """
    return '"' + column.replace('"', '""') + '"'


def one(connection: duckdb.DuckDBPyConnection, query: str, *parameters: Any) -> Any:
    """The only value of a query's only row."""
    return rows(connection, query, *parameters)[0][0]


def rows(connection: duckdb.DuckDBPyConnection, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """All rows of a small result."""
    return connection.execute(query, list(parameters)).fetchall()


def first_line(error: Exception) -> str:
    """What a DuckDB error says, without its hints."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__

"""Readers: a source file as a DuckDB relation, with its columns, its malformed rows and its lost lines.

Each format has one reader class; all share the shape of `Reader`, and `load` writes the mapped columns to a table.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import duckdb

from genrec.data.columns import Mapping
from genrec.data.sources import Source
from genrec.data.sql import name, parquet, rows
from genrec.errors import GenRecError

LIST_TYPE = re.compile(r"(\[\]|\[\d+\])$")
"""DuckDB's list and array types: VARCHAR[], INTEGER[3]."""


_ROW_NUMBER = "file_row_number"
TEXTS = 3
"""How many of the lost lines are kept to be shown."""


@dataclass(frozen=True)
class Lost:
    """Lines that the format's own rules leave unreadable, so that they are in no relation."""

    count: int = 0
    lines: tuple[int, ...] = ()
    """Where they stand in the file, from 1, ascending; the first thousand."""
    texts: tuple[str, ...] = ()
    """What stands in the first of them."""
    exact: bool = True
    """Whether `lines` tells where all of them stand."""


class Reader(Protocol):
    """One source file."""

    source: Source
    columns: list[str]
    malformed: str
    """SQL: whether a row is broken as a whole."""

    @property
    def relation(self) -> str:
        """SQL: what stands after FROM; one row per row of the file, in the file's order."""

    @property
    def breaks(self) -> str:
        """SQL: how many further lines that are not blank a row's values span."""

    def value(self, column: str) -> str:
        """SQL: a column's value, typed where the format has types."""

    def kind(self, column: str) -> str:
        """The DuckDB type of `value`."""

    def load(self, connection: duckdb.DuckDBPyConnection, table: str, select: str, keys: Sequence[str]) -> Lost:
        """Create `table`: `SELECT {select} FROM {relation}` and `source_row`, the rows' numbers from 0.

        Args:
            connection: The scratch database.
            table: The name.
            select: The columns.
            keys: Those of them that no line but their own should be in.

        Raises:
            GenRecError: The file is damaged as a whole.
        """

    def place_of(self, row: int, lost: Lost) -> tuple[int, int | None]:
        """Where row `row` (from 1) of the relation stands in the file.

        Returns:
            Its number among the file's rows, malformed ones included, and its line; the line is None where it is
            not known, and then malformed rows before it may be missing from the row's number.
        """


@dataclass
class ParquetReader:
    """A Parquet file."""

    source: Source
    connection: duckdb.DuckDBPyConnection
    columns: list[str] = field(init=False)
    kinds: dict[str, str] = field(init=False)
    malformed: str = "false"
    breaks: str = "0"
    relation: str = field(init=False)

    def __post_init__(self) -> None:
        self.relation = parquet(self.source.plain)
        try:
            described = rows(self.connection, f"DESCRIBE SELECT * FROM {self.relation}")
        except duckdb.Error as error:
            raise GenRecError(
                f"{self.source.path} is no Parquet file, or a damaged one; write it again"
            ) from error
        self.kinds = {row[0]: row[1] for row in described}
        self.columns = list(self.kinds)

    def value(self, column: str) -> str:
        """SQL: a column's value, typed."""
        return name(column)

    def kind(self, column: str) -> str:
        """The DuckDB type of `value`."""
        return self.kinds[column]

    def place_of(self, row: int, lost: Lost) -> tuple[int, int | None]:
        """Parquet has no lines."""
        return row, None

    def load(self, connection: duckdb.DuckDBPyConnection, table: str, select: str, keys: Sequence[str]) -> Lost:
        """Create a view on the file, which is as quick to read as a copy of it would be."""
        if _ROW_NUMBER in map(str.lower, self.columns):  # DuckDB cannot add its own
            create_table(connection, table, select, self.relation)
            return Lost()
        numbered = parquet(self.source.plain, f"{_ROW_NUMBER} = true")
        try:
            connection.execute(
                f"CREATE OR REPLACE VIEW {table} AS SELECT {_ROW_NUMBER} AS source_row, {select} FROM {numbered}"
            )
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            raise GenRecError(f"{self.source.path} is a damaged Parquet file; write it again") from error
        return Lost()


def create_table(connection: duckdb.DuckDBPyConnection, table: str, select: str, relation: str) -> None:
    """Create `table_rows` from a relation, and the view `table` of it with the number of each row."""
    stored = name(f"{table}_rows")
    connection.execute(f"CREATE OR REPLACE TABLE {stored} AS SELECT {select} FROM {relation}")
    # A table's rowid is its insertion order, which is the file's: a number column would only cost memory.
    connection.execute(f"CREATE OR REPLACE VIEW {table} AS SELECT rowid AS source_row, * FROM {stored}")


def mapped_columns(reader: Reader, mapping: Mapping) -> str:
    """SQL: the mapped columns of a log under their common names, to stand after SELECT.

    These are bad, user_id, item_id (text), time (text, a number or a TIMESTAMPTZ), rating, position, title,
    attributes, breaks.
    """
    undecodable = (_undecodable(reader, column) for column in (mapping.user, mapping.item))
    columns = {
        "bad": " OR ".join([reader.malformed, *filter(None, undecodable)]),
        "user_id": _text(reader, mapping.user),
        "item_id": _text(reader, mapping.item),
        "time": time_value(reader, mapping.time),
        "rating": _text(reader, mapping.rating),
        "position": _whole(reader, mapping.order),
        "title": _text(reader, mapping.title),
        "attributes": attribute_list(reader, mapping.attributes),
        "breaks": reader.breaks,
    }
    return ", ".join(f"{expression} AS {name(alias)}" for alias, expression in columns.items())


def _whole(reader: Reader, column: str | None) -> str:
    """SQL: a column of whole numbers."""
    text = f"trim({_text(reader, column)})"
    whole = f"TRY_CAST(split_part({text}, '.', 1) AS BIGINT)"
    return f"CASE WHEN regexp_full_match({text}, '[+-]?[0-9]+([.]0*)?') THEN {whole} END"


def _text(reader: Reader, column: str | None) -> str:
    """SQL: a column as text; bytes as the UTF-8 that they should be, and what is no number as nothing."""
    if column is None:
        return "CAST(NULL AS VARCHAR)"
    value, kind = reader.value(column), reader.kind(column)
    if kind == "BLOB":
        value = f"TRY(decode({value}))"
    elif kind in ("FLOAT", "DOUBLE"):
        value = f"CASE WHEN NOT isnan({value}) THEN {value} END"
    return f"nullif(CAST({value} AS VARCHAR), '')"


def _undecodable(reader: Reader, column: str) -> str | None:
    """SQL: whether a column holds bytes that are no UTF-8."""
    if reader.kind(column) != "BLOB":
        return None
    return f"({reader.value(column)} IS NOT NULL AND TRY(decode({reader.value(column)})) IS NULL)"


def time_value(reader: Reader, column: str | None) -> str:
    """SQL: a time column's value, text or a number or a TIMESTAMPTZ."""
    if column is None:
        return "CAST(NULL AS VARCHAR)"
    kind = reader.kind(column)
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        return f"CAST({reader.value(column)} AS TIMESTAMPTZ)"
    if kind == "VARCHAR" or LIST_TYPE.search(kind) or kind.startswith("STRUCT"):
        return f"nullif(trim(CAST({reader.value(column)} AS VARCHAR)), '')"
    return reader.value(column)


def attribute_list(reader: Reader, column: str | None) -> str:
    """SQL: a column of attributes as a list of text."""
    if column is None:
        return "CAST(NULL AS VARCHAR[])"
    value = reader.value(column)
    if LIST_TYPE.search(reader.kind(column)):
        return f"CAST({value} AS VARCHAR[])"
    text = f"nullif(trim(CAST({value} AS VARCHAR)), '')"
    if column.endswith(":token_seq"):  # RecBole separates by single spaces
        return f"string_split({text}, ' ')"
    as_array = f"TRY_CAST({text} AS JSON)"
    return (
        f"CASE WHEN starts_with({text}, '[') AND json_valid({text}) "
        f"THEN CAST(json_extract_string({as_array}, '$[*]') AS VARCHAR[]) "
        f"ELSE string_split_regex({text}, '\\s*[|;]\\s*|, ') END"
    )

"""Formats of one record a line that DuckDB gets as raw lines: JSON lines and sequences."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from genrec.data.readers import TEXTS, Lost, create_table
from genrec.data.sources import Source
from genrec.data.sql import literal, one, path_literal
from genrec.data.textfile import find_row, head_lines, unreadable_lines
from genrec.errors import GenRecError

_MAX_LINE = 1 << 24
_SAMPLE = 1000
_LISTED = 1000
_NO_DELIMITER = "\x1f\x1e\x1d\x1c"
"""Control characters that no text has in a row: with them as the delimiter a line stays one value."""


def raw_lines(source: Source) -> str:
    """SQL: a relation of the column `line`; blank lines are NULL, those not UTF-8 or too long left out."""
    return (
        f"read_csv({path_literal(source.plain)}, auto_detect = false, hive_partitioning = false, "
        f"header = false, quote = '', escape = '', "
        f"delim = {literal(_NO_DELIMITER)}, columns = {{'line': 'VARCHAR'}}, max_line_size = {_MAX_LINE}, "
        "ignore_errors = true)"
    )


@dataclass
class JsonLinesReader:
    """A file of one JSON object a line."""

    source: Source
    columns: list[str] = field(init=False)
    malformed: str = "object IS NULL"
    breaks: str = "0"

    def __post_init__(self) -> None:
        lines = head_lines(self.source.plain, _SAMPLE)
        objects = [entry for entry in map(_object, lines) if entry is not None]
        if not objects:
            start = lines[0][:60] if lines else ""
            if start.startswith("["):
                array = "is a JSON array; write one object a line (jq -c '.[]' does)"
                raise GenRecError(f"{self.source.path} {array}")
            raise GenRecError(
                f"{self.source.path} has no JSON object a line, it begins with {start!r}; set --format"
            )
        self.columns = list(dict.fromkeys(key for entry in objects for key in entry))

    @property
    def relation(self) -> str:
        """SQL: what stands after FROM: the column `object`, NULL where a line is no JSON object."""
        # Nested, because SQL may evaluate both sides of AND, and json_type fails on what is no JSON.
        valid = "CASE WHEN json_valid(line) THEN CASE WHEN json_type(line) = 'OBJECT' THEN line END END"
        return f"(SELECT {valid} AS object FROM {raw_lines(self.source)} WHERE trim(line) <> '')"

    def value(self, column: str) -> str:
        """SQL: a field's text."""
        pointer = "/" + column.replace("~", "~0").replace("/", "~1")
        return f"json_extract_string(object, {literal(pointer)})"

    def kind(self, column: str) -> str:
        """The DuckDB type of `value`."""
        return "VARCHAR"

    def load(self, connection: duckdb.DuckDBPyConnection, table: str, select: str, keys: Sequence[str]) -> Lost:
        """Create `table` from the relation."""
        create_table(connection, table, select, self.relation)
        return _lost(self.source, one(connection, f"SELECT count(*) FROM {table}"))

    def place_of(self, row: int, lost: Lost) -> tuple[int, int | None]:
        """The row's number in the file and its line, None where that is not known."""
        return find_row(self.source.plain, row, lost.lines) if lost.exact else (row, None)


@dataclass
class SequencesReader:
    """A file of `user item item ...` lines, oldest first."""

    source: Source
    columns: list[str] = field(default_factory=lambda: ["user", "item"])
    malformed: str = "false"
    breaks: str = "0"

    @property
    def relation(self) -> str:
        """SQL: what stands after FROM: one row per item of a line."""
        words = f"SELECT string_split_regex(trim(line, {literal(' ' + chr(9))}), '[ \\t]+') AS words"
        lines = f"{words} FROM {raw_lines(self.source)} WHERE trim(line) <> ''"
        items = "CASE WHEN len(words) > 1 THEN words[2:] ELSE [NULL] END"
        return f"(SELECT words[1] AS user, unnest({items}) AS item FROM ({lines}))"

    def value(self, column: str) -> str:
        """SQL: the user's or the item's text."""
        return f'"{column}"'

    def kind(self, column: str) -> str:
        """The DuckDB type of `value`."""
        return "VARCHAR"

    def load(self, connection: duckdb.DuckDBPyConnection, table: str, select: str, keys: Sequence[str]) -> Lost:
        """Create `table` from the relation; a line that cannot be read counts once."""
        create_table(connection, table, select, self.relation)
        read = one(connection, f"SELECT count(*) FROM {raw_lines(self.source)} WHERE trim(line) <> ''")
        return _lost(self.source, read)

    def place_of(self, row: int, lost: Lost) -> tuple[int, int | None]:
        """A row is an item here, so a row's number is not a line's."""
        return row, None


def _lost(source: Source, read: int) -> Lost:
    """The lines that are not among the `read` ones, because they are no UTF-8 or too long."""
    count = max(source.lines.count - read, 0)
    if not count:
        return Lost()
    found = unreadable_lines(source.plain, _MAX_LINE, _LISTED)
    texts = tuple(line[:200].decode("utf-8", errors="replace").strip() for _, line in found[:TEXTS])
    return Lost(count, tuple(number for number, _ in found), texts, len(found) == count)


def _object(line: str) -> dict[str, object] | None:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None

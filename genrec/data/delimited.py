"""CSV and TSV: the dialect is found here, DuckDB reads, and every line that it gives up is counted.

DuckDB leaves malformed lines out without a trace in its result. So rows are held against the lines of the file:
what is neither header nor blank nor in a row is lost, whatever the reason.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from genrec.data.readers import TEXTS, Lost, create_table
from genrec.data.sources import Source
from genrec.data.sql import first_line, literal, path_literal, rows
from genrec.data.textfile import find_row, head_lines, scan_lines
from genrec.errors import GenRecError

_DELIMITERS = (",", ";", "\t", "|")
_MOVIELENS_DELIMITER = "::"
_MAX_LINE = 1 << 24
_REJECTS_KEPT = 1000


@dataclass
class DelimitedReader:
    """A CSV or TSV file, with a header line unless `names` are given."""

    source: Source
    columns: list[str] = field(init=False)
    malformed: str = "false"
    names: tuple[str, ...] = ()
    """The columns' names, where the file has no header."""

    def __post_init__(self) -> None:
        self.header = not self.names
        self.plain, self.lines = self.source.plain, self.source.lines
        first = head_lines(self.plain, 1)[0]
        self.delimiter = "\t" if self.source.format == "tsv" else _delimiter(first)
        raw = self.source.raw_quotes or self.delimiter == _MOVIELENS_DELIMITER or not self.lines.quoted
        self.quote = "" if raw else '"'
        self.columns = list(self.names) or _header(self.source, first, self.delimiter, self.quote)

    @property
    def relation(self) -> str:
        """SQL: what stands after FROM."""
        names = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(self.columns)))
        quote = literal(self.quote)
        return (
            f"read_csv({path_literal(self.plain)}, auto_detect = false, hive_partitioning = false, "
            f"header = {str(self.header).lower()}, "
            f"skip = {self.lines.leading_blank}, delim = {literal(self.delimiter)}, quote = {quote}, "
            f"escape = {quote}, columns = {{{names}}}, max_line_size = {_MAX_LINE}, store_rejects = true, "
            f"rejects_limit = {_REJECTS_KEPT}, rejects_table = 'lost_lines', rejects_scan = 'lost_scans')"
        )

    @property
    def breaks(self) -> str:
        """SQL: how many further lines that are not blank a row's values span."""
        if not self.quote:
            return "0"
        # The x stands for the rest of the value's last line, which at least closes the quote.
        spans = (
            f"CASE WHEN contains(c{n}, chr(10)) "
            f"THEN len(regexp_extract_all(c{n} || 'x', '\\n\\r?[^\\r\\n]')) ELSE 0 END"
            for n in range(len(self.columns))
        )
        return " + ".join(f"coalesce({span}, 0)" for span in spans)

    def value(self, column: str) -> str:
        """SQL: a column's text."""
        return f"c{self.columns.index(column)}"

    def kind(self, column: str) -> str:
        """The DuckDB type of `value`."""
        return "VARCHAR"

    def load(self, connection: duckdb.DuckDBPyConnection, table: str, select: str, keys: Sequence[str]) -> Lost:
        """Create `table` from the relation and count what DuckDB leaves out; `select` includes `breaks`.

        A quote that is opened and never closed swallows good lines after it, delimiters and all. Then, unless
        other values span lines too, the lines with such quotes are taken out and the rest is read again.
        """
        lost = self._load(connection, table, select)
        if not self.quote:
            return lost
        mark = literal(self.delimiter)
        swallows = " OR ".join(
            f"coalesce(contains({key}, chr(10)) AND contains({key}, {mark}), false)" for key in keys
        )
        query = (
            f"SELECT count(*) FILTER ({swallows}), count(*) FILTER (breaks > 0 AND NOT ({swallows})) FROM {table}"
        )
        swallowed, multiline = rows(connection, query)[0]
        if multiline or not (lost.count or swallowed):
            return lost
        self.plain, broken = _without_open_quotes(
            self.plain, self.source.work / f"{table}.cleaned", self.delimiter
        )
        self.lines = scan_lines(self.plain)
        return _merged(broken, self._load(connection, table, select))

    def place_of(self, row: int, lost: Lost) -> tuple[int, int | None]:
        """The row's number in the file and its line, None where that is not known."""
        if not lost.exact:
            return row, None
        filled, line = find_row(self.source.plain, row + self.header, lost.lines)
        return filled - self.header, line

    def _load(self, connection: duckdb.DuckDBPyConnection, table: str, select: str) -> Lost:
        connection.execute("DROP TABLE IF EXISTS lost_lines; DROP TABLE IF EXISTS lost_scans")
        try:
            create_table(connection, table, select, self.relation)
        except duckdb.InvalidInputException as error:
            raise GenRecError(
                f"{self.source.path} cannot be read as {self.source.format}: {first_line(error)}"
            ) from error
        found, breaks = rows(connection, f"SELECT count(*), coalesce(sum(breaks), 0) FROM {table}")[0]
        count = max(self.lines.count - self.header - found - int(breaks), 0)
        # DuckDB also reports lines of spaces; like other blank lines they are no rows.
        query = (
            "SELECT line, min(csv_line) FROM lost_lines WHERE trim(csv_line, ' \r\n') <> '' GROUP BY 1 ORDER BY 1"
        )
        listed = rows(connection, query)
        texts = tuple(text.strip() for _, text in listed[:TEXTS])
        exact = count == len(listed) and not breaks
        return Lost(count, tuple(int(line) for line, _ in listed), texts, exact)


def _delimiter(header: str) -> str:
    """The delimiter that cuts a CSV file's first line into the most names."""
    if header.count(_MOVIELENS_DELIMITER) > 1:
        return _MOVIELENS_DELIMITER
    return max(_DELIMITERS, key=lambda mark: len(next(csv.reader([header], delimiter=mark))))


def _header(source: Source, line: str, delimiter: str, quote: str) -> list[str]:
    """The columns' names, made unique."""
    if quote:
        try:
            names = next(csv.reader([line], delimiter=delimiter, strict=True))
        except csv.Error as error:
            raise GenRecError(
                f"{source.path}: the header line has a broken quote: {line[:80]!r}; mend it"
            ) from error
    else:
        names = line.split(delimiter)
    unique: list[str] = []
    for number, column in enumerate(names, 1):
        label = column.strip() or f"column{number}"
        unique.append(label if label not in unique else f"{label}_{number}")
    return unique


def _without_open_quotes(path: Path, target: Path, delimiter: str) -> tuple[Path, Lost]:
    """Copy a file without the lines that open a quote and do not close it."""
    broken: list[int] = []
    texts: list[str] = []
    with path.open("rb") as file, target.open("wb") as copy:
        for number, line in enumerate(file, 1):
            # Only an odd number of quotes can leave one open, so only few lines are parsed here.
            if line.count(b'"') % 2 and not _parses(line, delimiter):
                broken.append(number)
                if len(texts) < TEXTS:
                    texts.append(line.decode("utf-8", errors="replace").strip())
            else:
                copy.write(line)
    exact = len(broken) <= _REJECTS_KEPT
    return target, Lost(len(broken), tuple(broken[:_REJECTS_KEPT]), tuple(texts), exact)


def _merged(removed: Lost, lost: Lost) -> Lost:
    """Lines taken out of a file, and lines then lost from what remained, whose numbers they had shifted."""
    lines = []
    shift = 0
    for line in lost.lines:
        while shift < len(removed.lines) and removed.lines[shift] <= line + shift:
            shift += 1
        lines.append(line + shift)
    texts = {**dict(zip(removed.lines, removed.texts, strict=False)), **dict(zip(lines, lost.texts, strict=False))}
    every = tuple(sorted((*removed.lines, *lines)))
    first = tuple(texts[line] for line in every[:TEXTS] if line in texts)
    return Lost(removed.count + lost.count, every, first, removed.exact and lost.exact)


def _parses(line: bytes, delimiter: str) -> bool:
    try:
        next(csv.reader([line.decode("utf-8", errors="replace").rstrip("\r\n")], delimiter=delimiter, strict=True))
    except csv.Error:
        return False
    return True

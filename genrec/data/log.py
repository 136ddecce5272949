"""The interaction log in the database: every file's rows under common names, in input order."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import duckdb

from genrec.data.columns import Mapping
from genrec.data.delimited import DelimitedReader
from genrec.data.lines import JsonLinesReader, SequencesReader
from genrec.data.readers import Lost, ParquetReader, Reader, mapped_columns
from genrec.data.reviews import map_log, ratings_header
from genrec.data.sources import Source
from genrec.data.sql import one, rows
from genrec.errors import GenRecError


@dataclass(frozen=True)
class Part:
    """One file of the log, read."""

    reader: Reader
    first: int
    """The number `n` of its first row in the view `raw`."""
    rows: int
    lost: Lost


@dataclass(frozen=True)
class Log:
    """The whole log, in the view `raw` (n and the columns of `genrec.data.readers.mapped_columns`)."""

    parts: list[Part]
    mapping: Mapping
    format: str
    """What it is: csv, tsv, parquet, jsonl, sequences, amazon or yelp."""

    @property
    def read(self) -> int:
        """Rows in the files, lost lines included."""
        return sum(part.rows + part.lost.count for part in self.parts)

    @property
    def lost(self) -> int:
        """Lines that the formats' own rules leave unreadable."""
        return sum(part.lost.count for part in self.parts)


def load_log(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    header: tuple[str, ...],
    wanted: dict[str, str | None],
    format: str = "auto",
) -> Log:
    """Read files into the database.

    Args:
        connection: The scratch database.
        sources: The files, in the order that decides between equal times.
        header: The columns' names where the files have no header line.
        wanted: The columns that the caller names: user, item, time, rating, order; None is guessed.
        format: What the caller takes the log for.

    Raises:
        GenRecError: A file is damaged, has no rows, or lacks a column.
    """
    readers = [make_reader(connection, source, header) for source in sources]
    kind, mappings = map_sources(readers, format, wanted)
    parts: list[Part] = []
    for number, (reader, mapping) in enumerate(zip(readers, mappings, strict=True)):
        columns = mapped_columns(reader, mapping)
        lost = reader.load(connection, f"raw_{number}", columns, ("user_id", "item_id", "time"))
        count = int(one(connection, f"SELECT count(*) FROM raw_{number}"))
        parts.append(Part(reader, sum(part.rows for part in parts), count, lost))
    log = Log(parts, merged(mappings), kind)
    if not log.read:
        raise no_rows(sources)
    # Files whose times are of several types only have their texts in common.
    texts = "* EXCLUDE (source_row) REPLACE (CAST(time AS VARCHAR) AS time)"
    columns = texts if len(_time_types(connection, len(parts))) > 1 else "* EXCLUDE (source_row)"
    selects = (
        f"SELECT source_row + {part.first} AS n, {columns} FROM raw_{number}" for number, part in enumerate(parts)
    )
    connection.execute(f"CREATE OR REPLACE VIEW raw AS {' UNION ALL BY NAME '.join(selects)}")
    return log


def map_sources(
    readers: Sequence[Reader], format: str, wanted: dict[str, str | None]
) -> tuple[str, list[Mapping]]:
    """What a log is, and the columns of each of its files.

    Raises:
        GenRecError: A file lacks a column, or only some have a time.
    """
    found = [map_log(reader.columns, reader.source, format, wanted) for reader in readers]
    first = readers[0].source
    for reader, (_, mapping) in zip(readers, found, strict=True):
        if (mapping.time is None) != (found[0][1].time is None):
            both = f"{first.name} and {reader.source.name}"
            raise GenRecError(f"{both}: only one has a time column; set --time-col to one that both have")
    return found[-1][0], [mapping for _, mapping in found]


def merged(mappings: Sequence[Mapping]) -> Mapping:
    """The columns of a log by their names in the first of its files that has them."""
    whole = {role: column for mapping in reversed(mappings) for role, column in asdict(mapping).items() if column}
    return Mapping(**whole)


def _time_types(connection: duckdb.DuckDBPyConnection, files: int) -> set[str]:
    """The types of the files' times."""
    query = "SELECT typeof(time) FROM (SELECT time FROM raw_{} LIMIT 1) AS first"
    return {row[0] for number in range(files) for row in rows(connection, query.format(number))}


def no_rows(sources: Sequence[Source]) -> GenRecError:
    """The error for a log without rows."""
    names = ", ".join(source.name for source in sources)
    return GenRecError(f"{names}: no rows; nothing to prepare")


def make_reader(connection: duckdb.DuckDBPyConnection, source: Source, header: tuple[str, ...]) -> Reader:
    """The reader of a source's format."""
    if source.format == "parquet":
        return ParquetReader(source, connection)
    if source.format == "jsonl":
        return JsonLinesReader(source)
    if source.format == "sequences":
        return SequencesReader(source)
    return DelimitedReader(source, names=header or ratings_header(source))

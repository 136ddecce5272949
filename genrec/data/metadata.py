"""What is known of items besides their IDs: titles, attributes and any other column, from the log or a file."""

import json
from pathlib import Path

import duckdb
import pyarrow as pa

from genrec.data.columns import Mapping, map_items, plain_name
from genrec.data.delimited import DelimitedReader
from genrec.data.lines import JsonLinesReader
from genrec.data.readers import ParquetReader, Reader, attribute_list
from genrec.data.reviews import metadata_columns
from genrec.data.sources import Source, open_source
from genrec.data.sql import name, one, parquet
from genrec.errors import GenRecError
from genrec.ids import ATTRIBUTES, INDEX, ITEM_ID, TITLE

_RESERVED = (INDEX, ITEM_ID, TITLE, ATTRIBUTES, "item")


def load_metadata(connection: duckdb.DuckDBPyConnection, path: Path, item: str, work: Path) -> Source:
    """Read a file of item metadata into the table `metadata`, whose first column is item_id; one row per item.

    Args:
        connection: The scratch database.
        path: The file.
        item: The log's item column, looked for in the file before any other.
        work: A folder for plain copies.

    Raises:
        GenRecError: The file is missing, damaged, of an unknown format, or has no item column.
    """
    source = open_source(path, "auto", work, "items")
    if source.format == "jsonl" and (content := _attribute_object(source.plain)) is not None:
        connection.register("attribute_object", content)
        connection.execute("CREATE TABLE metadata AS SELECT * FROM attribute_object")
        connection.unregister("attribute_object")
        return source
    reader = metadata_reader(connection, source)
    found = _columns(reader, item)
    columns = ", ".join(f"{value} AS {name(alias)}" for alias, value in found.items())
    reader.load(connection, "all_metadata", f"{columns}, {reader.breaks} AS breaks", [ITEM_ID])
    # Where an item stands twice its first row counts.
    connection.execute(
        f"""
        CREATE TABLE metadata AS
        SELECT * EXCLUDE (source_row, breaks) FROM all_metadata WHERE {ITEM_ID} IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY {ITEM_ID} ORDER BY source_row) = 1
        """
    )
    return source


def metadata_reader(connection: duckdb.DuckDBPyConnection, source: Source) -> Reader:
    """The reader for a file of item metadata.

    Raises:
        GenRecError: The file is of a format that holds no metadata, or is damaged.
    """
    if source.format == "parquet":
        return ParquetReader(source, connection)
    if source.format == "jsonl":
        return JsonLinesReader(source)
    if source.format in ("csv", "tsv"):
        return DelimitedReader(source)
    raise GenRecError(
        f"{source.path} is no item metadata but {source.format}; "
        "give CSV, TSV, Parquet, JSON lines or one JSON object {item: [attributes]}"
    )


def _attribute_object(path: Path) -> pa.Table | None:
    """A JSON object {item: [attribute, ...]} as a table; None where the file is something else."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or not all(isinstance(value, list) for value in content.values()):
        return None
    attributes = [[str(entry) for entry in value] for value in content.values()]
    return pa.table({ITEM_ID: pa.array(list(content)), ATTRIBUTES: pa.array(attributes, pa.list_(pa.string()))})


def _columns(reader: Reader, item: str) -> dict[str, str]:
    """The metadata table's columns: {name: SQL}."""
    columns, used = metadata_columns(reader) or _guessed_columns(reader, item)
    taken = {*_RESERVED, "breaks", "source_row"}
    for column in reader.columns:
        if column not in used:
            label = plain_name(column)
            while label.lower() in taken:
                label += "_2"
            taken.add(label.lower())
            columns[label] = reader.value(column)
    return columns


def _guessed_columns(reader: Reader, item: str) -> tuple[dict[str, str], set[str]]:
    """Item, title and attributes by their usual spellings, as {name: SQL}; and what they are called."""
    mapping = map_items(reader.columns, reader.source.name, item)
    columns = {ITEM_ID: f"nullif(CAST({reader.value(mapping.item)} AS VARCHAR), '')"}
    if mapping.title:
        columns[TITLE] = f"CAST({reader.value(mapping.title)} AS VARCHAR)"
    if mapping.attributes:
        columns[ATTRIBUTES] = attribute_list(reader, mapping.attributes)
    return columns, {mapping.item, mapping.title or "", mapping.attributes or ""}


def items_from_log(connection: duckdb.DuckDBPyConnection, mapping: Mapping) -> list[str]:
    """Make `log_items` (code, title?, attributes?) of the columns that the log itself has for its items.

    A column that differs between an item's rows says something of the interaction (a review's title), not of the
    item, and is left out.

    Returns:
        The columns that were kept.
    """
    kept = {}
    rows = "events JOIN raw USING (n)"
    for column, source in ((TITLE, mapping.title), (ATTRIBUTES, mapping.attributes)):
        if source is None:
            continue
        differing = one(
            connection,
            f"""
            SELECT coalesce(avg(CAST(low <> high AS INTEGER)), 0) FROM (
                SELECT min({column}) AS low, max({column}) AS high FROM {rows}
                WHERE {column} IS NOT NULL GROUP BY item_code HAVING count(*) > 1)
            """,
        )
        if differing < 0.5:
            kept[column] = f"arg_min({column}, n) FILTER ({column} IS NOT NULL) AS {column}"
    listed = "".join(f", {expression}" for expression in kept.values())
    connection.execute(
        f"CREATE TABLE log_items AS SELECT item_code AS code{listed} FROM {rows} GROUP BY 1"
        if kept
        else "CREATE TABLE log_items (code INTEGER)"
    )
    return list(kept)


def items_sql(
    connection: duckdb.DuckDBPyConnection, from_log: list[str], has_file: bool, parent: Path | None
) -> str:
    """SQL: the catalogue in index order, index and item_id first.

    Where several know a column of an item, a parent dataset's word goes before the file's, and that before the
    log's.

    Args:
        connection: Holds `item_index`, `log_items` and, with a file, `metadata`.
        from_log: The columns of `log_items`.
        has_file: Whether there is a `metadata` table.
        parent: The table of items of a dataset that is extended.
    """
    joins = ""
    known: dict[str, dict[str, str]] = {}
    if parent:
        known["parent"] = _described(connection, parquet(parent))
        joins += f" LEFT JOIN {parquet(parent)} AS parent ON parent.{ITEM_ID} = item_index.id"
    if has_file:
        known["metadata"] = _described(connection, "metadata")
        joins += f" LEFT JOIN metadata ON metadata.{ITEM_ID} = item_index.id"
    if from_log:
        known["log_items"] = _described(connection, "(SELECT * EXCLUDE (code) FROM log_items)")
        joins += " LEFT JOIN log_items ON log_items.code = item_index.code"
    columns = [f'item_index.index AS "{INDEX}"', f"item_index.id AS {ITEM_ID}"]
    every = dict.fromkeys([TITLE, ATTRIBUTES, *(column for table in known.values() for column in table)])
    for column in every:
        kinds = {table: kinds[column] for table, kinds in known.items() if column in kinds}
        if kinds:
            kind = next(iter(kinds.values()))
            values = (f"TRY_CAST({table}.{name(column)} AS {kind})" for table in kinds)
            columns.append(f"coalesce({', '.join(values)}) AS {name(column)}")
    return f"SELECT {', '.join(columns)} FROM item_index{joins} ORDER BY item_index.index"


def _described(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """The columns that say something of items, and their types."""
    found = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    return {row[0]: row[1] for row in found if row[0] not in (INDEX, ITEM_ID)}

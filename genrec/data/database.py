"""Databases as sources: duckdb:///shop.db, sqlite:///shop.db, postgresql://user@host/shop; a table or a query."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from genrec.data.connectors import Connector, connect
from genrec.data.sql import name
from genrec.errors import GenRecError
from genrec.progress import Reporter

_KINDS: Final = {"duckdb": "duckdb", "sqlite": "sqlite", "postgresql": "postgresql", "postgres": "postgresql"}
_SHOWN: Final = 20


@dataclass(frozen=True)
class Selection:
    """Which rows of a database are the log."""

    query: str | None = None
    table: str | None = None
    memory: int = 1 << 30
    """Bytes that a query may take before it goes to disk."""


@dataclass(frozen=True)
class Database:
    """What a URL says."""

    kind: str
    address: str
    """The file's path, or the URL without `table`."""
    label: str
    """The URL without a password."""
    name: str
    table: str | None


def is_database(source: str) -> bool:
    """Whether a source is a database's URL.

    >>> is_database("sqlite:///shop.db"), is_database("shop.db")
    (True, False)
    """
    return "://" in source


def copy_rows(source: str, selection: Selection, folder: Path, reporter: Reporter) -> tuple[Path, dict[str, str]]:
    """Write the rows that are the log to a Parquet file in a new `folder`.

    Returns:
        The file, named after the table.
        For dataset.json: the database, without a password, and the query.

    Raises:
        GenRecError: The URL or the selection is unusable, a driver is missing, or the database refuses.
    """
    database = parse_url(source)
    table = selection.table or database.table
    if selection.query and table:
        raise GenRecError(f"--query and the table {table!r} are both given; leave one out")
    folder.mkdir()
    with connect(database.kind, database.address, database.label, selection.memory) as connector:
        if not selection.query:
            table = _table(connector, table, database.label)
        query = (selection.query or f"SELECT * FROM {_identifier(str(table))}").strip().rstrip("; \n")
        target = folder / (table or "query").replace("/", "_")
        with reporter.task(f"Reading {database.label}") as task:
            connector.copy(query, target, task)
    return target, {"url": database.label, "query": query, "name": database.name}


def parse_url(source: str) -> Database:
    """Take a database's URL apart.

    >>> parse_url("postgresql://ann:secret@db/shop?table=events").label
    'postgresql://ann@db/shop'

    Raises:
        GenRecError: The scheme is unknown, or the file does not exist.
    """
    try:
        parts = urlsplit(source)
    except ValueError as error:
        raise GenRecError(f"{source} is no URL: {error}") from error
    kind = _KINDS.get(parts.scheme.split("+")[0])
    if kind is None:
        raise GenRecError(
            f"{parts.scheme}:// is no source; files are, and duckdb:///FILE, sqlite:///FILE and "
            "postgresql://USER@HOST/DATABASE"
        )
    options = dict(parse_qsl(parts.query))
    table = options.pop("table", None)
    if kind == "postgresql":
        account, at, host = parts.netloc.rpartition("@")
        label = urlunsplit((kind, account.partition(":")[0] + at + host, parts.path, "", ""))
        address = urlunsplit((kind, parts.netloc, parts.path, urlencode(options), ""))
        return Database(kind, address, label, parts.path.strip("/") or kind, table)
    # The first slash of a path only ends the place of a host.
    path = _file(kind, unquote(parts.netloc + parts.path if parts.netloc else parts.path.removeprefix("/")))
    return Database(kind, str(path), f"{kind}:///{path}", path.name.partition(".")[0] or path.name, table)


def _file(kind: str, text: str) -> Path:
    """A database's file: relative after three slashes, absolute after four; after three if only that exists."""
    path = Path(text)
    if not path.exists() and Path("/", text).exists():
        path = Path("/", text)
    if not path.is_file():
        raise GenRecError(
            f"{kind}:///{text}: there is no file {path.absolute()}; four slashes begin an absolute path"
        )
    return path


def _table(connector: Connector, wanted: str | None, label: str) -> str:
    """The table that is the log: the wanted one, or the only one."""
    tables = connector.tables()
    if wanted in tables or (wanted and "." in wanted):
        return str(wanted)
    if wanted is None and len(tables) == 1:
        return tables[0]
    more = f" and {len(tables) - _SHOWN} more" if len(tables) > _SHOWN else ""
    listed = ", ".join(tables[:_SHOWN]) + more if tables else "none"
    problem = "no table is named" if wanted is None else f"there is no table {wanted!r}"
    raise GenRecError(f"{label}: {problem}; set --table or --query, the tables are: {listed}")


def _identifier(table: str) -> str:
    """SQL: a table's name, with its schema if it has one."""
    return ".".join(name(part) for part in table.split("."))

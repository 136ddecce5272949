"""The dataset that a new one extends: its users, items and rows, which all stay and keep their indexes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from genrec.data.dataset import contents_checksum
from genrec.data.engine import DuckDBEngine
from genrec.data.sql import parquet
from genrec.errors import GenRecError
from genrec.files import read_json, verify_files
from genrec.folders import DATASET, require_kind
from genrec.ids import (
    DATASET_FILE,
    INDEX,
    ITEM_ID,
    ITEMS,
    ITEMS_FILE,
    SEQUENCES_FILE,
    TABLE_FILES,
    TIMESTAMPS,
    USER,
    USER_ID,
    USERS_FILE,
)

_BEFORE: Final = 1 << 40
"""Rows of the parent are numbered from -_BEFORE on: no sequence is that long."""
EVENTS: Final = {"n": "BIGINT", "user_code": "INTEGER", "item_code": "INTEGER", "micros": "BIGINT"}


@dataclass(frozen=True)
class Parent:
    """A dataset to extend."""

    path: Path
    info: dict[str, Any]
    """What dataset.json says."""
    checksum: str
    has_time: bool

    @property
    def items(self) -> Path:
        """The table of items."""
        return self.path / ITEMS_FILE

    def describe(self) -> dict[str, Any]:
        """For the new dataset.json."""
        counts = {key: self.info[key] for key in ("users", "items", "interactions")}
        return {"name": self.info.get("name"), "checksum": self.checksum, **counts}


def open_parent(path: Path | str) -> Parent:
    """Read what a dataset is, and check that it is whole.

    Raises:
        GenRecError: The folder is missing, no dataset, or damaged.
    """
    path = Path(path)
    require_kind(path, DATASET)
    info = read_json(path / DATASET_FILE)
    files = info.get("files")
    if not isinstance(files, dict) or not set(TABLE_FILES) <= set(files):
        raise GenRecError(f"{path / DATASET_FILE} is damaged: it does not list its tables; prepare it anew")
    verify_files(path, {name: files[name] for name in TABLE_FILES})
    has_time = TIMESTAMPS in pq.read_schema(path / SEQUENCES_FILE).names
    return Parent(path, info, contents_checksum(files), has_time)


def check_times(parent: Parent, has_time: bool) -> None:
    """Refuse to mix rows with times and rows without.

    Raises:
        GenRecError: Only one of the dataset and the log has times.
    """
    if parent.has_time and not has_time:
        raise GenRecError(
            f"{parent.path} has times and the log has none, so they cannot be ordered together; "
            "name the log's time column with --time-col"
        )
    if has_time and not parent.has_time:
        raise GenRecError(
            f"{parent.path} has no times and the log has some, so they cannot be ordered together; "
            "prepare all logs anew with their time column"
        )


def load_known(engine: DuckDBEngine, parent: Parent | None) -> None:
    """Make `known_user`, `known_item` (code, id) and `known_events` (see `EVENTS`); empty without a parent."""
    if parent is None:
        for role in ("user", "item"):
            engine.table(f"known_{role}", "SELECT 0::INTEGER AS code, ''::VARCHAR AS id WHERE false")
        columns = ", ".join(f"NULL::{kind} AS {column}" for column, kind in EVENTS.items())
        engine.table("known_events", f"SELECT {columns} WHERE false")
        return
    for role, file, column in (("user", USERS_FILE, USER_ID), ("item", ITEMS_FILE, ITEM_ID)):
        engine.table(f"known_{role}", f'SELECT "{INDEX}" AS code, {column} AS id FROM {_parquet(parent, file)}')
    micros = f"unnest({TIMESTAMPS})" if parent.has_time else "NULL::BIGINT"
    engine.table(
        "known_events",
        f"""
        SELECT generate_subscripts({ITEMS}, 1) - {_BEFORE} AS n, "{USER}" AS user_code,
               unnest({ITEMS}) AS item_code, {micros} AS micros
        FROM {_parquet(parent, SEQUENCES_FILE)}
        """,
    )


def _parquet(parent: Parent, file: str) -> str:
    return parquet(parent.path / file)

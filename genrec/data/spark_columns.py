"""The columns of Parquet files for Spark: which types it reads, and how they become those of every log."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from genrec.data.columns import Mapping
from genrec.data.readers import ParquetReader
from genrec.data.spark import SparkEngine
from genrec.errors import GenRecError

Columns = tuple[tuple[str, str, str], ...]
"""(role, column, DuckDB's type) of each column that has a meaning."""

_TEXT: Final = {"VARCHAR": "STRING"}
_SIGNED: Final = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
_UNSIGNED: Final = ("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_WHOLE: Final = {
    **dict(zip(_SIGNED, _SIGNED, strict=True)),
    **dict(zip(_UNSIGNED, (*_SIGNED[1:], "DECIMAL(20,0)"), strict=True)),
}
_NUMBERS: Final = {**_WHOLE, "FLOAT": "FLOAT", "DOUBLE": "DOUBLE"}
_DECIMAL: Final = re.compile(r"DECIMAL\(\d+,\d+\)")
_NANOS: Final = dict.fromkeys(("TIMESTAMP_NS", "TIMESTAMPTZ_NS"), "BIGINT")
_MOMENTS: Final = {"DATE": "DATE", "TIMESTAMP": "TIMESTAMP", "TIMESTAMP WITH TIME ZONE": "TIMESTAMP", **_NANOS}
_POSITION: Final = r"\\A[+-]?[0-9]+\\z"
_READ: Final = {
    **dict.fromkeys(("user", "item"), ({**_TEXT, **_WHOLE}, "text or whole numbers")),
    **dict.fromkeys(("rating", "order"), ({**_TEXT, **_NUMBERS}, "numbers or text")),
    "time": ({**_TEXT, **_NUMBERS, **_MOMENTS}, "timestamps, dates, numbers or text"),
}
"""What Spark calls the types of a role's columns, by what DuckDB calls them; and in words."""


def file_columns(reader: ParquetReader, mapping: Mapping) -> Columns:
    """The columns of one file.

    Raises:
        GenRecError: A column's type cannot be read by Spark as DuckDB reads it.
    """
    columns = tuple((role, name, reader.kind(name)) for role in _READ if (name := getattr(mapping, role)))
    for role, name, kind in columns:
        if _spark_type(role, kind) is None:
            raise GenRecError(
                f"{reader.source.name}: column {name!r} is {kind}, and --engine spark reads {_READ[role][1]} "
                f"there; write it as such, or use --engine duckdb"
            )
    return columns


def make_raw(engine: SparkEngine, files: Sequence[tuple[Columns, Path]]) -> None:
    """Make the view `raw` of a log's files; see `genrec.data.filters.judge`.

    Raises:
        GenRecError: Times are written in several ways.
    """
    alike: dict[Columns, list[Path]] = {}
    for columns, path in files:
        alike.setdefault(columns, []).append(path)
    times = {_family(kind): name for columns in alike for role, name, kind in columns if role == "time"}
    if len(times) > 1:
        listed = " and ".join(times)
        raise GenRecError(f"the files' times are {listed}; write them alike, or use --engine duckdb")
    selects = []
    for number, (columns, paths) in enumerate(alike.items()):
        fields = {name: _spark_type(role, kind) for role, name, kind in columns}
        engine.parquet(
            f"part_{number}", paths, ", ".join(f"{_name(name)} {kind}" for name, kind in fields.items())
        )
        selects.append(f"SELECT {_common(columns)} FROM part_{number}")
    engine.view("raw", " UNION ALL ".join(selects))


def _spark_type(role: str, kind: str) -> str | None:
    """What Spark calls a type that DuckDB found; None for one that it does not read as this role."""
    if _DECIMAL.fullmatch(kind) and (role not in ("user", "item") or kind.endswith(",0)")):
        return kind
    return _READ[role][0].get(kind)


def _family(kind: str) -> str:
    return "timestamps" if kind in _MOMENTS else "text" if kind in _TEXT else "numbers"


def _common(columns: Columns) -> str:
    """SQL: a part's columns as those of every log, to stand after SELECT."""
    found = {role: (_name(name), kind) for role, name, kind in columns}
    text = {role: _text(*column) for role, column in found.items()}
    nothing = "CAST(NULL AS STRING)"
    common = {
        "n": "CAST(0 AS BIGINT)",
        "bad": "false",
        "user_id": text["user"],
        "item_id": text["item"],
        "time": _time(*found["time"]) if "time" in found else nothing,
        "rating": text.get("rating", nothing),
        "position": _position(f"trim({text['order']})") if "order" in text else "CAST(NULL AS BIGINT)",
    }
    return ", ".join(f"{value} AS {name}" for name, value in common.items())


def _text(value: str, kind: str) -> str:
    """SQL: a column as text, what is no number as nothing."""
    if kind in ("FLOAT", "DOUBLE"):
        value = f"CASE WHEN NOT isnan({value}) THEN {value} END"
    return f"nullif(CAST({value} AS STRING), '')"


def _time(value: str, kind: str) -> str:
    """SQL: a time as text, a number or a TIMESTAMP."""
    if kind in _TEXT:
        return f"nullif(trim({value}), '')"
    if kind in _NANOS:  # rounded as DuckDB does
        return f"timestamp_micros(({value} + CASE WHEN {value} < 0 THEN -500 ELSE 500 END) DIV 1000)"
    return f"CAST({value} AS TIMESTAMP)" if kind in _MOMENTS else value


def _position(text: str) -> str:
    """SQL: a text of a whole number as a BIGINT."""
    return f"CASE WHEN {text} RLIKE '{_POSITION}' THEN try_cast({text} AS BIGINT) END"


def _name(column: str) -> str:
    """A column's name as an identifier."""
    return "`" + column.replace("`", "``") + "`"

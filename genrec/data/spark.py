"""Spark as an engine: results are Parquet files in a folder that the driver and its executors share."""

import re
import shutil
from pathlib import Path
from typing import Any, Final

from genrec.data.engine import NUMBER, TEXT, TIMESTAMP

_NUMBER: Final = r"\\A[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?\\z"
_ZONE: Final = "Z|[+-][0-9]{2}(:?[0-9]{2})*| [A-Z][A-Za-z_/]+"
_MOMENT: Final = rf"\\A[0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}}([ T][0-9]{{1,2}}:[0-9]{{1,2}}[0-9:.]*({_ZONE})?)?\\z"
"""Spark would also take a text without day or date for a time."""


class SparkEngine:
    """A session of Spark; see `genrec.data.engine.Engine`."""

    def __init__(self, session: Any, folder: Path) -> None:
        self.session = session
        self._folder = folder
        self._stored: dict[str, Path] = {}
        self._count = 0

    def table(self, name: str, query: str) -> None:
        """Store a query's rows."""
        # Always in a new folder: the query may read what has the name now.
        self._count += 1
        folder = self._folder / f"{self._count}"
        frame = self.session.sql(query)
        frame.write.parquet(_location(folder))
        self.parquet(name, [folder], frame.schema)
        if old := self._stored.get(name):
            shutil.rmtree(old, ignore_errors=True)
        self._stored[name] = folder

    def view(self, name: str, query: str) -> None:
        """Give a query a name."""
        self.session.sql(query).createOrReplaceTempView(name)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """All rows of a small result."""
        return [tuple(row) for row in self.session.sql(query).collect()]

    def parquet(self, name: str, paths: list[Path], schema: Any) -> None:
        """Give Parquet files or folders a name; `schema` are the columns to read, as Spark or its DDL has them."""
        self.session.read.schema(schema).parquet(*(_pattern(path) for path in paths)).createOrReplaceTempView(name)

    def files(self, name: str) -> list[Path]:
        """The files of a stored table, in its rows' order."""
        return sorted(self._stored[name].glob("*.parquet"))

    def kind(self, table: str, column: str) -> str:
        """What a column holds: TIMESTAMP, TEXT or NUMBER."""
        found = self.session.table(table).schema[column].dataType.typeName()
        return {"timestamp": TIMESTAMP, "string": TEXT}.get(found, NUMBER)

    def number(self, value: str) -> str:
        """SQL: a text or a number as a DOUBLE."""
        return f"CASE WHEN {value} RLIKE '{_NUMBER}' THEN try_cast({value} AS DOUBLE) END"

    def finite(self, text: str) -> str:
        """SQL: a text as a finite number."""
        number = self.number(text)
        return f"CASE WHEN abs({number}) < double('Infinity') THEN {number} END"

    def whole(self, value: str) -> str:
        """SQL: a text or a number that is whole as a BIGINT."""
        # A text is only read as a BIGINT if it has neither point nor exponent.
        return f"coalesce(try_cast({value} AS BIGINT), try_cast(try_cast({value} AS DECIMAL(38, 9)) AS BIGINT))"

    def quotient(self, number: str, by: int) -> str:
        """SQL: a BIGINT divided, without the remainder."""
        return f"{number} DIV {by}"

    def day(self, text: str) -> str:
        """SQL: a text like 20190131 as a timestamp."""
        return f"try_to_timestamp({text}, 'yyyyMMdd')"

    def moment(self, text: str) -> str:
        """SQL: a text in ISO 8601 as a timestamp; the session's time zone is UTC."""
        return f"CASE WHEN {text} RLIKE '{_MOMENT}' THEN try_cast({text} AS TIMESTAMP) END"

    def micros(self, timestamp: str) -> str:
        """SQL: a timestamp as BIGINT UTC microseconds."""
        return f"unix_micros({timestamp})"

    def hashed(self, text: str) -> str:
        """SQL: the first 60 bits of a text's MD5."""
        return f"CAST(conv(left(md5({text}), 15), 16, 10) AS BIGINT)"

    def firsts(self, number: str) -> str:
        """SQL: an empty list, because rows have no numbers."""
        return "collect_list(CAST(NULL AS BIGINT))"


def _location(path: Path) -> str:
    """A path for Spark: of this file system, whatever its settings say."""
    return f"file://{path.absolute()}"


def _pattern(path: Path) -> str:
    """A path to read, which Spark takes for a pattern."""
    return re.sub(r"([\\*?\[\]{}])", r"\\\1", _location(path))

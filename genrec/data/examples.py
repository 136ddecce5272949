"""The first rows that were dropped for each reason: where they stand, and what is in them."""

from dataclasses import asdict, dataclass
from typing import Any, Final

import duckdb

from genrec.data.columns import plain_name
from genrec.data.filters import UNPARSEABLE, Firsts
from genrec.data.log import Log, Part
from genrec.data.sql import rows

SHOWN: Final = 3
"""Examples of one reason."""
_LONGEST: Final = 60


@dataclass(frozen=True)
class Example:
    """One dropped row."""

    reason: str
    file: str
    row: int | None
    """Among the file's rows, from 1; None for a line that is no row."""
    line: int | None
    """In the file, from 1; None where that is not known, and in files without lines."""
    text: str
    """What is wrong with it, or what is in it."""

    def __str__(self) -> str:
        where = f" line {self.line:,}" if self.line else f" row {self.row:,}" if self.row else ""
        return f"{self.file}{where}: {self.text}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def find_examples(
    connection: duckdb.DuckDBPyConnection, log: Log, firsts: Firsts, used_rating: bool
) -> list[Example]:
    """Look up the first rows of each reason, lines lost to the format's own rules among the unparseable.

    Args:
        connection: Holds `judged`.
        log: The log.
        firsts: The numbers `n` of the first rows of each reason.
        used_rating: Whether ratings have to be numbers.
    """
    found = {reason: _rows(connection, log, reason, numbers, used_rating) for reason, numbers in firsts.items()}
    if UNPARSEABLE in found:
        lost = [example for part in log.parts for example in _lost(part)]
        order = {part.reader.source.name: number for number, part in enumerate(log.parts)}
        found[UNPARSEABLE] = sorted(
            [*lost, *found[UNPARSEABLE]], key=lambda one: (order[one.file], one.line or one.row or 0)
        )
    return [example for examples in found.values() for example in examples[:SHOWN]]


def listed(examples: list[Example], reason: str) -> str:
    """The examples of one reason in a line."""
    return "; ".join(str(one) for one in examples if one.reason == reason)


def _lost(part: Part) -> list[Example]:
    lost, name = part.lost, part.reader.source.name
    if lost.count and not lost.lines:
        return [Example(UNPARSEABLE, name, None, None, "malformed")]
    texts = [*lost.texts, *([""] * SHOWN)][:SHOWN]
    return [
        Example(UNPARSEABLE, name, None, line, f"malformed: {_short(text)}" if text else "malformed")
        for line, text in zip(lost.lines, texts, strict=False)
    ]


def _rows(
    connection: duckdb.DuckDBPyConnection, log: Log, reason: str, numbers: list[int], used_rating: bool
) -> list[Example]:
    if not numbers:
        return []
    columns = "n, bad, user_id, item_id, CAST(time AS VARCHAR), micros, rating, position"
    query = f"SELECT {columns} FROM judged WHERE n IN ({', '.join(map(str, numbers))}) ORDER BY n"
    examples = []
    for number, *values in rows(connection, query):
        part = next(part for part in reversed(log.parts) if part.first <= number)
        row, line = part.reader.place_of(number - part.first + 1, part.lost)
        text = _why(log, values, used_rating) if reason == UNPARSEABLE else _cells(log, values)
        examples.append(Example(reason, part.reader.source.name, row, line, text))
    return examples


def _why(log: Log, values: list[Any], used_rating: bool) -> str:
    """Why a row is unparseable."""
    bad, _, _, time, micros, rating, position = values
    mapping = log.mapping
    if bad:
        return "no JSON object"
    if mapping.time and time is not None and micros is None:
        return f"{plain_name(mapping.time)} {_short(time)} is no time"
    if mapping.order and position is None:
        return f"{plain_name(mapping.order)} is no whole number"
    if mapping.rating and used_rating and rating:
        return f"{plain_name(mapping.rating)} {_short(rating)} is no number"
    return "unreadable"


def _cells(log: Log, values: list[Any]) -> str:
    """What stands in a row's columns."""
    _, user, item, time, _, rating, _ = values
    mapping = log.mapping
    named = ((mapping.user, user), (mapping.item, item), (mapping.time, time), (mapping.rating, rating))
    shown = (f"{plain_name(column)} {_short(value or '')}" for column, value in named if column)
    return ", ".join(shown)


def _short(text: str) -> str:
    return repr(text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "...")

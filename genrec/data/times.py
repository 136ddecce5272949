"""Points in time as logs write them, to UTC microseconds; and the dates of --since and --until."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

import duckdb

from genrec.data.sql import rows
from genrec.errors import GenRecError

# Smallest value of each unit that a column of recent times can have: 1e11 seconds are the year 5138, 1e11
# milliseconds 1973, and so on by thousands.
_UNITS: Final = ((0, "seconds"), (1e11, "milliseconds"), (1e14, "microseconds"), (1e17, "nanoseconds"))
_PER_SECOND: Final = {"seconds": 1, "milliseconds": 1_000, "microseconds": 1_000_000, "nanoseconds": 1_000_000_000}
_FIRST_YEAR_SECONDS: Final = -62_135_596_800
_LAST_YEAR_SECONDS: Final = 253_402_300_800
_DATE_FORMAT: Final = "give a date like 2019-01-31 or a time like 2019-01-31T18:00:00Z"


def micros_sql(connection: duckdb.DuckDBPyConnection, table: str) -> tuple[str, str]:
    """How to turn the column `time` of a table into microseconds.

    A column's unit is told from its median's magnitude.

    Returns:
        SQL: BIGINT UTC microseconds, NULL where the value is no time.
        What the column was taken for, in a word.
    """
    kind = next(row[1] for row in rows(connection, f"DESCRIBE {table}") if row[0] == "time")
    if kind.startswith("TIMESTAMP"):
        return "CASE WHEN isfinite(time) THEN epoch_us(time) END", "timestamps"
    unit, numbers, texts = _unit(connection, table)
    number = _number_sql(unit)
    if kind != "VARCHAR":
        return number, unit
    # A naive time is taken as UTC, because the session's time zone is.
    moment = "TRY_CAST(time AS TIMESTAMPTZ)"
    text = f"CASE WHEN isfinite({moment}) THEN epoch_us({moment}) END"
    both = f"CASE WHEN TRY_CAST(time AS DOUBLE) IS NOT NULL THEN {number} ELSE {text} END"
    return (number, unit) if not texts else (both, unit if numbers > texts else "ISO 8601")


def _unit(connection: duckdb.DuckDBPyConnection, table: str) -> tuple[str, int, int]:
    """The unit of a column's numbers; how many numbers and how many other texts it holds."""
    # Only one row per power of ten leaves the database, so the exact median costs no sort.
    found = rows(
        connection,
        f"""
        SELECT CASE WHEN number IS NULL THEN NULL ELSE length(CAST(CAST(abs(number) AS HUGEINT) AS VARCHAR)) END,
               count(*), count(*) FILTER ({_is_day("number")})
        FROM (SELECT TRY_CAST(time AS DOUBLE) AS number FROM {table} WHERE time IS NOT NULL)
        WHERE number IS NULL OR abs(number) < 1e30 GROUP BY 1 ORDER BY 1
        """,
    )
    digits = [(length, count) for length, count, _ in found if length is not None]
    numbers = sum(count for _, count in digits)
    texts = sum(count for length, count, _ in found if length is None)
    if numbers and sum(days for *_, days in found) == numbers:
        return "days", numbers, texts
    passed, middle = 0, 1
    for length, count in digits:
        middle = length
        passed += count
        if passed * 2 >= numbers:
            break
    return [name for least, name in _UNITS if 10.0 ** (middle - 1) >= least or not least][-1], numbers, texts


def _is_date(text: str) -> bool:
    """Whether a text is a date without a time."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_day(number: str) -> str:
    """SQL: whether a number reads as a day of the years 1900 to 2100 written like 20190131."""
    text = f"CAST(CAST({number} AS BIGINT) AS VARCHAR)"
    return (
        f"CASE WHEN {number} BETWEEN 19000101 AND 21001231 AND {number} = floor({number}) "
        f"THEN try_strptime({text}, '%Y%m%d') IS NOT NULL ELSE false END"
    )


def _number_sql(unit: str) -> str:
    """SQL: a number of units since 1970 as microseconds, NULL beyond the years 1 to 9999."""
    value = "TRY_CAST(time AS DOUBLE)"
    if unit == "days":
        day = f"try_strptime(CAST(TRY_CAST({value} AS BIGINT) AS VARCHAR), '%Y%m%d')"
        return f"CASE WHEN {_is_day(value)} THEN epoch_us({day}) END"
    per_second = _PER_SECOND[unit]
    # Whole numbers stay integers: a double has not enough digits for nanoseconds.
    whole = "TRY_CAST(time AS BIGINT)"
    exact = (
        f"{whole} * {1_000_000 // per_second}"
        if per_second <= 1_000_000
        else f"{whole} // {per_second // 1_000_000}"
    )
    rounded = f"CAST(round({value} * {1_000_000 / per_second!r}) AS BIGINT)"
    return (
        f"CASE WHEN {value} >= {_FIRST_YEAR_SECONDS * per_second} AND {value} < {_LAST_YEAR_SECONDS * per_second} "
        f"THEN CASE WHEN {value} = floor({value}) AND {whole} IS NOT NULL THEN {exact} ELSE {rounded} END END"
    )


def parse_bound(value: object, option: str) -> int | None:
    """The value of --since or --until as UTC microseconds, both inclusive; a date as --until is its whole day.

    >>> parse_bound("1970-01-02", "--since"), parse_bound("1970-01-01", "--until")
    (86400000000, 86399999999)

    Raises:
        GenRecError: It is neither a date nor a time.
    """
    if value is None:
        return None
    text = str(value).strip()
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        micros = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    except (ValueError, OverflowError) as error:
        raise GenRecError(f"{option} {text!r} is no date; {_DATE_FORMAT}") from error
    is_day = _is_date(text)
    return micros + (86_400_000_000 - 1 if is_day and option == "--until" else 0)

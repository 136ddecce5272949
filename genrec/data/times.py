"""Points in time as logs write them, to UTC microseconds; and the dates of --since and --until."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

from genrec.data.engine import TEXT, TIMESTAMP, Engine
from genrec.errors import GenRecError

# Smallest value of each unit that a column of recent times can have: 1e11 seconds are the year 5138, 1e11
# milliseconds 1973, and so on by thousands.
_UNITS: Final = ((0, "seconds"), (1e11, "milliseconds"), (1e14, "microseconds"), (1e17, "nanoseconds"))
_PER_SECOND: Final = {"seconds": 1, "milliseconds": 1_000, "microseconds": 1_000_000, "nanoseconds": 1_000_000_000}
_FIRST_YEAR_SECONDS: Final = -62_135_596_800
_LAST_YEAR_SECONDS: Final = 253_402_300_800
_DATE_FORMAT: Final = "give a date like 2019-01-31 or a time like 2019-01-31T18:00:00Z"


def micros_sql(engine: Engine, table: str) -> tuple[str, str]:
    """How to turn the column `time` of a table into microseconds.

    A column's unit is told from its median's magnitude.

    Returns:
        SQL: BIGINT UTC microseconds, NULL where the value is no time.
        What the column was taken for, in a word.
    """
    kind = engine.kind(table, "time")
    if kind == TIMESTAMP:
        return _within_years(engine.micros("time")), "timestamps"
    unit, numbers, texts = _unit(engine, table)
    number = _number_sql(engine, unit)
    if kind != TEXT or not texts:
        return number, unit
    text = _within_years(engine.micros(engine.moment("time")))
    both = f"CASE WHEN {engine.number('time')} IS NOT NULL THEN {number} ELSE {text} END"
    return both, unit if numbers > texts else "ISO 8601"


def _within_years(micros: str) -> str:
    """SQL: microseconds, NULL beyond the years 1 to 9999."""
    first, last = _FIRST_YEAR_SECONDS * 1_000_000, _LAST_YEAR_SECONDS * 1_000_000
    return f"CASE WHEN {micros} >= {first} AND {micros} < {last} THEN {micros} END"


def _unit(engine: Engine, table: str) -> tuple[str, int, int]:
    """The unit of a column's numbers; how many numbers and how many other texts it holds."""
    # Only one row per power of ten leaves the engine, so the exact median costs no sort.
    found = engine.rows(
        f"""
        SELECT CASE WHEN number IS NOT NULL THEN length(CAST(CAST(abs(number) AS DECIMAL(38, 0)) AS STRING)) END,
               count(*), count(*) FILTER (WHERE {_is_day(engine, "number")})
        FROM (SELECT {engine.number("time")} AS number FROM {table} WHERE time IS NOT NULL) AS timed
        WHERE number IS NULL OR abs(number) < 1e30 GROUP BY 1 ORDER BY 1
        """
    )
    digits = [(length, count) for length, count, _ in found if length is not None]
    numbers = sum(count for _, count in digits)
    texts = sum(count for length, count, _ in found if length is None)
    if 2 * sum(days for *_, days in found) > numbers:
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


def _is_day(engine: Engine, number: str) -> str:
    """SQL: whether a number reads as a day of the years 1900 to 2100 written like 20190131."""
    return (
        f"CASE WHEN {number} BETWEEN 19000101 AND 21001231 AND {number} = floor({number}) "
        f"THEN {_day(engine, number)} IS NOT NULL ELSE false END"
    )


def _day(engine: Engine, number: str) -> str:
    """SQL: a number like 20190131 as a timestamp."""
    return engine.day(f"CAST({engine.whole(number)} AS STRING)")


def _number_sql(engine: Engine, unit: str) -> str:
    """SQL: a number of units since 1970 as microseconds, NULL beyond the years 1 to 9999."""
    value = engine.number("time")
    if unit == "days":
        return f"CASE WHEN {_is_day(engine, value)} THEN {engine.micros(_day(engine, value))} END"
    per_second = _PER_SECOND[unit]
    # Whole numbers stay integers: a double has not enough digits for nanoseconds.
    whole = engine.whole("time")
    exact = (
        f"{whole} * {1_000_000 // per_second}"
        if per_second <= 1_000_000
        else engine.quotient(whole, per_second // 1_000_000)
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

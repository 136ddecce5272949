"""Points in time of every kind become UTC microseconds."""

import pytest

from genrec.data.times import parse_bound
from genrec.errors import GenRecError
from tests.data.helpers import read_back, times_of

NEW_YEAR = 1_546_300_800  # 2019-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("written", "micros", "unit"),
    [
        (f"{NEW_YEAR}", NEW_YEAR * 10**6, "seconds"),
        (f"{NEW_YEAR}.25", NEW_YEAR * 10**6 + 250_000, "seconds"),
        ("1.5463008E9", NEW_YEAR * 10**6, "seconds"),
        ("0", 0, "seconds"),
        ("-86400", -86_400 * 10**6, "seconds"),
        (f"{NEW_YEAR}123", NEW_YEAR * 10**6 + 123_000, "milliseconds"),
        (f"{NEW_YEAR}123456", NEW_YEAR * 10**6 + 123_456, "microseconds"),
        (f"{NEW_YEAR}123456789", NEW_YEAR * 10**6 + 123_456, "nanoseconds"),
        ("20190101", NEW_YEAR * 10**6, "days"),
        ("2019-01-01", NEW_YEAR * 10**6, "ISO 8601"),
        ("2019-01-01 00:00:00", NEW_YEAR * 10**6, "ISO 8601"),
        ("2019-01-01T00:00:00Z", NEW_YEAR * 10**6, "ISO 8601"),
        ("2019-01-01T02:00:00+02:00", NEW_YEAR * 10**6, "ISO 8601"),
        ("2018-12-31T19:00:00.5-0500", NEW_YEAR * 10**6 + 500_000, "ISO 8601"),
        ("2019-01-01 00:00:00 UTC", NEW_YEAR * 10**6, "ISO 8601"),
    ],
)
@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_kinds(shop, written, micros, unit, format):
    content = f"user,item,ts\nu,i,{written}\n"
    if format == "jsonl":
        content = f'{{"user":"u","item":"i","ts":"{written}"}}\n'
    result = shop.prepare((f"log.{format}", content))
    assert times_of(shop.out) == [[micros]]
    assert result["times"] == unit


def test_the_unit_is_the_columns(shop):
    rows = [f"u,i{n},{NEW_YEAR + n}000" for n in range(5)] + ["u,odd,5"]
    shop.prepare(("log.csv", "user,item,ts\n" + "\n".join(rows)))
    assert times_of(shop.out)[0][:2] == [5000, NEW_YEAR * 10**6]


@pytest.mark.parametrize("bad", ["soon", "nan", "inf", "1e300", "2019-13-01", "99999999999999999999"])
def test_no_time(shop, bad):
    result = shop.prepare(("log.csv", f"user,item,ts\nu,i,{NEW_YEAR}\nu,j,{bad}\n"))
    assert result["dropped"]["unparseable"] == 1
    (warning,) = result["warnings"]
    assert f"log.csv line 3: ts '{bad}' is no time" in warning
    assert (result["examples"][0]["row"], result["examples"][0]["line"]) == (2, 3)
    assert shop.notes.warnings == [warning]


def test_bounds_are_inclusive(shop):
    times = ["2018-12-31T23:59:59.999999Z", "2019-01-01", "2019-01-02T23:59:59Z", "2019-01-03"]
    rows = "".join(f"u,i{n},{time}\n" for n, time in enumerate(times))
    result = shop.prepare(("log.csv", "user,item,date\n" + rows), since="2019-01-01", until="2019-01-02")
    assert read_back(shop.out) == {"u": ["i1", "i2"]}
    assert result["dropped"]["outside_dates"] == 2
    shop.prepare(("log.csv", "user,item,date\n" + rows), until="2019-01-01T00:00:00Z")
    assert read_back(shop.out) == {"u": ["i0", "i1"]}


@pytest.mark.parametrize("text", ["01/02/2019", "yesterday", "2019-02-30", "1546300800"])
def test_bounds_that_are_no_dates(text):
    with pytest.raises(GenRecError, match="give a date like 2019-01-31"):
        parse_bound(text, "--since")


def test_bounds_in_the_wrong_order(shop):
    with pytest.raises(GenRecError, match="exchange them"):
        shop.prepare(("log.csv", "user,item,date\nu,i,2019-01-01\n"), since="2020-01-01", until="2019-01-01")


def test_bounds_without_times(shop):
    with pytest.raises(GenRecError, match="no time column among 'user', 'item'"):
        shop.prepare(("log.csv", "user,item\nu,i\n"), since="2020-01-01")

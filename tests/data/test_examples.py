"""Every dropped row has a reason, and the first of each reason are shown; --strict stops at bad ones."""

import pytest

from genrec.data.filters import BAD
from genrec.errors import GenRecError
from tests.data.helpers import read_back

HEADER = "user,item,ts,rating\n"
ROWS = [
    "u,a,2019-01-01,5",
    ",a,2019-01-01,5",
    "u,,2019-01-01,5",
    "u,a,,5",
    "u,a,then,5",
    "u,a",
    "u,b,2019-01-02,1",
    "u,b,2018-01-01,4",
    "u,a,2019-01-01,5",
    "v,c,2019-01-03,5",
    "u,a,2019-01-04,5",
]
OPTIONS = {"min_rating": 2, "since": "2019-01-01", "min_count": 2}


def test_one_of_each_reason(shop):
    result = shop.prepare(("log.csv", HEADER + "\n".join(ROWS)), **OPTIONS)
    assert read_back(shop.out) == {"u": ["a", "a"]}
    assert [(one["reason"], one["line"], one["text"]) for one in result["examples"]] == [
        ("unparseable", 6, "ts 'then' is no time"),
        ("unparseable", 7, "malformed: 'u,a'"),
        ("missing_user", 3, "user '', item 'a', ts '2019-01-01', rating '5'"),
        ("missing_item", 4, "user 'u', item '', ts '2019-01-01', rating '5'"),
        ("missing_time", 5, "user 'u', item 'a', ts '', rating '5'"),
        ("below_rating", 8, "user 'u', item 'b', ts '2019-01-02', rating '1'"),
        ("outside_dates", 9, "user 'u', item 'b', ts '2018-01-01', rating '4'"),
        ("duplicate", 10, "user 'u', item 'a', ts '2019-01-01', rating '5'"),
        ("k_core", 11, "user 'v', item 'c', ts '2019-01-03', rating '5'"),
    ]
    assert {one["file"] for one in result["examples"]} == {"log.csv"}


def test_the_first_three(shop):
    rows = [f",i,{n},1" for n in range(50)] + ["u,i,1,1"]
    result = shop.prepare(("log.csv", HEADER + "\n\n".join(rows)))
    assert [(one["row"], one["line"]) for one in result["examples"]] == [(1, 2), (2, 4), (3, 6)]


def test_a_place_in_a_large_file(shop):
    good = "".join(f"u{n},i{n % 7},{n},5\n" for n in range(400_000))  # more than is read at a time
    result = shop.prepare(("log.csv", HEADER + good + "\n,lost,1,5\n" + good[:1000] + "\n"))
    example = next(one for one in result["examples"] if one["reason"] == "missing_user")
    assert (example["row"], example["line"]) == (400_001, 400_003)


def test_long_values_are_cut(shop):
    (example,) = shop.prepare(("log.csv", HEADER + f",{'x' * 1000},1,5\nu,i,1,5\n"))["examples"]
    assert len(example["text"]) < 150


@pytest.mark.parametrize("reason", BAD)
def test_strict_stops_at_bad_rows(shop, reason):
    bad = {
        "unparseable": "u,a,then,5",
        "missing_user": ",a,1,5",
        "missing_item": "u,,1,5",
        "missing_time": "u,a,,5",
    }
    with pytest.raises(GenRecError, match=rf"--strict: 2 rows are bad: 2 {reason} \(log.csv line 3: .*line 4: "):
        shop.prepare(("log.csv", HEADER + "u,a,1,5\n" + 2 * f"{bad[reason]}\n"), strict=True)
    assert not shop.out.exists()


def test_strict_counts_lost_lines(shop):
    with pytest.raises(GenRecError, match=r"1 row is bad: 1 unparseable \(log.csv line 3: malformed: 'u,a'\)"):
        shop.prepare(("log.csv", HEADER + "u,a,1,5\nu,a\n"), strict=True)


def test_strict_allows_what_the_caller_chose_to_drop(shop):
    rows = [ROWS[n] for n in (0, 6, 7, 8, 9, 10)]
    result = shop.prepare(("log.csv", HEADER + "\n".join(rows)), strict=True, **OPTIONS)
    assert result["kept"] == 2

"""Repeated rows, under each rule."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genrec.data.prepare import prepare
from tests.data.helpers import read_back

LOG = "user,item,ts\nu,a,3\nu,b,1\nu,a,3\nu,a,1\nv,a,3\nu,b,1\nu,a,2\n"


@pytest.mark.parametrize(
    ("rule", "items", "dropped", "lines"),
    [
        ("exact", ["b", "a", "a", "a"], 2, [4, 7]),
        ("user-item", ["b", "a"], 4, [2, 4, 7]),
        ("none", ["b", "a", "b", "a", "a", "a"], 0, []),
    ],
)
def test_rules(shop, rule, items, dropped, lines):
    result = shop.prepare(("log.csv", LOG), dedupe=rule)
    assert read_back(shop.out) == {"u": items, "v": ["a"]}
    assert result["dropped"]["duplicate"] == dropped
    assert [one["line"] for one in result["examples"]] == lines
    assert result["filters"]["dedupe"] == rule


def test_the_earliest_of_a_user_and_item_counts(shop):
    shop.prepare(("log.csv", "user,item,ts\nu,a,9\nu,b,5\nu,a,1\nu,c,3\n"), dedupe="user-item")
    assert read_back(shop.out) == {"u": ["a", "c", "b"]}


def test_without_times_nothing_repeats_unless_asked(shop):
    log = ("log.txt", "u a b a c b\n")
    assert shop.prepare(log)["interactions"] == 5
    assert shop.prepare(log, dedupe="user-item")["dropped"]["duplicate"] == 2
    assert read_back(shop.out) == {"u": ["a", "b", "c"]}


ROWS = st.lists(st.tuples(st.sampled_from("uv"), st.sampled_from("abc"), st.integers(0, 3)), min_size=1)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, st.sampled_from(["exact", "user-item", "none"]))
def test_against_plain_python(tmp_path, rows, rule):
    log = tmp_path / "log.csv"
    log.write_text("user,item,ts\n" + "".join(f"{user},{item},{time}\n" for user, item, time in rows))
    prepare(log, tmp_path / "out", dedupe=rule, min_count=1, force=True)
    seen, expected = set(), {}
    for user, item, time in sorted(rows, key=lambda row: row[2]):  # stable, so ties keep the file's order
        mark = (user, item, time) if rule == "exact" else (user, item)
        if rule == "none" or mark not in seen:
            seen.add(mark)
            expected.setdefault(user, []).append(item)
    assert read_back(tmp_path / "out") == expected

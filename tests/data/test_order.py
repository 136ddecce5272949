"""The order of equal times: by rules that can be named, and none that a file's order could leak through."""

import hashlib
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genrec.data.prepare import prepare
from genrec.errors import GenRecError
from tests.data.helpers import read_back

HEADER = "user,item,ts\n"


def key(seed, user, item, seconds):
    """The documented rule, in Python."""
    text = "\x1f".join([str(seed), user, item, str(seconds * 1_000_000)])
    return hashlib.md5(text.encode()).hexdigest()[:15]


def test_input_is_the_default(shop):
    result = shop.prepare(("log.csv", HEADER + "u,b,1\nu,c,1\nu,a,1\nv,a,2\n"))
    assert read_back(shop.out)["u"] == ["b", "c", "a"]
    assert result["ties"] == {"rule": "input", "seed": 0, "column": None, "share": 0.75}


def test_item_is_the_order_of_bytes(shop):
    text = HEADER + "u,é,1\nu,b,1\nu,Z,1\nu,10,1\nu,9,1\nu,z,0\n"
    shop.prepare(("log.csv", text), ties="item")
    assert read_back(shop.out)["u"] == ["z", "10", "9", "Z", "b", "é"]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_shuffle_is_the_documented_hash(shop, seed):
    items = [f"item {n}" for n in range(12)]
    text = HEADER + "".join(f"é u,{item},5\n" for item in items)
    result = shop.prepare(("log.csv", text), ties="shuffle", seed=seed)
    assert read_back(shop.out)["é u"] == sorted(items, key=lambda item: key(seed, "é u", item, 5))
    assert result["ties"]["seed"] == seed


ROWS = st.lists(st.tuples(st.sampled_from("uvw"), st.sampled_from("abcdef"), st.integers(0, 2)), min_size=2)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, st.sampled_from(["item", "shuffle"]), st.randoms())
def test_the_source_order_does_not_matter(tmp_path, rows, rule, rng):
    found = []
    for _ in range(2):
        rng.shuffle(rows)
        log = tmp_path / "log.csv"
        log.write_text(HEADER + "".join(f"{user},{item},{time}\n" for user, item, time in rows))
        found.append(prepare(log, tmp_path / "out", ties=rule, min_count=1, force=True)["checksum"])
    assert found[0] == found[1]


def test_seeds_differ_and_other_rows_do_not_matter(shop):
    rows = "".join(f"u,i{n},5\n" for n in range(20))
    orders = []
    for seed, more in ((0, ""), (1, ""), (0, "v,j,7\n")):
        shop.prepare(("log.csv", HEADER + more + rows), ties="shuffle", seed=seed)
        orders.append(read_back(shop.out)["u"])
    assert orders[0] != orders[1]
    assert orders[0] == orders[2]
    assert orders[0] != [f"i{n}" for n in range(20)]


def _review(user, item, day):
    return f'{{"user_id":"{user}","business_id":"{item}","date":"2019-01-0{day}","stars":4}}\n'


def test_formats_whose_order_leaks_are_shuffled(shop):
    """In a file that is sorted by item, the last of a user's tied items would have the greatest ID."""
    items = [f"i{n:02}" for n in range(30)]
    lines = "".join(_review("u", item, 1) for item in items)
    result = shop.prepare(("review.json", lines))
    assert result["ties"]["rule"] == "shuffle"
    assert result["ties"]["share"] == 1.0
    assert sorted(read_back(shop.out)["u"]) == items != read_back(shop.out)["u"]
    shop.prepare(("review.json", lines), ties="input")
    assert read_back(shop.out)["u"] == items


def test_shuffled_ties_do_not_tell_the_test_item(shop):
    """Of many users, about half have a test item that sorts after their validation item."""
    rng = random.Random(0)
    lines = [_review(f"u{n}", f"i{m:02}", 1) for n in range(400) for m in sorted(rng.sample(range(50), 4))]
    shop.prepare(("review.json", "".join(lines)))
    share = sum(items[-1] > items[-2] for items in read_back(shop.out).values()) / 400
    assert 0.4 < share < 0.6


@pytest.mark.parametrize("times", [True, False])
def test_an_order_column(shop, times):
    rows = [("b", 1, 10), ("c", 1, -2), ("a", 1, 3), ("d", 0, 99)]
    text = "user,item,ts,seq\n" + "".join(f"u,{item},{time},{place}\n" for item, time, place in rows)
    if not times:
        text = "user,item,seq\n" + "".join(f"u,{item},{place}\n" for item, _, place in rows)
    result = shop.prepare(("log.csv", text), order_col="seq")
    assert read_back(shop.out)["u"] == (["d", "c", "a", "b"] if times else ["c", "a", "b", "d"])
    assert result["ties"]["column"] == "seq"
    assert result["warnings"] == []


def test_an_order_column_of_whole_numbers(shop):
    result = shop.prepare(("log.csv", "user,item,seq\nu,a,1\nu,b,1.5\nu,c,\nu,d,x\n"), order_col="seq")
    assert result["dropped"]["unparseable"] == 3
    assert result["examples"][0]["text"] == "seq is no whole number"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ties": "random"}, "ties 'random' is unknown; choose one of: input, item, shuffle"),
        ({"ties": "item", "order_col": "ts"}, "--ties item and --order-col ts are two rules"),
        ({"order_col": "place"}, "no column 'place'; --order-col takes one of"),
        ({"dedupe": "all"}, "dedupe 'all' is unknown"),
    ],
)
def test_wrong_rules(shop, options, message):
    with pytest.raises(GenRecError, match=message):
        shop.prepare(("log.csv", HEADER + "u,a,1\n"), **options)


def test_a_rule_for_equal_times_needs_times(shop):
    with pytest.raises(GenRecError, match="--ties shuffle orders equal times, and the log has no time column"):
        shop.prepare(("log.csv", "user,item\nu,a\n"), ties="shuffle")

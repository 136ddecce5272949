"""Adding to a dataset: what it holds stays as it is, and the new comes after it."""

from collections import Counter

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genrec.data.dataset import load_dataset
from genrec.data.prepare import prepare
from genrec.errors import GenRecError
from tests.data.helpers import items_of, read_back, times_of

HEADER = "user,item,ts\n"
FIRST = HEADER + "u,b,1\nu,d,2\nv,b,5\nv,d,5\n"
OLD = ["u", "v"], ["b", "d"]


@pytest.fixture
def old(shop):
    shop.prepare(("old.csv", FIRST))
    return shop.out.rename(shop.folder / "old")


def column(folder, table):
    return pq.read_table(folder / f"{table}s.parquet").column(f"{table}_id").to_pylist()


def extend(shop, old, text, **options):
    """Extend and check what always holds."""
    before = load_dataset(old)
    path = shop.write("new.csv", text)
    result = prepare([path], shop.out, extend=old, **{"min_count": 1, "force": True, **options})
    assert load_dataset(old).checksum == before.checksum
    for table, count in (("user", before.user_count), ("item", before.item_count)):
        assert column(shop.out, table)[:count] == column(old, table)
    assert result["kept"] + sum(result["dropped"].values()) == result["read"]
    assert result["kept"] + before.interaction_count == result["interactions"]
    assert result["parent"]["checksum"] == before.checksum
    return result


def test_indexes_stay_and_new_ones_follow_in_byte_order(shop, old):
    extend(shop, old, HEADER + "z,c,9\na,a,3\nu,é,4\nv,b,6\n")
    assert column(shop.out, "user") == ["u", "v", "a", "z"]
    assert column(shop.out, "item") == ["b", "d", "a", "c", "é"]
    assert read_back(shop.out) == {"u": ["b", "d", "é"], "v": ["b", "d", "b"], "a": ["a"], "z": ["c"]}
    assert pq.read_table(shop.out / "users.parquet").column("index").to_pylist() == [1, 2, 3, 4]


def test_older_rows_go_between(shop, old):
    extend(shop, old, HEADER + "u,c,0\nu,a,1\n")
    assert read_back(shop.out)["u"] == ["c", "b", "a", "d"]
    assert times_of(shop.out)[0] == [0, 10**6, 10**6, 2 * 10**6]


def test_rows_that_are_there_already_are_duplicates(shop, old):
    result = extend(shop, old, FIRST + "u,b,7\n")
    assert result["dropped"]["duplicate"] == 4
    assert read_back(shop.out) == {"u": ["b", "d", "b"], "v": ["b", "d"]}
    assert extend(shop, old, FIRST + "u,b,0\n", dedupe="user-item")["kept"] == 0


def test_what_was_there_is_never_dropped(shop):
    shop.prepare(("old.csv", HEADER + "u,a,1\nu,a,1\nv,b,2\n"), dedupe="none")
    old = shop.out.rename(shop.folder / "old")
    for rule in ("exact", "user-item"):
        result = extend(shop, old, HEADER + "u,a,1\nw,a,5\nx,b,1\nx,b,2\n", dedupe=rule, min_count=2)
        assert read_back(shop.out)["u"] == ["a", "a"]
        assert read_back(shop.out)["v"] == ["b"]
    assert result["dropped"]["k_core"] == 2  # of w, and of x, whose rows with one item count once


def test_old_rows_count_for_the_core(shop, old):
    result = extend(shop, old, HEADER + "w,b,8\nw,c,8\nw,d,9\nv,c,9\nx,b,1\n", min_count=2)
    assert read_back(shop.out) == {"u": ["b", "d"], "v": ["b", "d", "c"], "w": ["b", "c", "d"]}
    assert result["dropped"]["k_core"] == 1


def test_a_new_item_of_an_old_user_needs_enough_rows(shop, old):
    assert extend(shop, old, HEADER + "u,rare,8\nu,b,9\n", min_count=2)["dropped"]["k_core"] == 1
    assert column(shop.out, "item") == ["b", "d"]


@pytest.mark.parametrize("ties", ["input", "item", "shuffle"])
def test_old_rows_stand_first_among_ties(shop, old, ties):
    extend(shop, old, HEADER + "v,z,5\nv,a,5\nv,c,5\n", ties=ties)
    items = read_back(shop.out)["v"]
    assert items[:2] == ["b", "d"]
    if ties != "shuffle":
        assert items[2:] == {"input": ["z", "a", "c"], "item": ["a", "c", "z"]}[ties]


def test_rules_are_the_parents_unless_told(shop):
    shop.prepare(("old.csv", FIRST), min_count=2, dedupe="none", ties="shuffle", seed=7)
    old = shop.out.rename(shop.folder / "old")
    result = extend(shop, old, HEADER + "w,b,1\n", min_count=None)
    assert (result["filters"]["min_count"], result["filters"]["dedupe"]) == (2, "none")
    assert (result["ties"]["rule"], result["ties"]["seed"]) == ("shuffle", 7)
    assert extend(shop, old, HEADER + "w,b,1\n", ties="input", dedupe="exact")["ties"]["rule"] == "input"


def test_nothing_new_is_no_error(shop, old):
    result = extend(shop, old, FIRST)
    assert result["kept"] == 0
    assert result["checksum"] == load_dataset(old).checksum


def test_titles_of_the_parent_win_and_gaps_are_filled(shop):
    items = shop.write("items.csv", "item,title,year\nb,Old B,1999\nd,,\n")
    shop.prepare(("old.csv", FIRST), items=items)
    old = shop.out.rename(shop.folder / "old")
    more = shop.write("more.csv", "item,title,year,colour\nb,New B,2000,red\nd,D,2001,blue\nc,C,soon,green\n")
    extend(shop, old, HEADER + "u,c,9\n", items=more)
    table = items_of(shop.out)
    assert [table[item]["title"] for item in "bdc"] == ["Old B", "D", "C"]
    assert [table[item]["year"] for item in "bdc"] == ["1999", "2001", "soon"]
    assert [table[item]["colour"] for item in "bdc"] == ["red", "blue", "green"]
    extend(shop, old, HEADER + "u,c,9\n")
    assert items_of(shop.out)["b"] == {"index": 1, "title": "Old B", "year": "1999"}


def test_extending_twice(shop, old):
    extend(shop, old, HEADER + "a,a,3\n")
    middle = shop.out.rename(shop.folder / "middle")
    extend(shop, middle, HEADER + "Z,Z,4\n")
    assert column(shop.out, "user") == ["u", "v", "a", "Z"]


def test_times_do_not_mix(shop, old):
    with pytest.raises(GenRecError, match="has times and the log has none"):
        extend(shop, old, "user,item\nu,b\n")
    shop.prepare(("plain.txt", "u a b\n"))
    plain = shop.out.rename(shop.folder / "plain")
    with pytest.raises(GenRecError, match="has no times and the log has some"):
        extend(shop, plain, HEADER + "u,a,1\n")
    extend(shop, plain, "user,item\nu,c\nu,a\nv,a\n")
    assert read_back(shop.out) == {"u": ["a", "b", "c", "a"], "v": ["a"]}


def test_no_parent(shop, tmp_path):
    with pytest.raises(GenRecError, match="does not exist; a dataset is wanted here"):
        shop.prepare(("log.csv", FIRST), extend=tmp_path / "nothing")


def test_a_damaged_parent(shop, old):
    (old / "sequences.parquet").write_bytes((old / "sequences.parquet").read_bytes()[:-9])
    with pytest.raises(GenRecError, match="is damaged"):
        shop.prepare(("log.csv", FIRST), extend=old)


ROWS = st.lists(st.tuples(st.sampled_from("uvwx"), st.sampled_from("abcde"), st.integers(0, 5)), min_size=1)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, ROWS, st.integers(0, 3))
def test_the_core_of_what_is_new(tmp_path, first, second, k):
    """Old rows all stay; of the new ones, those whose users and items are old or have k rows, until stable."""
    logs = [tmp_path / "first.csv", tmp_path / "second.csv"]
    for log, rows in zip(logs, (first, second), strict=True):
        log.write_text(HEADER + "".join(f"{user},{item},{time}\n" for user, item, time in rows))
    prepare(logs[0], tmp_path / "old", min_count=1, force=True)
    result = prepare(logs[1], tmp_path / "out", extend=tmp_path / "old", min_count=k, force=True)
    old = set(first)
    users, items = {row[0] for row in old}, {row[1] for row in old}
    left = set(second) - old
    while True:
        count = Counter(row[0] for row in old | left), Counter(row[1] for row in old | left)
        stay = {
            (user, item, time)
            for user, item, time in left
            if (user in users or count[0][user] >= k) and (item in items or count[1][item] >= k)
        }
        if stay == left:
            break
        left = stay
    found = read_back(tmp_path / "out")
    assert Counter((user, item) for user, row in found.items() for item in row) == Counter(
        (user, item) for user, item, _ in old | left
    )
    assert result["kept"] == len(left)

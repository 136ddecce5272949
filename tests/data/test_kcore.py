"""k-core filtering against a brute-force one, and the accounting of every row."""

from collections import Counter

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genrec.data.engine import DuckDBEngine
from genrec.data.extend import load_known
from genrec.data.kcore import count_rows, k_core
from genrec.data.prepare import prepare
from genrec.errors import GenRecError
from tests.data.helpers import read_back

EVENTS = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=40)


def brute_force(events, k):
    """Take away one offending row at a time until none offends."""
    events = list(events)
    while True:
        users, items = Counter(u for u, _ in events), Counter(i for _, i in events)
        bad = next((event for event in events if users[event[0]] < k or items[event[1]] < k), None)
        if bad is None:
            return events
        events.remove(bad)


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.integers(0, 4))
def test_is_the_brute_force_core(events, k):
    with duckdb.connect() as connection:
        engine = DuckDBEngine(connection)
        load_known(engine, None)
        connection.execute("CREATE TABLE events (user_code INTEGER, item_code INTEGER)")
        connection.executemany("INSERT INTO events VALUES (?, ?)", events)
        rounds = _core(engine, k)
        assert sorted(engine.rows("SELECT * FROM events")) == sorted(brute_force(events, k))
        assert _core(engine, k) == (1 if k > 1 else 0)  # a fixed point: one round finds nothing
        assert (rounds == 0) == (k <= 1)


def _core(engine, k):
    """Leave the core in `events`."""
    count_rows(engine)
    rounds = k_core(engine, k)
    kept = "user_code IN (FROM kept_user) AND item_code IN (FROM kept_item)"
    engine.table("events", f"SELECT * FROM events WHERE {kept}")
    return rounds


def test_counts_rows_not_pairs(shop):
    shop.prepare(("log.txt", "u i i i\nv i j\n"), min_count=3)
    assert read_back(shop.out) == {"u": ["i", "i", "i"]}


def test_repeats_until_stable(shop):
    # v falls only once j has fallen, i stays at three rows of u.
    result = shop.prepare(("log.txt", "u i i i\nv i j k\nw j\n"), min_count=3)
    assert result["rounds"] >= 2
    assert result["before_k_core"] == {"users": 3, "items": 3, "interactions": 7}


ROW = st.tuples(
    st.sampled_from(["u1", "u2", "é", "", "\U0001f600 x"]),
    st.sampled_from(["i1", "i2", "007", ""]),
    st.sampled_from(["1", "2", "30", "", "x"]),
    st.sampled_from(["1", "4.5", "", "bad"]),
)


def expected(rows, k, min_rating, until):
    """The same rules, row by row."""
    dropped, kept, seen = Counter(), [], set()
    for user, item, time, rating in rows:
        if time == "x" or (min_rating is not None and rating == "bad"):
            dropped["unparseable"] += 1
        elif not user:
            dropped["missing_user"] += 1
        elif not item:
            dropped["missing_item"] += 1
        elif not time:
            dropped["missing_time"] += 1
        elif min_rating is not None and (not rating or float(rating) < min_rating):
            dropped["below_rating"] += 1
        elif until and int(time) > 2:
            dropped["outside_dates"] += 1
        elif (user, item, time) in seen:
            dropped["duplicate"] += 1
        else:
            seen.add((user, item, time))
            kept.append((user, item, int(time)))
    left = brute_force([(user, item) for user, item, _ in kept], k)
    dropped["k_core"] = len(kept) - len(left)
    kept = [row for row in kept if row[:2] in left]
    order = {user: [i for u, i, _ in sorted(kept, key=lambda row: row[2]) if u == user] for user, *_ in kept}
    return dropped, order


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(ROW, min_size=1, max_size=25),
    st.sampled_from([0, 2]),
    st.sampled_from([None, 2.0]),
    st.sampled_from([None, "1970-01-01T00:00:02Z"]),
)
def test_every_row_is_accounted_for(tmp_path, rows, k, min_rating, until):
    log = tmp_path / "log.csv"
    log.write_text("user,item,ts,rating\n" + "".join(",".join(row) + "\n" for row in rows))
    before = log.read_bytes()
    dropped, order = expected(rows, k, min_rating, until)
    out = tmp_path / "out"
    options = {"min_count": k, "min_rating": min_rating, "until": until, "force": True}
    if not order:
        with pytest.raises(GenRecError, match="nothing is left"):
            prepare(log, out, **options)
    else:
        result = prepare(log, out, **options)
        assert read_back(out) == order
        assert result["read"] == len(rows)
        assert {reason: count for reason, count in result["dropped"].items() if count} == dict(+dropped)
    assert log.read_bytes() == before

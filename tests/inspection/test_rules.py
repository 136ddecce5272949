"""The rules that need no model, against lists made by hand and against plain loops."""

from collections import Counter
from itertools import pairwise
from unittest import mock

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.data.followers import NEXT, Reach, count_followers
from genrec.data.tables import Sequences
from genrec.evaluation.followers import FollowersRanker
from genrec.evaluation.protocol import make_cases
from genrec.inspection.audit import id_order, id_places, source_numbers
from genrec.inspection.rules import NumberingRanker, RepeatRanker
from genrec.inspection.statistics import distinct_pairs, item_counts
from tests.data.helpers import sequences

ITEMS = 7
HISTORIES = st.lists(st.lists(st.integers(1, ITEMS), min_size=1, max_size=9), min_size=1, max_size=8)


def padded(rows):
    width = max(map(len, rows))
    return np.array([row + [0] * (width - len(row)) for row in rows], np.int64)


def test_followers_stay_within_a_user():
    found = count_followers(sequences([1, 2, 1, 2], [], [3], [2, 1]), 3)
    listed = {
        item: list(
            zip(
                found.items[found.starts[item] : found.starts[item + 1]].tolist(),
                found.counts[found.starts[item] : found.starts[item + 1]].tolist(),
                strict=True,
            )
        )
        for item in (1, 2, 3)
    }
    assert listed == {1: [(2, 2)], 2: [(1, 2)], 3: []}


def test_what_follows_soon_after_counts_too():
    """Of [1, 2, 3] and [1, 3]: a neighbour counts twice what the item after it does."""
    found = count_followers(sequences([1, 2, 3], [1, 3], [2]), 3, Reach(0.5, balance=0.0))
    assert found.starts.tolist() == [0, 0, 2, 3, 3]
    assert found.items.tolist() == [3, 2, 3]
    assert found.counts.tolist() == [1 + 0.5, 1, 1]


def plain_counts(rows, reach):
    """The same, one pair after the other."""
    counts = Counter()
    for row in rows:
        for place, item in enumerate(row):
            for step in range(1, reach.steps + 1):
                if place + step < len(row):
                    counts[item, row[place + step]] += reach.decay ** (step - 1)
                if place - step >= 0:
                    counts[item, row[place - step]] += reach.back * reach.decay ** (step - 1)
    sums = Counter()
    for (item, _), count in counts.items():
        sums[item] += count
    return {pair: count / sums[pair[0]] ** reach.balance for pair, count in counts.items() if count}


@settings(max_examples=60, deadline=None)
@given(
    HISTORIES,
    st.builds(Reach, st.sampled_from([0.0, 0.3, 0.9]), st.sampled_from([0.0, 0.4]), st.floats(0, 1)),
    st.sampled_from([1, 8, 2**23]),
)
def test_counts_are_those_of_a_plain_loop(rows, reach, at_once):
    """However many are counted at once."""
    with mock.patch("genrec.data.followers._PAIRS", at_once):
        found = count_followers(sequences(*rows), ITEMS, reach)
    owners = np.repeat(np.arange(ITEMS + 1), np.diff(found.starts))
    listed = dict(zip(zip(owners.tolist(), found.items.tolist(), strict=True), found.counts, strict=True))
    assert listed == pytest.approx(plain_counts(rows, reach))
    assert (np.diff(found.counts)[np.diff(owners) == 0] <= 0).all()


def test_only_the_most_frequent_followers_are_kept():
    found = count_followers(sequences([1, 2, 1, 2, 1, 3, 1, 4]), 4, most=1)
    assert found.items[found.starts[1] : found.starts[2]].tolist() == [2]


def plain(rows, history, reach, k, exclude_seen):
    """The same rule, one user at a time."""
    pairs = Counter(pair for row in rows for pair in pairwise(row))
    popularity = Counter(item for row in rows for item in row)
    scores = Counter()
    for back, item in enumerate(history[::-1][: reach.steps]):
        for (before, after), count in pairs.items():
            if before == item:
                scores[after] += count * reach.decay**back
    allowed = [item for item in range(1, ITEMS + 1) if not (exclude_seen and item in history)]
    best = sorted(allowed, key=lambda item: (-scores[item], -popularity[item], item))[:k]
    return best + [0] * (k - len(best))


@settings(max_examples=60, deadline=None)
@given(HISTORIES, HISTORIES, st.sampled_from([NEXT, Reach(0.5)]), st.integers(1, 9), st.booleans())
def test_followers_are_those_of_a_plain_loop(rows, histories, reach, k, exclude_seen):
    data = sequences(*rows)
    ranker = FollowersRanker(count_followers(data, ITEMS), item_counts(data, ITEMS), reach, k)
    found = ranker(np.arange(len(histories)), padded(histories), exclude_seen)
    assert found.tolist() == [plain(rows, history, reach, k, exclude_seen) for history in histories]


def test_repeat_and_numbering():
    histories = padded([[1, 3], [2, 1, 2]])
    assert RepeatRanker()(None, histories, False).tolist() == [[3], [2]]
    assert RepeatRanker()(None, histories, True).tolist() == [[0], [0]]
    ranker = NumberingRanker(np.array([10, 12, 11, 14]), 3)  # items 1..4
    assert ranker(None, histories, False).tolist() == [[2, 0, 4], [0, 4, 0]]


def test_numbers_are_whole_and_plain():
    assert source_numbers(["3", "0", "10"]).tolist() == [3, 0, 10]
    for ids in (["a", "1"], ["01", "1"], ["1.5"], ["-1"], ["9" * 19], ["１"]):
        assert source_numbers(ids) is None


def test_the_order_of_ids():
    data = sequences([1, 2], [1, 1], [3, 2], [2, 3])
    cases = make_cases(data, "test")
    text, numbers = pa.chunked_array([["9", "10", "11"]]), np.array([9, 10, 11])
    times = np.array([5, 5, 1, 2, 7, 8, 3, 3])
    assert id_places(text, None).tolist() == [2, 0, 1]
    by_number = {"share": pytest.approx(2 / 3), "users": 3, "tied_share": 1.0, "tied_users": 2}
    assert id_order(cases, id_places(text, numbers), times) == by_number
    assert id_order(cases, id_places(text, None), None) == {
        "share": pytest.approx(1 / 3),
        "users": 3,
        "tied_share": None,
        "tied_users": 0,
    }


@settings(max_examples=30, deadline=None)
@given(HISTORIES)
def test_distinct_pairs(rows):
    expected = len({(user, item) for user, row in enumerate(rows) for item in row})
    assert distinct_pairs(sequences(*rows), ITEMS) == expected
    assert distinct_pairs(Sequences(np.empty(0, np.int32), np.zeros(2, np.int64)), ITEMS) == 0

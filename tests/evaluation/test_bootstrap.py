"""The paired bootstrap against all resamples of a few users, and against resampling users one by one."""

import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.evaluation.bootstrap import FEWEST_RESAMPLES, MOST_RESAMPLES, compare, resamples
from genrec.evaluation.metrics import gains, hits, summarise

RANKS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=40)


def test_differences_by_hand():
    """First: hits 1, 0, 1, 0 at 10; second: 0, 0, 1, 1."""
    found = compare(np.array([1, 0, 2, 0]), np.array([0, 0, 1, 3]), (1, 10))
    assert list(found) == ["HR@1", "HR@10", "NDCG@10"]
    assert found["HR@1"]["difference"] == found["HR@10"]["difference"] == 0
    assert found["NDCG@10"]["difference"] == pytest.approx((1 + 1 / math.log2(3) - 1 - 1 / 2) / 4)


def test_the_same_ranks_do_not_differ():
    ranks = np.array([1, 0, 5, 11])
    for found in compare(ranks, ranks.copy(), (5, 10)).values():
        assert found == {"difference": 0.0, "low": 0.0, "high": 0.0, "p": 1.0}


def test_equal_to_all_resamples_of_five_users():
    """Hits differ by 1, 1, 1, 0 and -1: of the 5**5 resamples, those with a mean of at most 0 make the p-value."""
    values = np.array([1, 1, 1, 0, -1])
    means = np.array([np.mean(draw) for draw in itertools.product(values, repeat=5)])
    found = compare(np.array([1, 1, 1, 0, 0]), np.array([0, 0, 0, 0, 1]), (1,))["HR@1"]
    assert found["difference"] == pytest.approx(0.4)
    assert found["p"] == pytest.approx(2 * (means <= 1e-9).mean(), abs=0.02)
    assert (found["low"], found["high"]) == pytest.approx(tuple(np.quantile(means, (0.025, 0.975))))


def test_equal_to_resampling_users():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 12, 400), rng.integers(0, 15, 400)
    found = compare(first, second, (10,))
    draws = rng.integers(0, 400, (4000, 400))
    for metric, of in (("HR@10", hits), ("NDCG@10", gains)):
        means = (of(first, 10) - of(second, 10))[draws].mean(1)
        expected = np.quantile(means, (0.025, 0.975))
        assert (found[metric]["low"], found[metric]["high"]) == pytest.approx(tuple(expected), abs=0.01)


def test_models_that_do_not_differ_are_told_apart_once_in_twenty():
    rng = np.random.default_rng(1)
    values = [compare(*(rng.random((2, 300)) < 0.2).astype(np.int64), (1,))["HR@1"]["p"] for _ in range(300)]
    assert 0.02 < np.mean(np.array(values) < 0.05) < 0.09


@settings(max_examples=50, deadline=None)
@given(RANKS)
def test_any_ranks(pairs):
    """A difference is that of the summaries; turned round it changes its sign."""
    first, second = np.array(pairs).T
    ks = (1, 10)
    found, turned = compare(first, second, ks), compare(second, first, ks)
    one, other = summarise(first, ks)[0], summarise(second, ks)[0]
    for metric, row in found.items():
        assert row["difference"] == pytest.approx(one[metric] - other[metric], abs=1e-12)
        assert turned[metric]["difference"] == pytest.approx(-row["difference"], abs=1e-12)
        assert row["low"] <= row["high"]
        assert 0 < row["p"] <= 1


def test_seeded_and_quick():
    rng = np.random.default_rng(2)
    pair = rng.integers(0, 11, (2, 22_000))
    started = time.perf_counter()
    found = compare(*pair, (1, 5, 10), seed=3)
    assert time.perf_counter() - started < 2
    assert found == compare(*pair, (1, 5, 10), seed=3) != compare(*pair, (1, 5, 10), seed=4)


def test_long_lists_have_fewer_resamples():
    assert resamples(100) == MOST_RESAMPLES
    assert FEWEST_RESAMPLES < resamples(2_000) < MOST_RESAMPLES
    assert resamples(22_000) == FEWEST_RESAMPLES

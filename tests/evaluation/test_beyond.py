"""Coverage, novelty and Gini by hand and by their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from genrec.evaluation.beyond import ItemTally, coverage, gini, novelty

COUNTS = arrays(np.int64, st.integers(1, 20), elements=st.integers(0, 50))


def test_lists_by_hand():
    """Lists 1 2 and 1 (short) of four items that training shows 4, 2, 2 and 0 times."""
    tally = ItemTally(4, (1, 2))
    tally.add(np.array([[1, 2], [1, 0]]))
    found = tally.summarise(np.array([4, 2, 2, 0]))
    assert found == {
        "coverage@1": 1 / 4,
        "coverage@2": 2 / 4,
        "novelty@1": 1.0,  # -log2(4 / 8)
        "novelty@2": pytest.approx((1 + 2 + 1) / 3),
        "Gini@1": 3 / 4,  # all lists show one item of four
        "Gini@2": pytest.approx((-3 * 0 - 1 * 0 + 1 * 1 + 3 * 2) / (4 * 3)),
    }


def test_an_item_that_training_never_shows_counts_as_shown_once():
    assert novelty(np.array([0, 5]), np.array([8, 0])) == 3.0


def test_nothing_listed():
    none = np.zeros(3, np.int64)
    assert (coverage(none), novelty(none, np.ones(3, np.int64)), gini(none)) == (0, 0, 0)


@given(COUNTS.filter(lambda counts: counts.sum() > 0))
def test_gini_is_half_the_relative_mean_difference(counts):
    mean_difference = np.abs(counts[:, None] - counts[None, :]).mean()
    assert gini(counts) == pytest.approx(mean_difference / (2 * counts.mean()))
    assert gini(3 * counts) == pytest.approx(gini(counts))
    assert 0 <= gini(counts) < 1


@given(arrays(np.int64, st.tuples(st.integers(1, 12), st.just(4)), elements=st.integers(0, 6)), st.integers(1, 12))
def test_batches_add_up(lists, cut):
    """A watched ranker's lists pass unchanged, and count as if they came at once."""
    whole, tally = ItemTally(6, (1, 3)), ItemTally(6, (1, 3))
    whole.add(lists)
    rank = tally.watch(lambda users, histories, exclude_seen: lists[users])
    for users in (np.arange(min(cut, len(lists))), np.arange(cut, len(lists))):
        assert (rank(users, lists, False) == lists[users]).all()
    for k in (1, 3):
        assert tally.counts[k][1:].tolist() == whole.counts[k][1:].tolist()
        assert whole.counts[k].sum() == lists[:, :k].size
        assert whole.counts[k][2] == (lists[:, :k] == 2).sum()

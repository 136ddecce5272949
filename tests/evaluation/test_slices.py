"""Slices of the users by hand, and that they make up the whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from genrec.evaluation.metrics import summarise
from genrec.evaluation.popularity import GROUPS, popularity_groups, train_counts
from genrec.evaluation.protocol import Cases
from genrec.evaluation.slices import make_slicings
from tests.data.helpers import sequences


def test_popularity_is_that_of_the_training_part():
    """Of 1 2 2 9 9 the last two are not for training; the second user's only item is."""
    assert train_counts(sequences([1, 2, 2, 9, 9], [1]), 9).tolist() == [2, 2, 0, 0, 0, 0, 0, 0, 0]


def test_groups_by_hand():
    """Of 12 interactions 0 lie above items of 3 (less than 4: head), 6 above those of 2, 10 above those of 1."""
    groups = [GROUPS[place] for place in popularity_groups(np.array([3, 1, 2, 0, 3, 1, 2]))]
    assert groups == ["head", "tail", "middle", "unseen", "head", "tail", "middle"]


@given(arrays(np.int64, st.integers(1, 30), elements=st.integers(0, 20)).filter(lambda counts: counts.sum() > 0))
def test_more_popular_items_are_never_in_a_lower_group(counts):
    groups = popularity_groups(counts)
    assert (groups[counts == counts.max()] == 0).all()
    assert ((groups == 3) == (counts == 0)).all()
    order = np.argsort(-counts)
    assert (np.diff(groups[order]) >= 0).all()
    for item in np.flatnonzero(counts):
        above = counts[counts > counts[item]].sum()
        assert groups[item] * counts.sum() <= 3 * above < (groups[item] + 1) * counts.sum()


def test_slices_by_hand():
    """Histories of 5, 6, 20 and 21 items; targets 1 (popular) twice, 2 (of the tail) and 3 (never trained on)."""
    cases = Cases(sequences([1]), np.array([1, 2, 3, 4]), np.array([5, 6, 20, 21]), np.array([1, 1, 2, 3]))
    ranks = np.array([1, 3, 0, 2])
    found = {
        name: slicing.measure(ranks, 10) for name, slicing in make_slicings(cases, np.array([9, 1, 0])).items()
    }
    rows = {
        name: [(row["slice"], row["users"], row["metrics"].get("HR@10")) for row in found[name]] for name in found
    }
    assert rows["history"] == [("1-5", 1, 1.0), ("6-10", 1, 1.0), ("11-20", 1, 0.0), ("over 20", 1, 1.0)]
    assert rows["popularity"] == [("head", 2, 1.0), ("middle", 0, None), ("tail", 1, 0.0), ("unseen", 1, 1.0)]
    assert found["popularity"][0]["metrics"]["NDCG@10"] == pytest.approx((1 + 1 / 2) / 2)
    assert found["popularity"][1]["intervals"] == {}


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 9), st.integers(0, 12)), min_size=1, max_size=30))
def test_slices_make_up_the_whole(rows):
    positions, targets, ranks = np.array(rows).T
    cases = Cases(sequences([1]), np.arange(1, len(rows) + 1), positions, targets)
    whole, _ = summarise(ranks, (10,))
    for slicing in make_slicings(cases, np.array([9, 5, 4, 3, 2, 2, 1, 0, 0])).values():
        parts = [part for part in slicing.measure(ranks, 10) if part["users"]]
        assert sum(part["users"] for part in parts) == len(rows)
        for metric, value in whole.items():
            mean = sum(part["users"] * part["metrics"][metric] for part in parts) / len(rows)
            assert mean == pytest.approx(value)

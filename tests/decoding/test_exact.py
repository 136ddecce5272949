"""Exact scores against brute force and against a search with as many beams as there are items."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.decoding.exact import ExactScores
from genrec.decoding.scorer import TorchScorer
from genrec.indexing.scheme import own_scheme
from genrec.indexing.tokens import TokenScheme, pad_rows
from tests.data.helpers import sequences
from tests.helpers import ITEMS, MAX_LENGTH, USERS, make_model, text_like_scheme
from tests.oracle import Oracle

HISTORIES = np.array([[1, 2, 3, 4, 5], [7, 0, 0, 0, 0], [0, 0, 0, 0, 0], [40, 40, 39, 1, 0]])
PEOPLE = np.array([1, 0, 5, 30])


def made(depth: int) -> TokenScheme:
    """Own tokens of a depth; 0 stands for tokens of different lengths."""
    if not depth:
        return text_like_scheme()
    return own_scheme(sequences([1, 2, 3]), ITEMS, "random", seed=3, depth=depth)


@pytest.fixture(scope="module", params=[0, 1, 2, 3, 5])
def case(request):
    scheme = made(request.param)
    return make_model(scheme, USERS, seed=request.param), scheme


@pytest.mark.parametrize("piece", [1, 3, 128])
def test_equal_to_brute_force(case, piece):
    """Whatever the size of the pieces."""
    model, scheme = case
    found = ExactScores(model, scheme, piece)(torch.from_numpy(HISTORIES), torch.from_numpy(PEOPLE)).numpy()
    oracle = Oracle(model, scheme, MAX_LENGTH)
    for row, history, user in zip(found, HISTORIES, PEOPLE, strict=True):
        exact = oracle.scores([int(item) for item in history if item], int(user))
        assert row[0] == -np.inf
        assert row[1:] == pytest.approx([exact[item] for item in range(1, ITEMS + 1)], abs=2e-5)


def test_equal_to_a_search_with_as_many_beams_as_items(case):
    model, scheme = case
    found = ExactScores(model, scheme)(torch.from_numpy(HISTORIES), torch.from_numpy(PEOPLE)).numpy()
    items, scores = TorchScorer(model, scheme, beams=ITEMS)(HISTORIES, PEOPLE, exclude_seen=False, k=ITEMS)
    assert np.take_along_axis(found, items, 1) == pytest.approx(scores, abs=2e-5)


def test_an_item_head_is_mixed_in(case):
    model, scheme = case
    model.config.mask_token, model.config.item_share = scheme.special.mask, 0.4
    found = ExactScores(model, scheme)(torch.from_numpy(HISTORIES), torch.from_numpy(PEOPLE)).numpy()
    items, scores = TorchScorer(model, scheme, beams=ITEMS)(HISTORIES, PEOPLE, exclude_seen=False, k=ITEMS)
    model.config.item_share = 0.0
    alone = ExactScores(model, scheme)(torch.from_numpy(HISTORIES), torch.from_numpy(PEOPLE)).numpy()
    assert np.take_along_axis(found, items, 1) == pytest.approx(scores, abs=2e-5)
    assert np.exp(found).sum(1) == pytest.approx(1, abs=1e-5)
    assert np.abs(found[:, 1:] - alone[:, 1:]).max() > 0.1


def test_numbers_that_are_nobodys(case):
    """Items and users of a newer dataset are none for the model."""
    model, scheme = case
    exact = ExactScores(model, scheme)
    strange = exact(torch.tensor([[3, ITEMS + 1, -1, 4]]), torch.tensor([USERS + 1]))
    plain = exact(torch.tensor([[3, 0, 0, 4]]), torch.tensor([0]))
    assert torch.equal(strange, plain)


@settings(max_examples=25, deadline=None)
@given(st.sets(st.lists(st.integers(4, 8), min_size=1, max_size=4).map(tuple), min_size=1, max_size=40))
def test_any_tree_is_a_distribution(paths):
    """Trees of any shape, items that end above others included; [END] tells them apart."""
    scheme = text_like_scheme(items=1)
    rows = pad_rows([[], *([*path, scheme.special.end] for path in sorted(paths))], scheme.special.pad)
    scheme = TokenScheme("text", rows, scheme.user_tokens, scheme.special, scheme.vocabulary)
    model = make_model(scheme, USERS)
    scores = ExactScores(model, scheme, piece=2)(torch.tensor([[1, 0]]), torch.tensor([1])).double()
    assert float(scores.exp().sum()) == pytest.approx(1, abs=1e-5)
    items, expected = TorchScorer(model, scheme, len(paths))([[1]], [1], exclude_seen=False)
    assert scores[0, items[0]].numpy() == pytest.approx(expected[0], abs=2e-5)

"""Lists of a reference model: exclusions inside, scores over the whole catalogue, ties by item."""

import numpy as np
import pytest
import torch

from genrec.baselines.base import ItemModel
from genrec.baselines.scorer import ItemScorer, best, newest
from genrec.baselines.settings import make_baseline_config

ITEMS = 6


class Table(ItemModel):
    """Scores by the newest item alone."""

    def __init__(self, max_length=3):
        super().__init__(make_baseline_config({"model": "sasrec", "max_length": max_length}), 2, ITEMS)
        self.logits = torch.nn.Parameter(torch.arange(49.0).reshape(7, 7) % 5)

    def examples(self, phase, train):
        raise NotImplementedError

    def loss(self, labels, **inputs):
        raise NotImplementedError

    def score(self, items, users):
        last = ((items != 0).sum(1) - 1).clamp(min=0)
        return self.logits[items[torch.arange(len(items)), last]]


def brute_force(model, history, exclude_seen, banned, allowed, k):
    logits = model.logits[history[-1] if history else 0].detach()[1:]
    scores = torch.log_softmax(logits, 0).tolist()
    out = set(banned) | (set(history) if exclude_seen else set())
    left = [item for item in range(1, ITEMS + 1) if item not in out and (not allowed or item in allowed)]
    ranked = sorted(left, key=lambda item: (-scores[item - 1], item))[:k]
    return ranked, [scores[item - 1] for item in ranked]


@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("k", [2, 9])
def test_lists_are_those_of_brute_force(exclude_seen, k):
    model = Table()
    histories = [[1, 2, 3, 4, 5], [], [2], [3, 3, 6]]
    banned, allowed = [[1], [], [], [2, 4]], [[], [2, 5], [3, 99], []]
    items, scores = ItemScorer(model)(histories, [1, 0, 2, 7], exclude_seen, banned, allowed, k)
    assert items.shape == scores.shape == (4, k)
    for row in range(4):
        ranked, values = brute_force(model, histories[row], exclude_seen, banned[row], allowed[row], k)
        assert items[row].tolist() == ranked + [0] * (k - len(ranked))
        np.testing.assert_allclose(scores[row, : len(ranked)], values, atol=1e-6)
        assert (scores[row, len(ranked) :] == -np.inf).all()


def test_scores_are_probabilities_of_the_catalogue():
    _, scores = ItemScorer(Table())([[1]], [0], False, k=ITEMS)
    assert np.exp(scores).sum() == pytest.approx(1)


def test_a_list_without_a_known_item_allows_nothing():
    items, _ = ItemScorer(Table())([[1]], [0], False, allowed=[[99]], k=2)
    assert items.tolist() == [[0, 0]]


def test_seen_items_are_those_of_the_whole_history():
    items, _ = ItemScorer(Table(max_length=1))([[1, 2, 3, 4, 5]], [0], True, k=ITEMS)
    assert items.tolist() == [[6, 0, 0, 0, 0, 0]]


def test_the_newest_items_are_kept_wherever_padding_stands():
    rows = torch.tensor([[0, 1, 0, 2, 3], [4, 0, 0, 0, 0], [0, 0, 0, 0, 0], [5, 6, 7, 8, 9]])
    assert newest(rows, 3).tolist() == [[1, 2, 3], [4, 0, 0], [0, 0, 0], [7, 8, 9]]
    assert newest(rows, 9).tolist() == [[1, 2, 3, 0, 0], [4, 0, 0, 0, 0], [0] * 5, [5, 6, 7, 8, 9]]


def test_ties_go_to_the_lower_item_for_scores_of_either_sign():
    scores = torch.tensor([[1.0, 2.0, 1.0, -3.0, -3.0, 2.0, 0.0, -0.0, -torch.inf]])
    for k in (1, 2, 3, 5, 7):
        assert best(scores, k)[0].tolist() == [[2, 6, 1, 3, 7, 8, 4, 5][:k]]
    items, found = best(scores, 9)
    assert items.tolist() == [[2, 6, 1, 3, 7, 8, 4, 5, 0]]
    assert found.tolist() == [[2.0, 2.0, 1.0, 1.0, 0.0, 0.0, -3.0, -3.0, -np.inf]]

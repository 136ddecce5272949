"""GRU4Rec: its states know the past alone, and it learns under each of its losses."""

import pytest
import torch

from tests.baselines.grammars import last
from tests.baselines.helpers import batch_of, hit_rate, learn, make_model, random_model


def test_the_future_changes_nothing():
    model = random_model("gru4rec", layers=2)
    a, b = torch.tensor([[1, 2, 3, 4]]), torch.tensor([[1, 2, 9, 5]])
    torch.testing.assert_close(model.states(a)[:, :2], model.states(b)[:, :2])
    assert not torch.allclose(model.states(a)[:, 2], model.states(b)[:, 2])


def test_one_pass_teaches_what_all_prefixes_teach():
    rows = [[1, 2, 3, 4], [5, 6], [7, 8, 2]]
    losses = []
    for targets in ("every", "last"):
        model = random_model("gru4rec", targets=targets)
        losses.append(model.loss(**batch_of(model, rows)))
    torch.testing.assert_close(*losses)


@pytest.mark.parametrize("loss", ["bpr", "top1", "bpr-max"])
def test_it_learns_under_the_papers_losses(loss):
    """No item of the user's is drawn against a target, so those are asked about that go on."""
    grammar = last()
    model = make_model("gru4rec", grammar.items, d_model=32, hidden=32, dropout=0.0, loss=loss, negatives=16)
    learn(model, grammar.rows, 150, rate=0.01)
    seen = [row[-1:] for row in grammar.histories]
    assert hit_rate(model, seen, grammar.targets) > 0.9

"""HGN and Caser: their equations, one user and one item at a time, and whom they know."""

import pytest
import torch

from tests.baselines.grammars import last
from tests.baselines.helpers import batch_of, hit_rate, learn, make_model, random_model, score, sequences

both = pytest.mark.parametrize("name", ["caser", "hgn"])


def test_hgn_is_the_papers_equations():
    model = random_model("hgn", max_length=3)
    user, rows = model.users.rows.weight[2], model.items.weight[[4, 7]]
    features = [
        row
        * torch.sigmoid(
            model.feature_item.weight @ row + model.feature_item.bias + model.feature_user.weight @ user
        )
        for row in rows
    ]
    places = (model.instance_user.weight @ user)[1:]  # the newest item has the last place
    gates = [torch.sigmoid(model.instance_item.weight[0] @ f + p) for f, p in zip(features, places, strict=True)]
    pooled = sum(feature * gate for feature, gate in zip(features, gates, strict=True)) / 2
    for item in (1, 9):
        output = model.outputs.weight[item]
        expected = user @ output + pooled @ output + sum(row @ output for row in rows) + model.bias[item]
        torch.testing.assert_close(score(model, [[4, 7]], [2])[0, item], expected.detach())


def test_caser_is_the_papers_equations():
    model = random_model("caser", max_length=3)
    image = torch.stack([torch.zeros(8), model.items.weight[4], model.items.weight[7]])  # [L, d]
    found = []
    for height, filters in enumerate(model.horizontal, start=1):
        for weight, bias in zip(filters.weight, filters.bias, strict=True):  # [d, height]
            values = [(image[i : i + height].T * weight).sum() + bias for i in range(3 - height + 1)]
            found.append(torch.stack(values).relu().max())
    vertical = torch.stack([image.T @ weight for weight in model.vertical.weight], 1)  # [d, vertical]
    joined = torch.cat([torch.stack(found), vertical.flatten()])
    state = (model.joined.weight @ joined + model.joined.bias).relu()
    state = torch.cat([state, model.users.rows.weight[2]])
    expected = model.outputs.weight @ state + model.bias
    torch.testing.assert_close(score(model, [[4, 7]], [2])[0, 1:], expected.detach()[1:])


@both
def test_users_without_a_target_are_unknown_users(name):
    model = random_model(name)
    model.observe(sequences([[1, 2, 3], [4], [], [5, 6]]))
    rows = [[1, 2]] * 5
    found = score(model, rows, [0, 1, 2, 3, 4])
    torch.testing.assert_close(found[2:4], found[[0, 0]])
    assert not torch.allclose(found[1], found[0])
    assert not torch.allclose(found[4], found[0])


@both
def test_a_user_tells_what_the_window_does_not(name):
    """next = f(user): all histories are the same."""
    rows = [[1, 2 + user] for user in range(8)]
    model = make_model(name, items=10, users=8, d_model=16, dropout=0.0, user_dropout=0.2)
    model.observe(sequences(rows))
    learn(model, rows, 100, rate=0.02)
    found = score(model, [[1]] * 8, list(range(1, 9)))[:, 1:].argmax(1) + 1
    assert found.tolist() == [row[1] for row in rows]
    alone = score(model, [[1]])[0].softmax(0)
    assert (alone[2:10] > 0.05).all()


@both
def test_the_next_items_are_taught_and_nothing_of_them_is_shown(name):
    model = random_model(name, max_length=2, ahead=3)
    batch = batch_of(model, [[1, 2, 3, 4, 5], [6], [7, 8]])
    assert batch["users"].tolist() == [1, 1, 1, 1, 3]
    assert batch["items"].tolist() == [[1, 0], [1, 2], [2, 3], [3, 4], [7, 0]]
    assert batch["labels"].tolist() == [[2, 3, 4], [3, 4, 5], [4, 5, -100], [5, -100, -100], [8, -100, -100]]
    single = [
        model.loss(**{**batch, "labels": torch.where(torch.arange(3) == place, batch["labels"], -100)})
        for place in range(3)
    ]
    torch.testing.assert_close(model.loss(**batch), sum(single))


@pytest.mark.parametrize(("name", "loss"), [("caser", "bce"), ("hgn", "bpr")])
def test_they_learn_under_the_papers_losses(name, loss):
    """No item of the user's is drawn against a target, so the oldest are asked about."""
    grammar = last()
    settings = {"max_length": 2, "dropout": 0.0, "user_dropout": 1, "loss": loss, "negatives": 8}
    model = make_model(name, grammar.items, len(grammar.rows), d_model=32, **settings)
    learn(model, grammar.rows, 200, rate=0.01)
    assert hit_rate(model, [row[-1:] for row in grammar.histories], grammar.targets) > 0.9

"""BERT4Rec: what it hides, and that it sees both ways but never what is hidden."""

import numpy as np
import torch

from genrec.baselines.examples import Cloze
from tests.baselines.grammars import last
from tests.baselines.helpers import batch_of, learn, make_model, random_model, score, sequences

ROWS = [[1, 2, 3, 4, 5, 6, 7], [8], [], [9, 10, 11]]


def test_what_is_hidden_does_not_show():
    model = random_model("bert4rec", mask_share=0.5)
    batch = batch_of(model, ROWS)
    hidden = batch["labels"] != -100
    other = torch.where(hidden, batch["items"] % 12 + 1, batch["items"])
    torch.testing.assert_close(model.loss(batch["labels"], other), model.loss(**batch))


def test_a_hidden_item_is_told_by_those_before_and_after():
    model = random_model("bert4rec")
    hidden, count = torch.tensor([[False, True, False]]), torch.tensor([[3]])
    states = [model.states(torch.tensor([row]), hidden, count)[0, 1] for row in ([1, 2, 3], [1, 2, 4], [5, 2, 3])]
    assert not torch.allclose(states[0], states[1])
    assert not torch.allclose(states[0], states[2])


def test_a_prediction_is_that_of_the_newest_item_hidden():
    model = random_model("bert4rec", newest_share=1.0, prefixes="last")
    model.known[:] = True
    model.known[0] = False
    batch = batch_of(model, [[1, 2, 3]])
    expected = -score(model, [[1, 2]])[0, 1:].log_softmax(0)[2]
    torch.testing.assert_close(model.loss(**batch).detach(), expected)


def test_it_learns_an_item_from_those_after_it():
    """Nothing stands before the first item of a row."""
    grammar = last()
    settings = {
        "d_model": 32,
        "ffn_dim": 64,
        "dropout": 0.0,
        "mask_share": 0.3,
        "newest_share": 0.0,
        "prefixes": "all",
    }
    model = make_model("bert4rec", grammar.items, **settings)
    learn(model, grammar.rows, 900, rate=0.002)
    items = torch.tensor(grammar.rows)  # [20, 4]
    hidden = (torch.arange(4) == 0).expand_as(items)
    states = model.states(items, hidden, torch.full((20, 1), 4))[:, 0]
    found = model.rank(states, model.items.weight, model.bias)[:, 1:].argmax(1) + 1
    assert (found == items[:, 0]).float().mean() > 0.8  # chance is 0.05; the last few depend on the processor


def test_examples_hide_their_share_anew_each_epoch():
    rows = [list(range(1, 21)) for _ in range(200)]
    examples = Cloze(sequences(rows), 50, share=0.3, newest=0.25, seed=1, prefixes=False)
    everything = np.arange(len(examples))
    first, second = (examples.arrays(everything, epoch)["labels"] > 0 for epoch in (0, 1))
    alone = (first.sum(1) == 1) & first[:, -1]
    assert abs(alone.mean() - 0.25) < 0.1
    assert abs(first[~alone].mean() - 0.3) < 0.03
    assert (first != second).any(1).mean() > 0.7
    assert (first == (examples.arrays(everything, 0)["labels"] > 0)).all()
    part = examples.arrays(everything[50:60], 0)["labels"] > 0
    assert (part == first[50:60]).all()


def test_long_parts_give_pieces_and_prefixes_an_example_each():
    pieces = Cloze(sequences(ROWS), 4, share=0.5, newest=0.0, seed=1, prefixes=False)
    shown = [row[row > 0].tolist() for row in pieces.arrays(np.arange(len(pieces)), 0)["items"]]
    assert shown == [[4, 5, 6, 7], [1, 2, 3, 4], [9, 10, 11]]
    prefixes = Cloze(sequences(ROWS), 4, share=0.5, newest=0.0, seed=1, prefixes=True)
    made = prefixes.arrays(np.arange(len(prefixes)), 0)
    shown = [row[row > 0].tolist() for row in made["items"]]
    assert shown == [
        [1, 2],
        [1, 2, 3],
        [1, 2, 3, 4],
        [2, 3, 4, 5],
        [3, 4, 5, 6],
        [4, 5, 6, 7],
        [9, 10],
        [9, 10, 11],
    ]
    assert (made["labels"] > 0).any(1).all()


def test_a_new_model_prefers_none_of_the_items_it_sees():
    """With an identity for W^P they would be first in almost all lists."""
    items = 300
    model = make_model("bert4rec", items, d_model=64).eval()
    model.known[1:] = True
    rows = torch.randint(1, items + 1, (400, 3), generator=torch.Generator().manual_seed(0))
    scores = score(model, rows.tolist())[:, 1:]
    rank = (scores.unsqueeze(1) > scores.gather(1, rows - 1).unsqueeze(2)).sum(2)
    assert abs(rank.float().mean() / (items - 1) - 0.5) < 0.1

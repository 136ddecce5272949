"""Which rules of the next item P5 learns.

Sets it learns slowly, orders of their items first; attributes only as far as tokens tell them.
"""

import numpy as np
import pytest
import torch

from genrec.baselines.p5.recommender import P5Scorer
from genrec.data.dataset import load_dataset
from genrec.training.p5 import BuiltP5
from tests.baselines.grammars import GRAMMARS
from tests.baselines.helpers import sequences
from tests.baselines.p5.helpers import settings
from tests.helpers import write_dataset

STEPS = {"last": 120, "last two": 600, "set": 1800, "attribute": 200}


def taught(rule, folder, **given):
    """Takes steps of training on random batches; hits among the histories that are asked."""
    torch.set_num_threads(1)
    grammar = GRAMMARS[rule]()
    users = [f"u{n}" for n in range(len(grammar.rows))]
    items = [f"i{n}" for n in range(grammar.items)]
    write_dataset(folder, users, items, grammar.rows, grammar.attributes)
    shape = {"d_model": 32, "ffn_dim": 64, "max_length": 4, "dropout": 0.0, "user_dropout": 1}
    built = BuiltP5(settings(**shape, **given), load_dataset(folder))
    collate, rng = built.collator("finetune", sequences(grammar.rows)), np.random.default_rng(0)
    optimiser = torch.optim.Adam(built.model.parameters(), 0.003)
    built.model.train()
    for step in range(STEPS[rule]):
        drawn = rng.integers(0, len(collate.examples), 64)
        optimiser.zero_grad()
        built.model(**collate([(step, int(number)) for number in drawn])).loss.backward()
        optimiser.step()
    scorer = P5Scorer(built.model.eval(), built.scheme, 5)
    items, _ = scorer(grammar.histories, [0] * len(grammar.histories), exclude_seen=False)
    return float((items[:, 0] == grammar.targets).mean())


def test_it_learns_that_the_last_item_tells_the_next(tmp_path):
    assert taught("last", tmp_path / "data") > 0.9


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "least"), [("last two", 0.85), ("set", 0.4)])
def test_it_learns_what_several_items_tell_together(rule, least, tmp_path):
    assert taught(rule, tmp_path / "data") > least  # by chance 0.14 and 0.05


@pytest.mark.slow
def test_an_attribute_tells_where_tokens_are_made_of_it(tmp_path):
    assert taught("attribute", tmp_path / "semantic", indexing="semantic") > 0.6
    assert taught("attribute", tmp_path / "sequential") < 0.3

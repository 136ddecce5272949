"""Which grammars each reference model learns, and which it cannot."""

from pathlib import Path

import pytest
import torch

from tests.baselines.grammars import GRAMMARS, a_set
from tests.baselines.helpers import hit_rate, learn, make_model

ALL = set(GRAMMARS)
LEARNS = {
    "bert4rec": {"last", "last two", "set"},
    "caser": {"last", "last two", "set"},
    "fdsa": ALL,
    "gru4rec": {"last", "last two", "set"},
    "hgn": {"last", "set"},
    "s3rec": ALL,
    "sasrec": {"last", "last two", "set"},
}
"""What each model learns; it cannot learn the other grammars."""
TRANSFORMER = {"heads": 2, "ffn_dim": 64, "max_length": 4}
QUICK = {
    "bert4rec": {**TRANSFORMER, "mask_share": 0.2, "newest_share": 1.0, "prefixes": "all"},
    "caser": {"horizontal": 8, "vertical": 4, "max_length": 3, "user_dropout": 1},
    "fdsa": TRANSFORMER,
    "gru4rec": {"hidden": 32},
    "hgn": {"max_length": 3, "user_dropout": 1},
    "s3rec": {**TRANSFORMER, "aap": 1.0, "mip": 0.0, "sp": 0.0},
    "sasrec": TRANSFORMER,
}
STEPS = {"last": 150, "last two": 350, "set": 500, "attribute": 100}
SLOW = {"bert4rec": 2}
"""Of the models that need more steps."""
RATE = dict.fromkeys(["bert4rec", "fdsa", "s3rec", "sasrec"], 0.003)
"""Of the models that do not learn at 0.01."""


def taught(name, grammar, steps, **settings):
    given = {"d_model": 32, "dropout": 0.0, **QUICK[name], **settings}
    attributes = [[number, 0] for number in grammar.attributes]
    model = make_model(name, grammar.items, len(grammar.rows), attributes, **given)
    model.known[1:] = True
    if name == "s3rec" and len(set(grammar.attributes)) > 1:  # else there is nothing to pretrain on
        learn(model, grammar.rows, 200, 0.01, "pretrain")
    learn(model, grammar.rows, SLOW.get(name, 1) * steps, rate=RATE.get(name, 0.01))
    return model


def test_the_documentation_says_the_same():
    text = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    _, _, table = text.partition("| model | last | last two | set | attribute |")
    for name, learned in LEARNS.items():
        (line,) = (line for line in table.splitlines() if line.startswith(f"| `{name}` |"))
        marks = [cell.strip() for cell in line.split("|")[2:-1]]
        assert {rule for rule, mark in zip(GRAMMARS, marks, strict=True) if mark == "x"} == learned


@pytest.mark.parametrize("rule", GRAMMARS)
@pytest.mark.parametrize("name", LEARNS)
def test_what_each_model_learns(name, rule):
    grammar = GRAMMARS[rule]()
    torch.set_num_threads(1)
    model = taught(name, grammar, STEPS[rule])
    rate = hit_rate(model, grammar.histories, grammar.targets)
    if rule in LEARNS[name]:
        assert rate > 0.85
    else:
        assert rate < 0.5


@pytest.mark.parametrize("name", ["caser", "hgn"])
def test_a_window_shorter_than_the_set_does_not_tell(name):
    grammar = a_set()
    model = taught(name, grammar, STEPS["set"], max_length=2)
    assert hit_rate(model, grammar.histories, grammar.targets) < 0.5

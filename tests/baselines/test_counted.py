"""Popularity and transition counts as models: their runs and bundles rank as what `genrec eval` compares with."""

import json

import pytest
import torch

import genrec
from genrec.baselines.base import load_item_model
from genrec.baselines.settings import make_baseline_config
from genrec.data.followers import REACHES
from genrec.errors import GenRecError
from genrec.ids import FINETUNE, PRETRAIN
from tests.baselines.grammars import GRAMMARS
from tests.baselines.helpers import hit_rate
from tests.helpers import make_dataset, write_dataset


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("data") / "data")


@pytest.mark.parametrize("model", ["popularity", "transitions"])
def test_a_run_ranks_as_the_reference_does(data, tmp_path, model):
    result = genrec.train(data, tmp_path / "run", model=model)
    assert result["epochs"] == {PRETRAIN: 0, FINETUNE: 0}
    assert result["best"]["valid"]["NDCG@10"] > 0
    for exclude_seen in (False, True):
        found = genrec.evaluate(tmp_path / "run", against=[model], exclude_seen=exclude_seen)
        assert found["metrics"] == pytest.approx(found["against"][0]["metrics"])
    exported = genrec.export(tmp_path / "run", tmp_path / "bundle", k=5)
    assert exported["parity"]["same_top_k"] == 1
    manifest = json.loads((tmp_path / "bundle" / "manifest.json").read_text())
    assert (manifest["model_type"], manifest["indexing"]) == (model, None)
    ours, theirs = (
        genrec.load(tmp_path / name).recommend(history=["i3", "i4"], k=5) for name in ("run", "bundle")
    )
    assert [row["item"] for row in ours["items"]] == [row["item"] for row in theirs["items"]]


@pytest.mark.parametrize(("model", "learns"), [("popularity", set()), ("transitions", {"last"})])
@pytest.mark.parametrize("rule", GRAMMARS)
def test_what_each_knows(model, learns, rule, tmp_path):
    grammar = GRAMMARS[rule]()
    users, items = ([f"{kind}{number}" for number in range(count)] for kind, count in _counts(grammar))
    rows = [[*row, row[0], row[0]] for row in grammar.rows]  # the last two are for validation and test
    write_dataset(tmp_path / "data", users, items, rows, grammar.attributes)
    genrec.train(tmp_path / "data", tmp_path / "run", model=model)
    rate = hit_rate(load_item_model(tmp_path / "run"), grammar.histories, grammar.targets)
    assert rate > 0.85 if rule in learns else rate < 0.5


def _counts(grammar):
    return (("u", len(grammar.rows)), ("i", grammar.items))


def test_there_is_nothing_to_train(data, tmp_path):
    with pytest.raises(GenRecError, match="transitions counts once, in no epochs"):
        genrec.train(data, tmp_path / "run", model="transitions", settings={"finetune_epochs": 2})
    with pytest.raises(GenRecError, match="unknown setting 'd_model' of popularity"):
        genrec.train(data, tmp_path / "run", model="popularity", settings={"d_model": 2})
    assert not (tmp_path / "run").exists()


def test_as_many_items_are_read_as_the_longest_reach_has_steps():
    assert make_baseline_config({"model": "transitions"}).max_length == max(reach.steps for reach in REACHES)


def test_a_damaged_decay_is_told(data, tmp_path):
    genrec.train(data, tmp_path / "run", model="transitions")
    content = json.loads((tmp_path / "run" / "config.json").read_text())
    content["sizes"]["decay"] = 1.0
    (tmp_path / "run" / "config.json").write_text(json.dumps(content))
    with pytest.raises(GenRecError, match=r"config.json beside it is damaged .*decay 1\.0"):
        load_item_model(tmp_path / "run")


def test_without_validation_items_the_nearest_count(tmp_path):
    write_dataset(tmp_path / "data", ["u0", "u1"], ["i0", "i1", "i2"], [[1, 2], [2, 3]])
    genrec.train(tmp_path / "data", tmp_path / "run", model="transitions")
    model = load_item_model(tmp_path / "run")
    assert model.prior.reach.decay == 0.5
    assert torch.isfinite(model.score(torch.tensor([[1, 0]]), torch.tensor([0]))).all()

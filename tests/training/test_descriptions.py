"""Titles and attributes as a part of the items' embeddings."""

from itertools import pairwise

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

import genrec
from genrec.data.dataset import load_dataset
from genrec.data.tables import read_table
from genrec.decoding.scorer import TorchScorer
from genrec.files import read_json
from genrec.ids import CONFIG_FILE, ITEMS_FILE
from genrec.model.checkpoint import load_run
from genrec.settings import make_config
from genrec.training.build import build
from genrec.training.session import Session
from tests.helpers import ITEMS, make_dataset, write_dataset
from tests.training.helpers import assert_equal_weights

QUICK = {
    "d_model": 16,
    "encoder_layers": 1,
    "ffn_dim": 32,
    "heads": 2,
    "finetune_epochs": 2,
    "batch_size": 16,
    "epoch_examples": 64,
    "item_descriptions": True,
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("data") / "random")


def built_with(dataset, **settings):
    return build(make_config({"preset": "small", **QUICK, **settings}), load_dataset(dataset))


def test_items_described_alike_are_alike_and_unseen_ones_carry_nothing(tmp_path):
    rows = [[1, 2, 3, 4, 9, 9], [2, 3, 4, 5, 9, 9]]
    write_dataset(
        tmp_path / "data", ["a", "b"], [f"i{n}" for n in range(1, 10)], rows, genres=[1, 1, 1, 2, 2, 2, 3, 3, 3]
    )
    encoder = built_with(tmp_path / "data").model.model.encoder
    with torch.no_grad():
        table = encoder.item_table()
        said = table - encoder.item_embedding.weight
        torch.testing.assert_close(encoder.embed_items(torch.tensor([[4, 0]]))[0], table[[4, 0]])
    torch.testing.assert_close(said[1], said[2])
    assert not torch.allclose(said[1], said[4])
    assert not table[[0, 6, 7, 8, 9]].any()


def test_terms_add_up_by_their_weights(tmp_path):
    rows = [[1, 2, 3, 9, 9], [4, 5, 6, 9, 9]]
    write_dataset(
        tmp_path / "data", ["a", "b"], [f"i{n}" for n in range(1, 10)], rows, genres=[1, 1, 2, 2, 3, 3, 3, 3, 3]
    )
    encoder = built_with(tmp_path / "data").model.model.encoder
    expected = encoder.item_embedding.weight.clone()
    starts = [*encoder.term_starts.tolist(), len(encoder.term_numbers)]
    for item, (first, last) in enumerate(pairwise(starts)):
        weights = encoder.term_weights[first:last]
        assert len(weights) == (
            3 if 1 <= item <= 6 else 0
        )  # "title", "of" and a genre; the item's own word is not shared
        if item in (1, 3, 5):
            assert float(weights.square().sum()) == pytest.approx(2)  # of words and attributes
        for number, weight in zip(encoder.term_numbers[first:last].tolist(), weights, strict=True):
            expected[item] += weight * encoder.term_embedding.weight[number]
    torch.testing.assert_close(encoder.item_table(), expected)


def test_folding_changes_nothing_that_is_said(dataset):
    built = built_with(dataset)
    scorer = TorchScorer(built.model.eval(), built.scheme, 5)
    before = scorer([[1, 2, 3], [7]], [0, 0], k=ITEMS)
    built.model.model.encoder.fold_terms()
    assert built.model.config.item_terms == 0
    assert not [name for name in built.model.state_dict() if "term" in name]
    after = TorchScorer(built.model, built.scheme, 5)([[1, 2, 3], [7]], [0, 0], k=ITEMS)
    assert np.array_equal(before[0], after[0])
    np.testing.assert_allclose(before[1], after[1], rtol=1e-4)


def test_without_descriptions_there_are_no_features(dataset, tmp_path):
    assert built_with(dataset, item_descriptions=False).model.config.item_terms == 0
    bare = make_dataset(tmp_path / "bare")
    table = read_table(bare / ITEMS_FILE).drop_columns(["title", "attributes"])
    pq.write_table(table, bare / ITEMS_FILE)
    features = build(make_config({"preset": "small", **QUICK}), load_dataset(bare, verify=False)).model.config
    assert features.item_terms == 0


def test_a_stopped_run_ends_as_an_unbroken_one_and_holds_plain_embeddings(dataset, tmp_path, monkeypatch):
    settings = {**QUICK, "pretrain_epochs": 1}
    genrec.train(dataset, tmp_path / "whole", preset="small", settings=settings)
    original = Session._mark_done

    def stop(session, phase, facts):
        original(session, phase, facts)
        raise KeyboardInterrupt

    monkeypatch.setattr(Session, "_mark_done", stop)
    for _ in range(2):  # after pretraining, and before the end
        with pytest.raises(KeyboardInterrupt):
            genrec.train(dataset, tmp_path / "run", preset="small", settings=settings, resume=True)
    monkeypatch.undo()
    genrec.train(dataset, tmp_path / "run", preset="small", settings=settings, resume=True)
    assert_equal_weights(tmp_path / "whole", tmp_path / "run")
    assert read_json(tmp_path / "run" / CONFIG_FILE)["item_terms"] == 0
    assert genrec.load(tmp_path / "run").recommend(history=["i1"], k=5)["items"]


def test_a_pretrained_run_keeps_its_features_for_finetuning(dataset, tmp_path):
    genrec.pretrain(dataset, tmp_path / "pre", preset="small", settings={**QUICK, "pretrain_epochs": 1})
    assert load_run(tmp_path / "pre", to_learn=True).model.config.item_terms > 0
    assert load_run(tmp_path / "pre").model.config.item_terms == 0
    genrec.finetune(dataset, tmp_path / "run", start=tmp_path / "pre", settings={"finetune_epochs": 1})
    assert load_run(tmp_path / "run").model.config.item_terms == 0

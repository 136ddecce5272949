"""Runs of P5: resumed, from pretrained weights, refused, compared."""

import json

import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast

import genrec
from genrec.baselines.p5.recommender import load_p5
from genrec.baselines.settings import make_baseline_config
from genrec.comparing.compare import compare
from genrec.comparing.words import name_of
from genrec.data.dataset import load_dataset
from genrec.data.split import train_part
from genrec.errors import GenRecError
from genrec.runs import find_runs
from genrec.training.session import Session
from tests.baselines.p5.helpers import TINY, settings
from tests.helpers import ITEMS
from tests.training.helpers import assert_equal_weights


def test_a_stopped_run_ends_with_the_weights_of_an_unbroken_one(dataset, tmp_path, monkeypatch):
    quick = {**TINY, "batch_size": 64, "finetune_epochs": 2}
    genrec.train(dataset, tmp_path / "whole", model="p5", settings=quick, seed=1)
    original = Session._note_epoch

    def stop(session, phase, trainer):
        original(session, phase, trainer)
        if trainer.state.epoch >= 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(Session, "_note_epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        genrec.train(dataset, tmp_path / "run", model="p5", settings=quick, seed=1)
    monkeypatch.undo()
    genrec.train(dataset, tmp_path / "run", model="p5", settings=quick, seed=1, resume=True)
    assert_equal_weights(tmp_path / "whole", tmp_path / "run")
    assert len(genrec.load(tmp_path / "run").recommend(user="u3", k=25)["items"]) == 25
    assert len(genrec.load(tmp_path / "run").recommend(history=["i1"], k=5)["items"]) == 5


@pytest.mark.parametrize("indexing", ["text", "leaky-sequential"])
def test_pretrained_weights(dataset, small_t5, tmp_path, indexing):
    given = {"weights": str(small_t5), "finetune_epochs": 1, "max_length": 6, "indexing": indexing}
    genrec.train(dataset, tmp_path / "run", model="p5", settings=given)
    run = load_p5(tmp_path / "run")
    assert (run.model.config.d_model, run.info["config"]["d_model"], run.model.config.d_kv) == (16, 16, 6)
    result = genrec.evaluate(tmp_path / "run")
    assert result["protocol"]["leaky"] == (indexing == "leaky-sequential")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tmp_path / "run")
    words = {tokenizer.decode(row[row > 0]) for row in run.scheme.user_tokens}
    learned = np.flatnonzero(train_part(load_dataset(dataset).sequences).lengths > 1) + 1
    assert words == {f"user_{number}" for number in (0, *learned)}
    if indexing == "text":
        items = {tokenizer.decode(row[row > 0]) for row in run.scheme.encoder_tokens[1:]}
        assert items == {f"item_{number}" for number in range(1, ITEMS + 1)}
    else:
        assert run.scheme.item_tokens[1:].min() >= len(tokenizer) + 10
        assert run.model.shared.num_embeddings == run.scheme.vocabulary


def test_what_cannot_be_is_told(dataset, small_t5, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for given, told in (
        ({"weights": "google-t5/t5-small"}, "--set weights=FOLDER"),
        ({"weights": str(small_t5), "d_model": 32}, r"d_model 32 \(the weights have 16\)"),
        ({"weights": str(small_t5), "shape": "small"}, "weights have a shape of their own"),
        ({"weights": str(dataset)}, "is no whole T5 model"),
        ({"indexing": "text"}, "needs weights with a tokenizer"),
        ({"heads": 3}, "d_model 64 must be a multiple of heads 3"),
        ({"shape": "large"}, "shape = 'large'"),
        ({"prompt": 10}, "prompt = 10"),
        ({"pretrain_epochs": 1}, "p5 has no pretraining"),
    ):
        with pytest.raises(GenRecError, match=told):
            genrec.train(dataset, tmp_path / "run", model="p5", settings=given)
    assert not (tmp_path / "run").exists()


def test_shapes_are_t5s():
    small = settings(shape="small")
    assert (small.encoder_layers, small.d_model) == (6, 16)  # what is set is kept
    base = make_baseline_config({"model": "p5", "shape": "base"})
    assert (base.d_model, base.encoder_layers, base.heads, base.ffn_dim) == (768, 12, 12, 3072)
    assert make_baseline_config(json.loads(base.model_dump_json())) == base


def test_a_comparison_trains_it_and_says_when_its_tokens_are_leaky(dataset, tmp_path):
    quick = ["p5.d_model=16", "p5.ffn_dim=32", "finetune_epochs=1", "indexing=leaky-sequential"]
    found = compare(dataset, tmp_path / "runs", models=["p5", "popularity"], settings=quick, exclude_seen=True)
    row, _ = found["rows"]
    assert (row["model"], row["indexing"], name_of(row)) == ("p5", "leaky-sequential", "p5 (narrow, leaky)")
    (told,) = find_runs(tmp_path / "runs")
    assert (told["model"], told["indexing"], told["status"]) == ("p5", "leaky-sequential", "finished")
    again = compare(dataset, tmp_path / "runs", models=["p5", "popularity"], settings=quick, exclude_seen=True)
    assert again["rows"][0]["metrics"] == row["metrics"]

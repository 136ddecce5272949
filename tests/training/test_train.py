"""Training end to end on small data: it learns, repeats, resumes, and takes pretrained BART."""

import json

import numpy as np
import pytest
from tokenizers import ByteLevelBPETokenizer
from transformers import BartConfig, BartForConditionalGeneration, BartTokenizerFast

import genrec
from genrec.data.dataset import load_dataset
from genrec.errors import GenRecError
from genrec.ids import RUN_FILE
from genrec.leftovers import OLD, PARTIAL, hidden_name
from genrec.model.checkpoint import finish_run, load_run
from genrec.settings import make_config
from genrec.training.build import build
from tests.helpers import write_dataset
from tests.training.helpers import QUICK, assert_equal_weights, chain_dataset, weights


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return chain_dataset(tmp_path_factory.mktemp("data") / "chain")


def test_it_learns_a_rule_and_reports(dataset, tmp_path):
    settings = {**QUICK, "d_model": 32, "ffn_dim": 64, "finetune_epochs": 8, "patience": 8, "batch_size": 8}
    settings["learning_rate"] = 0.005
    result = genrec.train(dataset, tmp_path / "run", settings=settings)
    assert result["epochs"]["pretrain"] == 2
    assert result["best"]["valid"]["HR@1"] > 0.6  # chance is 0.05
    assert result["examples_per_second"] > 0
    evaluation = genrec.evaluate(tmp_path / "run", against=["popularity"])
    assert evaluation["users"] == 120
    assert evaluation["metrics"]["HR@1"] > 0.4
    assert evaluation["against"][0]["metrics"]["HR@1"] < 0.3
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [line["phase"] for line in lines[:3]] == ["pretrain", "pretrain", "finetune"]
    assert lines[-1]["loss"] < lines[0]["loss"]
    best = max((line for line in lines if "valid" in line), key=lambda line: line["valid"]["NDCG@10"])
    assert result["best"]["epoch"] == best["epoch"]
    assert result["best"]["valid"] == pytest.approx(best["valid"])


def test_two_runs_of_one_seed_are_equal_and_another_seed_differs(dataset, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        genrec.train(dataset, tmp_path / name, settings=QUICK, seed=seed)
    assert_equal_weights(tmp_path / "a", tmp_path / "b")
    assert not np.array_equal(
        weights(tmp_path / "a")["model.shared.weight"], weights(tmp_path / "c")["model.shared.weight"]
    )


def test_few_examples_take_smaller_batches_and_a_lower_rate(dataset, tmp_path):
    settings = {**QUICK, "pretrain_epochs": 0}
    large = {"batch_size": 128, "learning_rate": 0.004}
    genrec.train(dataset, tmp_path / "fitted", settings={**settings, **large, "least_steps": 10})
    genrec.train(dataset, tmp_path / "told", settings={**settings, "batch_size": 32, "learning_rate": 0.002})
    genrec.train(dataset, tmp_path / "as-is", settings={**settings, **large})
    assert_equal_weights(tmp_path / "fitted", tmp_path / "told")
    assert not np.array_equal(
        weights(tmp_path / "fitted")["model.shared.weight"], weights(tmp_path / "as-is")["model.shared.weight"]
    )


def test_batches_that_are_named_are_not_halved():
    preset = make_config({"preset": "small"})
    assert preset.least_steps > 0
    assert make_config({"preset": "small", "batch_size": 512}).least_steps == 0
    assert make_config({"preset": "small", "batch_size": 512, "least_steps": 7}).least_steps == 7
    assert make_config({"preset": "small", "batch_size": preset.batch_size}) == preset


def test_pretraining_and_finetuning_apart_follow_the_same_path(dataset, tmp_path):
    genrec.pretrain(dataset, tmp_path / "pre", settings=QUICK)
    result = genrec.finetune(dataset, tmp_path / "fine", start=tmp_path / "pre")
    assert result["epochs"] == {"pretrain": 0, "finetune": 2}
    genrec.train(dataset, tmp_path / "both", settings=QUICK)
    assert_equal_weights(tmp_path / "fine", tmp_path / "both")


def test_a_finetuning_that_is_resumed_still_starts_from_the_pretrained_run(dataset, tmp_path):
    """Its weights and tokens, with settings of its own, stopped before the first checkpoint and after one."""
    genrec.pretrain(dataset, tmp_path / "pre", settings={**QUICK, "indexing": "random"})
    options = {"start": tmp_path / "pre", "settings": {"dropout": 0.3, "attention_dropout": 0.4}, "seed": 5}
    genrec.finetune(dataset, tmp_path / "whole", **options)

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        genrec.finetune(dataset, tmp_path / "broken", on_validation=stop, **options)
    genrec.finetune(dataset, tmp_path / "broken", resume=True, **options)
    assert_equal_weights(tmp_path / "whole", tmp_path / "broken")
    run = load_run(tmp_path / "broken")
    layer = run.model.model.decoder.layers[0]
    assert run.model.config.dropout == layer.dropout == 0.3
    assert run.model.config.attention_dropout == layer.self_attn.dropout == layer.encoder_attn.dropout == 0.4
    np.testing.assert_array_equal(run.scheme.item_tokens, load_run(tmp_path / "pre").scheme.item_tokens)


def test_another_pretrained_run_cannot_be_slipped_in(dataset, tmp_path):
    for seed in (0, 1):
        genrec.pretrain(dataset, tmp_path / f"pre{seed}", settings={**QUICK, "pretrain_epochs": 1}, seed=seed)

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        genrec.finetune(dataset, tmp_path / "fine", start=tmp_path / "pre0", on_validation=stop)
    with pytest.raises(GenRecError, match=r"begun from other weights.*--from"):
        genrec.finetune(dataset, tmp_path / "fine", start=tmp_path / "pre1", resume=True)


def test_pretraining_alone_has_epochs_whatever_the_preset(dataset, tmp_path):
    shape = {"d_model": 16, "ffn_dim": 32, "batch_size": 64}
    result = genrec.pretrain(dataset, tmp_path / "pre", preset="small", settings=shape)
    assert result["epochs"] == {"pretrain": 10, "finetune": 0}
    with pytest.raises(GenRecError, match="pretrain_epochs is 0"):
        genrec.pretrain(dataset, tmp_path / "none", preset="small", settings={**shape, "pretrain_epochs": 0})


def test_structure_of_a_pretrained_run_cannot_be_contradicted(dataset, tmp_path):
    genrec.pretrain(dataset, tmp_path / "pre", settings={**QUICK, "pretrain_epochs": 1})
    with pytest.raises(GenRecError, match="d_model 32"):
        genrec.finetune(dataset, tmp_path / "fine", start=tmp_path / "pre", settings={"d_model": 32})
    assert not (tmp_path / "fine").exists()


def test_resuming_with_other_settings_is_refused_and_a_finished_run_is_left_alone(dataset, tmp_path):
    first = genrec.train(dataset, tmp_path / "run", settings=QUICK)
    with pytest.raises(GenRecError, match=r"learning_rate 0.5 \(before"):
        genrec.train(dataset, tmp_path / "run", settings={"learning_rate": 0.5}, resume=True)
    assert genrec.train(dataset, tmp_path / "run", resume=True) == first
    with pytest.raises(GenRecError, match="--force"):
        genrec.train(dataset, tmp_path / "run", settings=QUICK)


def test_what_killed_starts_left_is_cleared(dataset, tmp_path):
    run, nobody = tmp_path / "run", 99_999_999  # no system has PIDs that high
    first = genrec.train(dataset, run, settings=QUICK)
    hidden_name(run / RUN_FILE, PARTIAL, nobody).touch()
    finish_run(run, load_run(run).model)
    load_run(run)
    run.rename(hidden_name(run, OLD, nobody))
    assert genrec.train(dataset, run, resume=True) == first
    assert [path.name for path in (*tmp_path.iterdir(), *run.iterdir()) if path.name.startswith(".")] == []


def test_items_that_training_never_shows_have_zero_id_rows(tmp_path):
    rows = [[1, 2, 3, 4, 5], [2, 3, 1, 6, 4]]
    write_dataset(tmp_path / "data", ["a", "b"], [f"i{n}" for n in range(6)], rows)
    genrec.train(tmp_path / "data", tmp_path / "run", settings=QUICK)
    table = load_run(tmp_path / "run").model.model.encoder.item_embedding.weight
    assert [bool(row.any()) for row in table[1:]] == [True, True, True, False, False, False]


def test_users_with_two_items_are_trained_on_and_tested(tmp_path):
    write_dataset(tmp_path / "data", ["a", "b", "c"], [f"i{n}" for n in range(3)], [[1, 2], [2, 3], [1]])
    result = genrec.train(tmp_path / "data", tmp_path / "run", settings=QUICK)
    assert result["best"]["valid"] == {}
    assert genrec.evaluate(tmp_path / "run", beams=3, k=[1, 3])["users"] == 2


@pytest.fixture(scope="module")
def small_bart(tmp_path_factory):
    """A folder as facebook/bart-base is one: a BPE tokenizer and BART weights, only smaller."""
    folder = tmp_path_factory.mktemp("bart")
    tokenizer = ByteLevelBPETokenizer(add_prefix_space=False)
    texts = [f"user_{n} item_{n * 7 % 100} item_{n % 30}" for n in range(200)]
    tokenizer.train_from_iterator(
        texts, vocab_size=300, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    )
    tokenizer.save_model(str(folder))
    fast = BartTokenizerFast.from_pretrained(folder)
    fast.save_pretrained(folder)
    config = BartConfig(
        vocab_size=len(fast), d_model=16, encoder_layers=1, decoder_layers=1, max_position_embeddings=64
    )
    config.update({"encoder_attention_heads": 2, "decoder_attention_heads": 2})
    config.update({"encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "pad_token_id": 1, "bos_token_id": 0})
    config.update({"eos_token_id": 2, "decoder_start_token_id": 2, "attention_dropout": 0.1})
    BartForConditionalGeneration(config).save_pretrained(folder)
    return folder


def test_text_items_start_from_a_local_bart(dataset, small_bart, tmp_path):
    settings = {"weights": str(small_bart), "max_length": 64, "pretrain_epochs": 1, "finetune_epochs": 1}
    genrec.train(dataset, tmp_path / "run", preset="bart-base", settings=settings)
    run = load_run(tmp_path / "run")
    lengths = (run.scheme.encoder_tokens[1:] != run.scheme.special.pad).sum(1)
    assert lengths.max() > 1  # items are several pieces
    assert run.config.d_model == 16
    assert run.model.config.attention_dropout == 0.1  # the weights' own
    assert (tmp_path / "run/tokenizer.json").exists()
    tokenizer = BartTokenizerFast.from_pretrained(tmp_path / "run")
    words = {tokenizer.decode(row[row != run.scheme.special.pad]).strip() for row in run.scheme.encoder_tokens[1:]}
    assert words == {f"item_{number}" for number in range(1, 21)}
    assert genrec.evaluate(tmp_path / "run")["users"] == 120


def test_finetuning_may_add_or_leave_an_item_head(dataset, tmp_path):
    """What it knows of repeats comes and goes with it."""
    headless = {**QUICK, "pretrain_epochs": 1, "finetune_epochs": 1, "repeats": 3, "item_loss": 0.0}
    genrec.pretrain(dataset, tmp_path / "pre", settings=headless)
    assert load_run(tmp_path / "pre").model.repeats is None
    genrec.finetune(dataset, tmp_path / "headed", start=tmp_path / "pre", settings={"item_loss": 1.0})
    assert load_run(tmp_path / "headed").model.repeats.weight.any()
    genrec.finetune(dataset, tmp_path / "again", start=tmp_path / "headed", settings={"item_loss": 0.0})
    assert load_run(tmp_path / "again").model.repeats is None


def test_what_pretrained_weights_do_not_know_begins_as_zeros(dataset, small_bart):
    """Hugging Face leaves memory as it was where nothing says what a weight begins as."""
    settings = {"weights": str(small_bart), "max_length": 64, "repeats": 4096, "item_loss": 1.0}
    model = build(make_config(settings), load_dataset(dataset)).model
    assert not model.repeats.weight.any()


def test_weights_are_taken_without_a_preset_of_theirs(dataset, small_bart, tmp_path):
    settings = {"weights": str(small_bart), "max_length": 64, "finetune_epochs": 1, "batch_size": 64}
    genrec.train(dataset, tmp_path / "run", settings=settings)
    config = load_run(tmp_path / "run").model.config
    assert config.d_model == 16
    assert not config.ids_alone  # pretrained weights know something of tokens


def test_pretrained_weights_cannot_be_contradicted_or_missing(dataset, small_bart, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    wrong = {"weights": str(small_bart), "max_length": 64, "d_model": 32}
    with pytest.raises(GenRecError, match=r"d_model 32 \(the weights have 16\)"):
        genrec.train(dataset, tmp_path / "run", preset="bart-base", settings=wrong)
    with pytest.raises(GenRecError, match="--set weights=FOLDER"):
        genrec.train(dataset, tmp_path / "run", preset="bart-base")
    assert not (tmp_path / "run").exists()

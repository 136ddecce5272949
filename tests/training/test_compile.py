"""`torch_compile` changes how steps are computed, not what is learned."""

import json
from functools import partial

import pytest
from torch._dynamo.utils import counters
from transformers import TrainingArguments

from genrec.training import arguments
from genrec.training.train import train
from tests.training.helpers import QUICK, chain_dataset


def losses(run):
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_a_compiled_model_learns_the_same(tmp_path, monkeypatch):
    """Traced and differentiated as a whole, but run by torch's own kernels: no compiler of C++ is needed."""
    dataset = chain_dataset(tmp_path / "chain", users=60)
    small = {"encoder_layers": 1, "decoder_layers": 1, "pretrain_epochs": 0}
    settings = {**QUICK, **small, "dropout": 0.0, "item_loss": 1.0, "distances": 8, "repeats": 2}
    train(dataset, tmp_path / "plain", settings=settings)
    traced = partial(TrainingArguments, torch_compile_backend="aot_eager")
    monkeypatch.setattr(arguments, "TrainingArguments", traced)
    counters.clear()
    train(dataset, tmp_path / "compiled", settings={**settings, "torch_compile": True})
    assert losses(tmp_path / "compiled") == pytest.approx(losses(tmp_path / "plain"), rel=1e-3)
    assert counters["stats"]["unique_graphs"] > 0

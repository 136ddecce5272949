"""What stops a training that goes wrong says where and what to try; estimates are near what they estimate."""

import numpy as np
import pytest
import torch

from genrec.config import TrainConfig
from genrec.data.dataset import load_dataset
from genrec.errors import GenRecError
from genrec.progress import SILENT
from genrec.settings import make_config
from genrec.training.arguments import choose_precision
from genrec.training.batches import LengthGroupedBatches
from genrec.training.build import build
from genrec.training.estimate import Rehearsal
from genrec.training.guards import FiniteLoss, NotFiniteError, explain_memory
from genrec.training.session import Session
from genrec.training.train import train
from tests.training.helpers import QUICK, assert_equal_weights, chain_dataset, weights


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return chain_dataset(tmp_path_factory.mktemp("data") / "chain")


@pytest.fixture
def session(dataset, tmp_path):
    data = load_dataset(dataset)
    return Session(tmp_path, data, build(make_config(QUICK), data), torch.device("cpu"), None, SILENT)


def test_a_loss_that_is_no_number_names_step_batch_and_cure(dataset, tmp_path):
    settings = {**QUICK, "learning_rate": 1e20, "warmup": 0, "clip": 1e30}
    with pytest.raises(GenRecError, match=r"loss became (nan|inf) at step \d+ \(epoch 1, batch \d+ of") as caught:
        train(dataset, tmp_path / "run", settings=settings)
    assert "lower learning_rate (now 1e+20)" in str(caught.value)
    assert "user indexes" in str(caught.value)


def test_a_gpus_losses_are_looked_at_now_and_then_and_the_first_bad_one_is_named():
    finite = FiniteLoss(TrainConfig(**shape()), at_once=False)
    finite.note(0, torch.tensor(1.0))
    finite.note(1, torch.tensor(float("nan")))
    finite.note(2, torch.tensor(float("nan")))
    with pytest.raises(NotFiniteError) as caught:
        finite.check()
    assert caught.value.step == 1


def shape():
    return {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "heads": 2, "ffn_dim": 32}


def test_out_of_memory_says_which_setting_to_lower():
    config = TrainConfig(**shape(), batch_size=256, gradient_accumulation=2)
    with pytest.raises(GenRecError, match=r"gradient_accumulation=4.*batch_size=128"), explain_memory(config):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
    with pytest.raises(RuntimeError, match="shapes"), explain_memory(config):
        raise RuntimeError("shapes differ")


def test_a_rehearsal_changes_neither_weights_nor_random_numbers(session):
    batches, collator = session._batches("finetune")
    before = {name: weight.clone() for name, weight in session.built.model.state_dict().items()}
    state = torch.random.get_rng_state()
    found = Rehearsal(session.built.model, collator, batches, "fp32").estimate()
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(before[name], weight) for name, weight in session.built.model.state_dict().items())
    assert all(weight.grad is None for weight in session.built.model.parameters())
    assert found.seconds_per_step > 0
    assert found.memory > 0


def test_batches_of_the_mean_length_are_timed(session):
    _, collator = session._batches("finetune")
    batches = LengthGroupedBatches(np.arange(1000), 10, 0, seed=0)  # lengths of batches are between 45 and 9945
    rehearsal = Rehearsal(session.built.model, collator, batches, "fp32")
    found = [rehearsal._length(batch) for batch in rehearsal._typical()]
    assert len(found) == 4
    assert max(abs(length - 4995) for length in found) < 300


def test_activations_are_counted_per_example(session):
    batches, collator = session._batches("finetune")
    rehearsal = Rehearsal(session.built.model, collator, batches, "fp32")
    wider = session.built.model.config.d_model * 4 * session.built.builder.max_items
    assert rehearsal._saved[1] > wider  # at least the embedded inputs


def test_the_largest_batch_fits_and_leaves_an_epoch_its_steps(session, monkeypatch):
    batches, collator = session._batches("finetune")
    rehearsal = Rehearsal(session.built.model, collator, batches, "fp32")
    unlimited = rehearsal.largest_batch()
    assert unlimited * 100 <= batches.size
    monkeypatch.setattr("genrec.training.estimate.LEAST_STEPS", 1)
    between = (rehearsal._step_bytes(8) + rehearsal._step_bytes(16)) / 2
    monkeypatch.setattr(Rehearsal, "_free", lambda self: int(between / 0.8))
    assert rehearsal.largest_batch() == 8


def test_batch_size_auto_is_decided_once_and_kept(dataset, tmp_path):
    settings = {**QUICK, "batch_size": "auto", "pretrain_epochs": 1, "finetune_epochs": 1}
    first = train(dataset, tmp_path / "run", settings=settings)
    assert first["examples_per_second"] > 0
    assert train(dataset, tmp_path / "run", settings=settings, resume=True) == first


def test_a_run_in_bf16_leaves_the_next_one_alone(dataset, tmp_path):
    settings = {**QUICK, "pretrain_epochs": 0, "finetune_epochs": 1}
    train(dataset, tmp_path / "first", settings=settings)
    train(dataset, tmp_path / "half", settings={**settings, "precision": "bf16"})
    train(dataset, tmp_path / "again", settings=settings)
    assert_equal_weights(tmp_path / "first", tmp_path / "again")
    assert any((weights(tmp_path / "half")[n] != w).any() for n, w in weights(tmp_path / "first").items())


def test_precisions_that_a_device_lacks_are_refused():
    cpu = torch.device("cpu")
    assert choose_precision("auto", cpu) == "fp32"
    assert choose_precision("bf16", cpu) == "bf16"
    with pytest.raises(GenRecError, match="choose fp32 or bf16"):
        choose_precision("fp16", cpu)


@pytest.mark.parametrize(
    "changed",
    [
        {"gradient_checkpointing": True},
        {"precision": "bf16"},
        {"encoder_merge": "item"},
        {"encoder_merge": "id"},
        {"user_buckets": 7},
        {"user_buckets": 0},
        {"sparse_ids": True},
        {"sparse_ids": True, "item_loss": 1.0},
    ],
)
def test_every_way_of_training_runs_and_evaluates(dataset, tmp_path, changed):
    settings = {**QUICK, "pretrain_epochs": 1, "finetune_epochs": 1, **changed}
    result = train(dataset, tmp_path / "run", settings=settings)
    assert set(result["best"]["valid"]) == {"HR@1", "HR@5", "HR@10", "NDCG@5", "NDCG@10"}

"""What every reference model keeps to: shapes, padding, numbers of items, saving, resuming, tracing."""

import pytest
import torch

import genrec
from genrec.baselines.base import load_item_model
from genrec.training.session import Session
from tests.baselines.helpers import ITEMS, MODELS, SMALL, USERS, batch_of, random_model, score
from tests.baselines.test_grammars import LEARNS
from tests.helpers import make_dataset
from tests.training.helpers import assert_equal_weights

ROWS = [[1, 2, 3, 4, 5, 6, 7], [8, 9], [10], [11, 4, 2, 1]]
UNSEEN = 12
"""The item that no row has."""

all_models = pytest.mark.parametrize("name", MODELS)


@all_models
def test_every_item_has_a_score_whatever_the_history(name):
    found = score(random_model(name), [[1, 2, 3, 4, 5], [7], [0]])
    assert found.shape == (3, ITEMS + 1)
    assert found.isfinite().all()


@all_models
def test_padding_changes_nothing(name):
    model = random_model(name)
    torch.testing.assert_close(score(model, [[4, 5, 6, 0, 0], [1, 2, 3, 4, 5]])[:1], score(model, [[4, 5, 6]]))
    batch = batch_of(model, ROWS)
    wider = {
        key: torch.nn.functional.pad(values, (0, 2), value=-100 if key == "labels" else 0)
        if values.dim() == 2
        else values
        for key, values in batch.items()
    }
    torch.testing.assert_close(model.loss(**wider), model.loss(**batch))


@all_models
def test_numbers_of_items_mean_nothing(name):
    model, other = random_model(name), random_model(name)
    model.known[[3, 10]] = False
    moved = torch.cat([torch.zeros(1, dtype=torch.long), torch.randperm(ITEMS) + 1])  # new number of each item
    state = other.state_dict()
    for key, values in model.state_dict().items():
        if values.dim() and len(values) == ITEMS + 1:
            state[key][moved] = values
    for users in ([0, 0], [1, 2]):
        rows = torch.tensor([[1, 2, 3], [4, 5, 0]])
        found = score(other, moved[rows].tolist(), users)[:, moved]
        torch.testing.assert_close(found[:, 1:], score(model, rows.tolist(), users)[:, 1:])


@all_models
def test_items_that_training_never_shows_learn_nothing_and_score_as_the_average(name):
    model = random_model(name)
    train = batch_of(model, ROWS)
    model.known[UNSEEN] = False
    model.loss(**train).backward()
    for key, weight in model.named_parameters():
        if len(weight) == ITEMS + 1 and weight.grad is not None:
            assert not weight.grad[[0, UNSEEN]].any(), key
    assert model.items.weight.grad[1:7].any(1).all()
    found = score(model, [[1, 2]])[0]
    torch.testing.assert_close(found[UNSEEN], found[1:UNSEEN].mean())


@all_models
def test_saved_and_loaded_it_is_the_same(name, tmp_path):
    model = random_model(name)
    model.known[4] = False
    model.save_pretrained(tmp_path)
    loaded = load_item_model(tmp_path).eval()
    assert torch.equal(score(loaded, [[1, 2]], [1]), score(model, [[1, 2]], [1]))


@all_models
def test_a_trace_serves_other_batches_and_lengths(name):
    model = random_model(name)

    class Scores(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, items, users):
            return self.model.score(items, users)

    example = torch.tensor([[1, 2, 3], [4, 5, 0]]), torch.tensor([0, 1])
    traced = torch.jit.trace(Scores(), example)
    for items, users in (([[7]], [2]), ([[1, 2, 3, 4, 5], [6, 7, 0, 0, 0], [0] * 5], [0, 1, 2])):
        inputs = torch.tensor(items), torch.tensor(users)
        torch.testing.assert_close(traced(*inputs), model.score(*inputs))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("data") / "random")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gru4rec", "hgn", "bert4rec", "s3rec"])
def test_a_stopped_run_ends_with_the_weights_of_an_unbroken_one(name, dataset, tmp_path, monkeypatch):
    settings = {"d_model": 8, "batch_size": 64, "finetune_epochs": 2, "max_length": 5, **SMALL[name]}
    genrec.train(dataset, tmp_path / "whole", model=name, settings=settings, seed=1)
    original = Session._note_epoch

    def stop(session, phase, trainer):
        original(session, phase, trainer)
        if trainer.state.epoch >= 1 and phase == "finetune":
            raise KeyboardInterrupt

    monkeypatch.setattr(Session, "_note_epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        genrec.train(dataset, tmp_path / "run", model=name, settings=settings, seed=1)
    monkeypatch.undo()
    genrec.train(dataset, tmp_path / "run", model=name, settings=settings, seed=1, resume=True)
    assert_equal_weights(tmp_path / "whole", tmp_path / "run")
    assert len(genrec.load(tmp_path / "run").recommend(user="u3", k=5)["items"]) == 5


def test_the_table_is_whole():
    assert set(SMALL) == set(MODELS)
    assert set(LEARNS) == set(MODELS)
    assert USERS > 2

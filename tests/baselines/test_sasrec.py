"""SASRec: what it may see, what it learns, and that it is trained as GenRec is."""

import numpy as np
import pytest
import torch

import genrec
from genrec.baselines.base import load_item_model
from genrec.baselines.sasrec import SASRec
from genrec.baselines.settings import make_baseline_config
from genrec.errors import GenRecError
from genrec.progress import SILENT
from genrec.training.session import Session
from tests.helpers import write_dataset
from tests.training.helpers import assert_equal_weights

ITEMS = 12
QUICK = {"d_model": 16, "batch_size": 32, "learning_rate": 0.01, "dropout": 0.1, "max_length": 6, "ffn_dim": 32}


def make_model(**settings):
    torch.manual_seed(3)
    given = {"d_model": 8, "heads": 2, "max_length": 5, **settings}
    model = SASRec(make_baseline_config({"model": "sasrec", **given}), 4, ITEMS)
    for weight in model.parameters():
        torch.nn.init.normal_(weight)
    return model.eval()


def scores(model, rows):
    return model.score(torch.tensor(rows), torch.zeros(len(rows), dtype=torch.long)).detach()


def test_the_future_changes_nothing():
    model = make_model()
    model.encoder.positions.weight.data.zero_()  # they count from the newest item
    a, b = torch.tensor([[1, 2, 3, 4]]), torch.tensor([[1, 2, 9, 5]])
    torch.testing.assert_close(model.states(a)[:, :2], model.states(b)[:, :2])
    assert not torch.allclose(model.states(a)[:, 2], model.states(b)[:, 2])


def test_a_targets_prediction_is_that_of_the_prefix_alone():
    model = make_model()
    model.encoder.positions.weight.data.zero_()
    states = model.states(torch.tensor([[1, 2, 3, 4]]))
    for length in (1, 2, 3):
        torch.testing.assert_close(
            model.states(torch.tensor([[1, 2, 3, 4][:length]]))[:, -1], states[:, length - 1]
        )


def test_padding_changes_nothing():
    model = make_model()
    alone = scores(model, [[4, 5, 6]])
    torch.testing.assert_close(scores(model, [[4, 5, 6, 0, 0], [1, 2, 3, 4, 5]])[:1], alone)
    inputs = torch.tensor([[4, 5], [7, 0]])
    labels = torch.tensor([[5, 6], [8, -100]])
    wider = [torch.nn.functional.pad(inputs, (0, 2)), torch.nn.functional.pad(labels, (0, 2), value=-100)]
    torch.testing.assert_close(model.loss(labels, inputs), model.loss(wider[1], wider[0]))


def test_numbers_of_items_mean_nothing():
    model, other = make_model(), make_model()
    unseen = [3, 10]
    model.known[unseen] = False
    moved = torch.cat([torch.zeros(1, dtype=torch.long), torch.randperm(ITEMS) + 1])  # new number of each item
    other.items.weight.data[moved] = model.items.weight.data
    other.known[moved] = model.known
    rows = torch.tensor([[1, 2, 3], [4, 5, 0]])
    torch.testing.assert_close(scores(other, moved[rows].tolist())[:, moved], scores(model, rows.tolist()))


@pytest.mark.parametrize("loss", ["ce", "bce"])
def test_items_that_training_never_shows_learn_nothing_and_score_as_the_average(loss):
    model = make_model(loss=loss, negatives=3)
    model.known[[3, 10]] = False
    inputs, labels = torch.tensor([[1, 2, 4, 5]]), torch.tensor([[2, 4, 5, 6]])
    model.loss(labels, inputs).backward()
    touched = model.items.weight.grad.any(1)
    assert not touched[[0, 3, 10]].any()
    assert touched[[1, 2, 4, 5, 6]].all()
    found = scores(model, [[1, 2]])[0]
    average = found[model.known].mean()
    torch.testing.assert_close(found[[3, 10]], average.expand(2))


def test_binary_cross_entropy_is_the_papers_without_negatives_of_the_user():
    model = make_model(loss="bce")
    model.known[:] = False
    model.known[[1, 2, 7]] = True
    inputs, labels = torch.tensor([[1]]), torch.tensor([[2]])
    logits = model.states(inputs)[0, 0] @ model.items.weight.T
    positive, negative = -logits[2].sigmoid().log(), -(1 - logits[7].sigmoid()).log()
    torch.manual_seed(0)
    found = {round(float(model.loss(labels, inputs).detach()), 4) for _ in range(40)}
    assert found == {round(float(positive.detach()), 4), round(float((positive + negative).detach()), 4)}


def grammar(folder, users=200):
    """next = f(last), where f takes 40 items, in an order that their numbers do not tell, round a circle."""
    rng = np.random.default_rng(0)
    circle = rng.permutation(40) + 1
    rows = [
        circle[(start + np.arange(length)) % 40]
        for start, length in zip(rng.integers(0, 40, users), rng.integers(4, 9, users), strict=True)
    ]
    write_dataset(folder, [f"u{n}" for n in range(users)], [f"i{n}" for n in range(1, 41)], rows)
    return folder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return grammar(tmp_path_factory.mktemp("data") / "grammar")


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"targets": "every"}, {"loss": "bce", "negatives": 8}])
def test_it_learns_that_the_last_item_decides_the_next(dataset, tmp_path, settings):
    """Under binary cross-entropy an item of the user's is never wrong, so seen items are left out of the lists."""
    settings = {**QUICK, "finetune_epochs": 15, "patience": 15, **settings}
    result = genrec.train(dataset, tmp_path / "run", model="sasrec", settings=settings)
    assert result["model"] == "sasrec"
    assert result["epochs"]["pretrain"] == 0
    if settings.get("loss") != "bce":
        assert result["best"]["valid"]["HR@1"] > 0.95
    assert genrec.evaluate(tmp_path / "run", k=[1], exclude_seen=True)["metrics"]["HR@1"] > 0.95


def test_a_stopped_run_ends_with_the_weights_of_an_unbroken_one(dataset, tmp_path, monkeypatch):
    settings = {**QUICK, "finetune_epochs": 4, "dropout": 0.3, "loss": "bce"}
    genrec.train(dataset, tmp_path / "whole", model="sasrec", settings=settings, seed=1)
    noted, original = [], Session._note_epoch

    def stop(session, phase, trainer):
        original(session, phase, trainer)
        noted.append(trainer.state.global_step)
        if len(noted) == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(Session, "_note_epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        genrec.train(dataset, tmp_path / "run", model="sasrec", settings=settings, seed=1)
    monkeypatch.undo()
    assert list((tmp_path / "run").glob("checkpoints/finetune/checkpoint-*"))
    genrec.train(dataset, tmp_path / "run", model="sasrec", settings=settings, seed=1, resume=True)
    assert_equal_weights(tmp_path / "whole", tmp_path / "run")
    with pytest.raises(GenRecError, match=r"model genrec \(before sasrec\)"):
        genrec.train(dataset, tmp_path / "run", model="genrec", resume=True)


def test_saved_and_loaded_it_is_the_same(tmp_path):
    model = make_model()
    model.known[4] = False
    model.save_pretrained(tmp_path)
    loaded = load_item_model(tmp_path).eval()
    assert torch.equal(scores(loaded, [[1, 2]]), scores(model, [[1, 2]]))
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(GenRecError, match=r"model.safetensors or config.json beside it is damaged"):
        load_item_model(tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "sasrec", "pretrain_epochs": 2}, "sasrec has no pretraining"),
        ({"model": "sasrec", "heads": 3}, "d_model 64 must be a multiple of heads 3"),
        ({"model": "sasrec", "finetune_epochs": 0}, "finetune_epochs is 0"),
        (
            {"model": "sasrec", "encoder_layers": 3},
            "unknown setting 'encoder_layers' of sasrec, did you mean layers?",
        ),
        (
            {"model": "sasrec", "layer": 3, "loss": "x", "dropout": 2},
            "did you mean layers?; dropout = 2: .*less than 1; loss = 'x': .*'ce' or 'bce'",
        ),
        ({"model": "sasrec", "preset": "tiny"}, "presets are GenRec's"),
        ({"model": "sasrak"}, "model 'sasrak' is unknown, choose one of: genrec, .*sasrec"),
    ],
)
def test_wrong_settings_are_told_before_anything_is_written(dataset, tmp_path, settings, message):
    with pytest.raises(GenRecError, match=message.replace("?", r"\?")):
        genrec.train(dataset, tmp_path / "run", settings=settings, reporter=SILENT)
    assert not (tmp_path / "run").exists()

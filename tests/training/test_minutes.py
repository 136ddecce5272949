"""Training that ends when its time is over: in mid-epoch, validated, resumed as if it had not been stopped."""

import json

import pytest

import genrec
from genrec.files import read_json
from genrec.training.session import Session
from tests.helpers import make_dataset
from tests.training.helpers import assert_equal_weights

pytestmark = pytest.mark.slow


NO_TIME = 1e-6
SASREC = {"model": "sasrec", "d_model": 8, "batch_size": 8, "finetune_epochs": 3}
TINY = {
    "preset": "tiny",
    "d_model": 16,
    "ffn_dim": 16,
    "pretrain_epochs": 3,
    "finetune_epochs": 3,
    "batch_size": 8,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("data") / "data")


@pytest.mark.parametrize("settings", [SASREC, TINY], ids=["sasrec", "genrec"])
def test_each_phase_ends_in_mid_epoch_and_is_validated(data, tmp_path, settings):
    result = genrec.train(data, tmp_path / "run", settings={**settings, "minutes": NO_TIME})
    phases = [phase for phase in ("pretrain", "finetune") if settings.get(f"{phase}_epochs")]
    assert result["out_of_time"] == phases
    assert result["epochs"] == {"pretrain": len(phases) - 1, "finetune": 1}
    info = read_json(tmp_path / "run/run.json")
    assert info["config"]["minutes"] == NO_TIME
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [(line["phase"], line["epoch"], line["step"]) for line in lines] == [(phase, 1, 1) for phase in phases]
    assert lines[-1]["valid"] == result["best"]["valid"]


def test_time_enough_changes_nothing(data, tmp_path):
    genrec.train(data, tmp_path / "free", settings=SASREC)
    result = genrec.train(data, tmp_path / "run", settings={**SASREC, "minutes": 60})
    assert result["out_of_time"] == []
    assert_equal_weights(tmp_path / "free", tmp_path / "run")


def test_a_run_killed_when_its_time_was_over_is_not_trained_further(data, tmp_path, monkeypatch):
    settings = {**SASREC, "minutes": NO_TIME}
    genrec.train(data, tmp_path / "whole", settings=settings)

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Session, "_mark_done", die)
    with pytest.raises(KeyboardInterrupt):
        genrec.train(data, tmp_path / "run", settings=settings)
    monkeypatch.undo()
    result = genrec.train(data, tmp_path / "run", settings=settings, resume=True)
    assert (result["out_of_time"], result["epochs"]["finetune"]) == (["finetune"], 1)
    assert_equal_weights(tmp_path / "whole", tmp_path / "run")


def test_the_time_of_earlier_starts_counts(data, tmp_path, monkeypatch):
    settings, run, noted, original = {**SASREC, "minutes": 60}, tmp_path / "run", [], Session._note_epoch

    def stop(session, phase, trainer):
        original(session, phase, trainer)
        noted.append(phase)
        if len(noted) == 4:  # an epoch's loss and its validation are noted one after the other
            raise KeyboardInterrupt

    monkeypatch.setattr(Session, "_note_epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        genrec.train(data, run, settings=settings)
    monkeypatch.undo()
    (checkpoint,) = run.glob("checkpoints/finetune/checkpoint-*")
    standing = json.loads((checkpoint / "epoch_loss.json").read_text())
    assert 0 < standing["seconds"] < 3600
    (checkpoint / "epoch_loss.json").write_text(json.dumps({**standing, "seconds": 3600}))
    result = genrec.train(data, run, settings=settings, resume=True)
    assert (result["out_of_time"], result["epochs"]["finetune"]) == (["finetune"], 1)
    assert result["seconds"] >= 3600

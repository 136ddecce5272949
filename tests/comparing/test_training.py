"""What a comparison has to train, and what it cannot."""

import pytest

from genrec.comparing.compare import compare
from genrec.comparing.plans import plan_runs
from genrec.comparing.training import find_missing, outlook, what_they_lack
from genrec.data.dataset import load_dataset
from genrec.errors import GenRecError
from genrec.training.baseline import BuiltBaseline
from tests.helpers import edit_run, make_dataset, make_item_run


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return load_dataset(make_dataset(tmp_path_factory.mktemp("data") / "data"))


def plans(folder, seeds=(0, 1, 2)):
    return plan_runs(["sasrec"], seeds, folder, None, ["d_model=16", "max_length=8"])


def test_what_is_missing(data, tmp_path):
    wanted = plans(tmp_path)
    half, other, _ = (plan.path for plan in wanted)
    for run, seed in ((half, 0), (other, 1)):
        make_item_run(run, data.path, "sasrec", seed)
        edit_run(run, phases=["pretrain", "finetune"])
    edit_run(half, status="training")
    with pytest.raises(GenRecError, match=r"seed1 was trained with other settings: seed 1 \(there 0\)"):
        find_missing(wanted, data, force=False)
    found = [(run.plan.seed, run.resume) for run in find_missing(wanted, data, force=True)]
    assert found == [(0, True), (1, False), (2, True)]
    edit_run(half, status="finished")
    assert find_missing(wanted[:1], data, force=True) == []


def test_a_model_that_cannot_be_made_is_known_before_others_are_trained(data, tmp_path, monkeypatch):
    def refuse(built, config, dataset):
        raise GenRecError(f"{config.model} reads what is not there")

    missing = find_missing(plans(tmp_path, [0]), data, force=False)
    assert what_they_lack(missing, data) == {}
    monkeypatch.setattr(BuiltBaseline, "__init__", refuse)
    assert str(what_they_lack(missing, data)["sasrec"]) == "sasrec reads what is not there"
    with pytest.raises(GenRecError, match="sasrec reads what is not there"):
        compare(data.path, tmp_path / "runs", models=["genrec", "sasrec"])
    assert not (tmp_path / "runs").exists()


def test_without_models_by_name_those_that_cannot_be_made_are_left_out(data, tmp_path, monkeypatch):
    warned = []

    class Listener:
        def __getattr__(self, name):
            return lambda *_, **__: warned.append(_)

    def refuse(built, config, dataset):
        raise GenRecError("no")

    trained = []
    monkeypatch.setattr(BuiltBaseline, "__init__", refuse)
    monkeypatch.setattr("genrec.comparing.compare.train_missing", lambda missing, *_: trained.extend(missing))
    monkeypatch.setattr("genrec.comparing.compare.Field", lambda *_: pytest.fail("far enough"))
    with pytest.raises(pytest.fail.Exception, match="far enough"):
        compare(data.path, tmp_path / "runs", reporter=Listener())
    assert [run.plan.model for run in trained] == ["genrec", "p5"]
    assert ("sasrec is left out: no",) in warned


def test_the_time_left_is_that_of_models_trained_before():
    assert outlook([], {"sasrec": 60.0}) == ""
    assert outlook(["hgn"], {"sasrec": 60.0}) == "; 1 to go"
    assert outlook(["sasrec", "sasrec"], {"sasrec": 600.0}) == "; 2 to go, about 20 min"
    assert outlook(["sasrec", "hgn"], {"sasrec": 600.0}) == "; 2 to go, 1 of them about 10 min"

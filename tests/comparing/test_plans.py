"""Which runs a comparison needs, with which settings, and whether those that are there are the same."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from genrec.baselines.settings import make_baseline_config
from genrec.comparing.plans import plan_runs, trained_of
from genrec.data.dataset import load_dataset
from genrec.errors import GenRecError
from tests.helpers import edit_run, make_dataset, make_item_run

BOTH = ["genrec", "sasrec"]


def test_a_setting_goes_to_every_model_that_has_it_or_to_the_one_it_names():
    settings = ["finetune_epochs=3", "layers=4", "genrec.dropout=0.25", "heads=1", "sasrec.heads=2"]
    with pytest.raises(GenRecError, match=r"sasrec: .*heads is given two values: 1 .* and 2"):
        plan_runs(BOTH, [0], Path("runs"), "tiny", settings)
    genrec, again, sasrec, _ = plan_runs(BOTH, [0, 7], Path("runs"), "tiny", settings[:-1], minutes=30)
    assert [plan.path.name for plan in (genrec, again, sasrec)] == ["genrec-seed0", "genrec-seed7", "sasrec-seed0"]
    assert (genrec.config.finetune_epochs, sasrec.config.finetune_epochs) == (3, 3)
    assert (genrec.config.minutes, sasrec.config.minutes) == (30, 30)
    assert (genrec.config.heads, sasrec.config.heads, sasrec.config.layers) == (1, 1, 4)
    assert genrec.config.dropout == 0.25 != sasrec.config.dropout
    assert sasrec.config.dropout == make_baseline_config({"model": "sasrec"}).dropout
    assert (again.config.seed, again.config.preset) == (7, "tiny")


@pytest.mark.parametrize(
    ("models", "settings", "told"),
    [
        (BOTH, ["layerz=3"], "genrec: the settings are wrong: unknown setting 'layerz'"),
        (["sasrec"], ["layerz=3"], "unknown setting 'layerz' of sasrec, did you mean layers"),
        (BOTH, ["sasrec.beams=3"], "sasrec: .*unknown setting 'beams' of sasrec"),
        (["sasrec"], ["genrec.beams=3"], "is for 'genrec', which is not among the models: sasrec"),
        (BOTH, ["pretrain_epochs=2"], "sasrec: .*has no pretraining"),
        (BOTH, ["dropout"], "--set dropout is not key=value"),
        (BOTH, ["seed=3"], "seed is given two values"),
    ],
)
def test_wrong_settings(models, settings, told):
    with pytest.raises(GenRecError, match=told):
        plan_runs(models, [0], Path("runs"), None, settings)


def test_a_preset_is_genrecs():
    with pytest.raises(GenRecError, match="preset tiny is GenRec's, which is not among the models"):
        plan_runs(["sasrec"], [0], Path("runs"), "tiny")


def test_names_of_models():
    assert trained_of(["popularity", "sasrec", "transitions", "genrec"]) == ["sasrec", "genrec"]
    with pytest.raises(GenRecError, match=r"'sasrex' is unknown, did you mean sasrec.*genrec is named twice"):
        trained_of(["sasrex", "genrec", "genrec"])
    with pytest.raises(GenRecError, match="name some of genrec, "):
        trained_of([])


@pytest.fixture
def data(tmp_path):
    return load_dataset(make_dataset(tmp_path / "data"))


def plan(folder, *settings):
    return plan_runs(["sasrec"], [0], folder, None, ["d_model=16", "max_length=8", *settings])[0]


def test_the_status_of_a_run(data, tmp_path):
    assert plan(tmp_path).status(data) is None
    run = make_item_run(tmp_path / "sasrec-seed0", data.path, "sasrec")
    edit_run(run, phases=["pretrain", "finetune"])
    assert plan(tmp_path).status(data) == "finished"
    edit_run(run, status="training")
    assert plan(tmp_path).status(data) == "training"


@pytest.mark.parametrize(
    ("minutes", "result", "fits"),
    [
        (20, {"seconds": 1200.0}, True),
        (20, {"seconds": 1200.0, "out_of_time": []}, True),
        (0, {"seconds": 1200.0, "out_of_time": []}, True),
        (19, {"seconds": 1200.0, "out_of_time": []}, False),
        (20, {"seconds": 1200.0, "epochs": {"pretrain": 1}}, False),  # it had most of 25 minutes, but of 20?
        (0, {"seconds": 1200.0, "epochs": {"pretrain": 1}}, True),
        (30, {"seconds": 1500.0, "out_of_time": ["finetune"]}, False),
        (25, {"seconds": 1500.0, "out_of_time": ["finetune"]}, True),
    ],
)
def test_a_run_that_needed_less_than_either_limit_is_the_same(data, tmp_path, minutes, result, fits):
    config = {**plan(tmp_path).config.model_dump(), "minutes": 25.0}
    run = make_item_run(tmp_path / "sasrec-seed0", data.path, "sasrec")
    edit_run(run, phases=["pretrain", "finetune"], config=config, result={"epochs": {"pretrain": 0}, **result})
    wanted = plan(tmp_path, f"minutes={minutes}")
    if fits:
        assert wanted.status(data) == "finished"
        edit_run(run, status="training")
    with pytest.raises(GenRecError, match="with other settings: minutes") if minutes != 25 else nullcontext():
        wanted.status(data)


def test_other_runs_are_told_in_one_line(data, tmp_path):
    run = make_item_run(tmp_path / "sasrec-seed0", data.path, "sasrec")
    edit_run(run, phases=["pretrain", "finetune"])
    with pytest.raises(GenRecError, match=r"with other settings: layers 3 \(there 2\); give the same, or choose"):
        plan(tmp_path, "layers=3").status(data)
    other = load_dataset(make_dataset(tmp_path / "other", seed=1))
    with pytest.raises(GenRecError, match=r"was trained on another dataset \(data\) than .*other; choose"):
        plan(tmp_path).status(other)
    edit_run(run, phases=["pretrain"])
    with pytest.raises(GenRecError, match=r"both phases \(there pretrain alone\)"):
        plan(tmp_path).status(data)
    edit_run(run, phases=["pretrain", "finetune"], config={"model": "sasrec"})
    with pytest.raises(GenRecError, match=r"batch_size 256 \(there 128\).* and \d+ more; give the same"):
        plan(tmp_path).status(data)
    edit_run(run, config={"model": "another"})
    with pytest.raises(GenRecError, match=r"run.json is damaged: KeyError\('another'\); choose .*--force"):
        plan(tmp_path).status(data)

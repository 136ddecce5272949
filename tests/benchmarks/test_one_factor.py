"""The rows of benchmarks/one_factor.py."""

import importlib
from pathlib import Path

import genrec
from genrec.settings import make_config
from tests.helpers import make_dataset

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_a_row_is_compared_with_the_first(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    script = importlib.import_module("one_factor")
    quick = {"d_model": 16, "heads": 2, "ffn_dim": 32, "finetune_epochs": 1, "epoch_examples": 40}
    monkeypatch.setattr(script, "COMMON", quick)
    data = make_dataset(tmp_path / "data")
    command = ["one_factor.py", str(data), "--folder", str(tmp_path / "runs"), "--only", "users"]
    monkeypatch.setattr("sys.argv", command)
    script.main()
    _, _, first, second = capsys.readouterr().out.splitlines()
    assert "--set user_buckets=null --seed 0" in second
    values = [float(line.split("|")[2]) for line in (first, second)]
    assert abs(float(second.split("|")[3].split()[0]) - (values[1] - values[0])) < 2e-4
    found = genrec.evaluate(tmp_path / "runs" / "users", exclude_seen=True)
    assert abs(found["metrics"]["NDCG@10"] - values[1]) < 1e-4


def test_every_row_is_a_setting(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    script = importlib.import_module("one_factor")
    plain = make_config({"preset": "small"}).model_dump()
    for name, changed in script.FACTORS.items():
        made = make_config({"preset": "small", **script.COMMON, **changed}).model_dump()
        assert all(made[key] != plain[key] for key in changed), name

"""`genrec eval` from outside: what its options print and write, and one-line errors."""

import json

import pyarrow.parquet as pq
import pytest

from genrec.evaluation.evaluate import evaluate
from genrec_cli import render
from genrec_cli.eval_tables import show
from tests.cli.test_train_eval import fails
from tests.command import call
from tests.helpers import make_dataset, make_run


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("eval")
    data = make_dataset(root / "data")
    return root, data, make_run(root / "run", data)


def test_everything_at_once_in_a_pipe(folders, tmp_path):
    _, _, run = folders
    path = tmp_path / "ranks.parquet"
    options = ("--against", "popularity", "--details", "--as-visitor", "--calibrate", "5,40", "--per-user", path)
    done = call("eval", run, *options)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    for text in ("minus", "paired bootstrap", "over 20 items", "unseen", "head = ", "coverage@10", "novelty@1"):
        assert text in done.stdout
    for text in ("Gini@5", "users as visitors: user 0", "exact", "ranks written"):
        assert text in done.stdout
    assert pq.read_table(path).column_names == ["model", "user", "history", "target", "rank"]
    fails("eval", run, "--per-user", path, message="--force")
    again = call("eval", run, "--per-user", path, "--force", "--json")
    assert json.loads(again.stdout)["per_user"] == str(path)
    assert "calibration" not in json.loads(again.stdout)


def test_json_holds_what_tables_show(folders):
    _, _, run = folders
    options = ("--against", "popularity", "--calibrate", "20", "--users", 20, "--k", "10", "--json")
    result = json.loads(call("eval", run, *options).stdout)
    (against,) = result["against"]
    assert against["difference"].keys() == {"HR@10", "NDCG@10"}
    assert against["difference"]["HR@10"].keys() == {"difference", "low", "high", "p"}
    assert result["slices"].keys() == against["slices"].keys() == {"history", "popularity"}
    assert result["beyond"].keys() == {"coverage@10", "novelty@10", "Gini@10"}
    assert [row["beams"] for row in result["calibration"]] == [20, None]
    assert result["protocol"]["as_visitor"] is False


def test_without_options_there_is_one_table(folders):
    out = call("eval", folders[2]).stdout
    assert "users" in out
    for text in ("minus", "visitors", "coverage", "slice", "exact"):
        assert text not in out


def test_tables_fit_80_columns(folders, monkeypatch, capsys):
    _, _, run = folders
    monkeypatch.chdir(run.parent)
    result = evaluate("run", against=["popularity", "transitions"], calibrate=[5, 20], exclude_seen=True)
    monkeypatch.setattr(render, "PIPE_WIDTH", 80)
    show(result, details=True)
    out = capsys.readouterr().out
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 80
    for row in (result, *result["against"]):
        assert f"{row['model']} " in out
        for metric, (low, high) in row["intervals"].items():
            assert f"{row['metrics'][metric]:.4f}" in out
            assert f"[{low:.4f}, {high:.4f}]" in out
    for row in result["against"]:
        for found in row["difference"].values():
            assert f"[{found['low']:+.4f}, {found['high']:+.4f}]" in out


def test_wrong_options(folders):
    _, _, run = folders
    fails("eval", run, "--calibrate", "many", message="20,50,100", code=2)
    fails("eval", run, "--calibrate", "0", message="from 1 on")
    fails("eval", run, "--per-user", run, "--force", message="would replace the input")

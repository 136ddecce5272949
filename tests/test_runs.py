"""`genrec runs`: finished, unfinished, damaged and foreign folders, and what evaluation remembers."""

import json

import pytest

from genrec.errors import GenRecError
from genrec.evaluation.evaluate import evaluate
from genrec.evaluation.memory import recall
from genrec.ids import EVALUATIONS_FILE, RUN_FILE
from genrec.model.checkpoint import load_run
from genrec.runs import find_runs, sparkline
from tests.helpers import edit_run, make_dataset, make_run


@pytest.fixture
def place(tmp_path):
    data = make_dataset(tmp_path / "data")
    make_run(tmp_path / "runs/a/first", data)
    second = make_run(tmp_path / "runs/second", data)
    edit_run(second, status="training")
    lines = [
        {"phase": "pretrain", "epoch": 1, "loss": 3.0},
        {"phase": "finetune", "epoch": 1, "loss": 2.0, "valid": {"NDCG@10": 0.02, "HR@10": 0.04}},
        {"phase": "finetune", "epoch": 2, "loss": 1.5, "valid": {"NDCG@10": 0.01, "HR@10": 0.03}},
    ]
    (second / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (tmp_path / "runs/second/checkpoints/finetune").mkdir(parents=True)
    (tmp_path / "runs/.hidden").mkdir()
    (tmp_path / "runs/.hidden" / RUN_FILE).write_text("{}")
    (tmp_path / "runs/notes").mkdir()
    return tmp_path / "runs"


def by_name(place):
    return {run["run"].removeprefix(f"{place}/"): run for run in find_runs(place)}


def test_runs_are_found_wherever_they_lie(place):
    found = by_name(place)
    assert set(found) == {"a/first", "second"}
    assert found["a/first"]["status"] == "finished"
    assert found["second"]["status"] == "training"
    assert found["second"]["best"] == {"epoch": 1, "valid": {"NDCG@10": 0.02, "HR@10": 0.04}}
    assert found["second"]["epochs"] == {"pretrain": 1, "finetune": 2}
    assert found["second"]["loss"] == [3.0, 2.0, 1.5]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"config": 3}', '{"format_version": 99}'])
def test_a_damaged_run_is_listed_as_such(place, content):
    (place / "second" / RUN_FILE).write_text(content)
    found = by_name(place)
    assert found["second"]["status"] == "damaged"
    assert found["second"]["problem"]
    assert found["a/first"]["status"] == "finished"


def test_evaluating_a_run_is_remembered_and_changes_nothing_else(place):
    run = place / "a/first"
    kept = evaluate(run, beams=10)["metrics"]
    excluded = evaluate(run, beams=10, exclude_seen=True)["metrics"]
    evaluate(run, beams=10, users=5)  # a sample is not what the table shows
    assert evaluate(run, beams=10)["metrics"] == kept
    assert [(entry["exclude_seen"], entry["metrics"]) for entry in recall(run)] == [
        (True, excluded),
        (False, kept),
    ]
    assert by_name(place)["a/first"]["test"] == recall(run)
    load_run(run)
    (run / EVALUATIONS_FILE).write_text("{ damaged")
    assert by_name(place)["a/first"]["test"] == []
    load_run(run)


def test_a_run_that_cannot_be_written_to_is_evaluated_all_the_same(place, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("genrec.evaluation.memory.atomic_file", refuse)
    assert evaluate(place / "a/first", beams=10)["users"] > 0


def test_a_folder_that_is_missing_is_told(tmp_path):
    with pytest.raises(GenRecError, match="is no folder"):
        find_runs(tmp_path / "nowhere")


def test_a_sparkline_keeps_ends_and_width():
    assert sparkline([]) == ""
    assert sparkline([2.0]) == "▁"
    assert sparkline([float("nan"), 1.0, 2.0]) == "▁█"
    long = sparkline([float(n) for n in range(100)], width=10)
    assert len(long) == 10
    assert long[0] == "▁"
    assert long[-1] == "█"

"""`genrec compare` from outside: trains what is missing, goes on where it was stopped, refuses what is not fit."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from datetime import UTC, datetime

import pytest

import genrec
from genrec.training.session import Session
from tests.command import call, fails
from tests.helpers import make_dataset
from tests.training.helpers import assert_equal_weights

SETTINGS = ["finetune_epochs=2", "batch_size=32", "d_model=16", "genrec.pretrain_epochs=1", "genrec.ffn_dim=16"]
MODELS = "genrec,sasrec,popularity,transitions"
QUICK = ["--preset", "tiny", "--minutes", "60", *[part for text in SETTINGS for part in ("--set", text)]]
SASREC = ["--models", "sasrec,popularity", "--minutes", "60", "--set", "d_model=16", "--set", "batch_size=32"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A dataset, and what a comparison on it said and left."""
    folder = tmp_path_factory.mktemp("compare")
    data = make_dataset(folder / "data")
    done = call("compare", data, "--models", MODELS, *QUICK, "--json")
    assert done.returncode == 0, done.stderr
    assert "genrec-seed0: training 1 of 2" in done.stderr
    (folder / "found.json").write_text(done.stdout)
    return folder


def test_one_json_document_with_both_rules(place):
    result = json.loads((place / "found.json").read_text())
    assert result["folder"] == str(place / "data-compare")
    assert result["dataset"]["users"] == 30
    assert result["published"] is None
    assert datetime.fromisoformat(result["date"]).tzinfo == UTC
    rows = [(row["model"], row["exclude_seen"]) for row in result["rows"]]
    assert rows == [(model, seen) for seen in (False, True) for model in MODELS.split(",")]
    for row in result["rows"]:
        if row["model"] == "sasrec":
            again = genrec.evaluate(place / "data-compare/sasrec-seed0", exclude_seen=row["exclude_seen"])
            assert row["metrics"] == again["metrics"]
            assert row["intervals"] == {name: list(ends) for name, ends in again["intervals"].items()}
            assert row["parameters"] > 0
            assert row["seconds"] > 0
            assert (row["seeds"], row["out_of_time"]) == ([0], False)
            assert re.fullmatch(r"cpu, \d+ threads?", *row["devices"])
        if row["model"] == "transitions":
            assert (row["parameters"], row["seconds"], row["runs"]) == (None, None, [])


def test_runs_are_used_again_and_tables_written(place):
    weights = list(place.glob("data-compare/*/model.safetensors"))
    before = [path.stat().st_mtime_ns for path in weights]
    files = ["--html", place / "table.html", "--latex", place / "table.tex"]
    done = call("compare", place / "data", "--models", MODELS, *QUICK, *files)
    assert done.returncode == 0, done.stderr
    assert "training" not in done.stderr
    assert [path.stat().st_mtime_ns for path in weights] == before
    assert "\x1b" not in done.stdout
    for text in (
        r"genrec \(tiny\) +kept +0\.\d{4}",
        r"sasrec +out",
        "best of its group",
        "minus that of the best",
    ):
        assert re.search(text, done.stdout), text
    first = re.search(r"transitions +kept.*", done.stdout)[0]
    found = json.loads((place / "found.json").read_text())["rows"][3]
    marks = [
        "*" if name in found["best"] else "+" if name in found["second"] else " " for name in found["metrics"]
    ]
    assert sorted(re.findall(r"0\.\d{4}(.)", first)) == sorted(marks)
    assert (place / "table.html").read_text().startswith("<!DOCTYPE html>")
    assert r"\bottomrule" in (place / "table.tex").read_text()
    fails("compare", place / "data", "--models", MODELS, *QUICK, *files, message="table.html already exists")
    listed = call("runs", place / "data-compare")
    assert re.search(r"sasrec-seed0 .* 0\.\d{4} / 0\.\d{4}", listed.stdout)


@pytest.mark.slow
def test_other_settings_and_other_data_are_refused_before_anything_is_trained(place, tmp_path):
    data, folder = place / "data", place / "data-compare"
    other = ["--set", "sasrec.layers=1"]
    fails(
        "compare",
        data,
        "--models",
        "genrec,sasrec",
        *QUICK,
        *other,
        message="sasrec-seed0 was trained with other settings",
    )
    fails(
        "compare",
        make_dataset(tmp_path / "data", seed=1),
        "-o",
        folder,
        *QUICK,
        message="trained on another dataset (data)",
    )
    assert len(list(folder.iterdir())) == 2
    done = call(
        "compare", data, *SASREC, "-o", tmp_path / "runs", "--set", "finetune_epochs=1", "--seeds", "0,1", "--json"
    )
    rows = json.loads(done.stdout)["rows"]
    assert rows[0]["seeds"] == [0, 1]
    assert set(rows[0]["spread"]) == set(rows[0]["metrics"])
    done = call(
        "compare",
        data,
        *SASREC,
        "-o",
        tmp_path / "runs",
        "--set",
        "finetune_epochs=2",
        "--force",
        "--exclude-seen",
    )
    assert "sasrec-seed0: training 1 of 1" in done.stderr
    assert re.search(r"sasrec +out", done.stdout)
    assert "kept" not in done.stdout


@pytest.mark.slow
def test_a_half_done_run_is_gone_on_with(place, tmp_path, monkeypatch):
    settings = {"d_model": 16, "batch_size": 32, "finetune_epochs": 3, "minutes": 60.0, "seed": 0}
    run_folder, noted, original = tmp_path / "runs/sasrec-seed0", [], Session._note_epoch

    def stop(session, phase, trainer):
        original(session, phase, trainer)
        noted.append(phase)
        if len(noted) == 4:  # an epoch's loss and its validation are noted one after the other
            raise KeyboardInterrupt

    monkeypatch.setattr(Session, "_note_epoch", stop)
    run_folder.parent.mkdir()
    with pytest.raises(KeyboardInterrupt):
        genrec.train(place / "data", run_folder, model="sasrec", settings=settings)
    monkeypatch.undo()
    assert list(run_folder.glob("checkpoints/finetune/checkpoint-*"))
    done = call(
        "compare", place / "data", *SASREC, "--set", "finetune_epochs=3", "-o", tmp_path / "runs", "--json"
    )
    assert done.returncode == 0, done.stderr
    assert "finetune epoch 1/3" not in done.stderr
    genrec.train(place / "data", tmp_path / "whole", model="sasrec", settings=settings)
    assert_equal_weights(tmp_path / "whole", run_folder)


def test_wrong_input(place, tmp_path):
    data = place / "data"
    fails("compare", data, "--models", "genrec,sasrex", message="'sasrex' is unknown, did you mean sasrec?")
    fails("compare", data, "--models", "sasrec,popularity", "--preset", "tiny", message="preset tiny is GenRec's")
    fails("compare", data, "-o", data, message=f"{data} is a dataset, where runs cannot lie")
    fails("compare", place / "data-compare/sasrec-seed0", message="is a run, not a dataset")
    fails("compare", data, "--seeds", "a", message="is no list of numbers such as 0,1,2", code=2)
    fails("compare", data, "--html", tmp_path / "x", "--latex", tmp_path / "x", message="give two files")


@pytest.mark.slow
def test_in_a_narrow_terminal(place):
    """Columns are left out, values never cut; styles say which is best."""
    command = [sys.executable, "-m", "genrec_cli", "compare", str(place / "data"), "--models", MODELS, *QUICK]
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 60, 0, 0))
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    env |= {"TERM": "xterm", "NO_COLOR": "1"}
    done = subprocess.run(command, stdout=follower, stderr=subprocess.PIPE, timeout=600, env=env)
    os.close(follower)
    assert done.returncode == 0, done.stderr
    text = os.read(leader, 100_000).decode()
    os.close(leader)
    assert re.search(r"\x1b\[1m0\.\d{4}", text)
    assert re.search(r"\x1b\[4m0\.\d{4}", text)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
    assert max(map(len, lines)) <= 60
    assert "…" not in text
    assert any(re.search(r"model +seen +HR@5 +NDCG@5 +HR@10 +NDCG@10", line) for line in lines)

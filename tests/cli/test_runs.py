"""`genrec runs`, `genrec plot` and `--track` as a user calls them."""

import io
import json

import pytest
from rich.console import Console

import genrec_cli.render
from genrec.runs import find_runs
from genrec_cli.runs import _print
from tests.command import call
from tests.training.helpers import QUICK, as_options, chain_dataset


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a run in `runs/chain`, trained with TensorBoard and evaluated."""
    folder = tmp_path_factory.mktemp("see")
    chain_dataset(folder / "data")
    done = call("train", "data", "-o", "runs/chain", *as_options(QUICK), "--track", "tensorboard", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert call("eval", "runs/chain", "--beams", "10", cwd=folder).returncode == 0
    return folder


def test_the_table_shows_validation_test_and_loss(place):
    done = call("runs", cwd=place)
    assert done.returncode == 0, done.stderr
    row = next(line for line in done.stdout.splitlines() if "chain" in line)
    assert "finished" in row
    assert "2+2" in row
    assert any(bar in row for bar in "▁█")
    found = json.loads(call("runs", "--json", cwd=place).stdout)["runs"][0]
    assert f"{found['best']['valid']['NDCG@10']:.4f}" in row
    assert f"{found['test'][0]['metrics']['NDCG@10']:.4f}" in row


@pytest.mark.parametrize("columns", [120, 80, 60])
def test_the_table_fits_a_narrow_terminal(place, columns, monkeypatch):
    text = io.StringIO()
    monkeypatch.setattr(genrec_cli.render, "stdout", lambda: Console(file=text, width=columns))
    _print(place, find_runs(place / "runs"))
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= columns
    assert "chain" in text.getvalue()
    assert "NDCG@10" in text.getvalue()
    assert "finished" in text.getvalue()


def test_no_runs_and_no_folder(place):
    (place / "empty").mkdir(exist_ok=True)
    assert "no runs in empty" in call("runs", "empty", cwd=place).stdout
    missing = call("runs", "nowhere", cwd=place)
    assert missing.returncode == 1
    assert "is no folder" in missing.stderr


@pytest.mark.parametrize(("name", "starts"), [("c.png", b"\x89PNG"), ("c.svg", b"<?xml"), ("c.pdf", b"%PDF")])
def test_curves_are_drawn(place, name, starts):
    assert call("plot", "runs/chain", "runs/chain", "-o", name, cwd=place).returncode == 0
    assert (place / name).read_bytes().startswith(starts)
    again = call("plot", "runs/chain", "-o", name, cwd=place)
    assert again.returncode == 1
    assert "--force" in again.stderr
    assert call("plot", "runs/chain", "-o", name, "--force", cwd=place).returncode == 0


def test_what_cannot_be_drawn_is_told(place):
    for arguments, message in (
        (("runs/chain", "-o", "c.gif"), ".png, .svg, .pdf"),
        (("data", "-o", "d.png"), "is a dataset, not a run"),
        (("nowhere", "-o", "d.png"), "does not exist"),
    ):
        done = call("plot", *arguments, cwd=place)
        assert done.returncode == 1
        assert message in done.stderr


def test_tensorboard_has_loss_and_validation(place):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(place / "runs/chain/events/finetune")).Reload()
    assert {"train/loss", "eval/NDCG@10", "eval/HR@10"} <= set(events.Tags()["scalars"])
    lines = [json.loads(line) for line in (place / "runs/chain/metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if line["phase"] == "finetune"]
    assert [point.value for point in events.Scalars("train/loss")] == pytest.approx(losses)


def test_trackers_that_are_unknown_or_missing_are_told_before_training(place):
    for name, message in (("excel", "choose of: tensorboard"), ("wandb", "pip install wandb")):
        done = call("train", "data", "-o", "runs/no", "--track", name, cwd=place)
        assert done.returncode == 1
        assert message in done.stderr
        assert not (place / "runs/no").exists()

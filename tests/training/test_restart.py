"""A run that is killed, stopped, or runs out of disk continues to the weights it would have had."""

import json
import random
import shutil
import signal
import time

import pytest

from genrec import locking
from genrec.errors import GenRecError
from genrec.locking import alone
from genrec.training import checkpoints
from genrec.training.checkpoints import drop_old, last_whole_checkpoint, staged
from genrec.training.train import train
from genrec.training.validation import Validation
from tests.command import call, start, warm
from tests.training.helpers import QUICK, as_options, assert_equal_weights, chain_dataset

SETTINGS = {**QUICK, "dropout": 0.2, "finetune_epochs": 8, "patience": 3, "learning_rate": 0.01}
"""With dropout, so that random states count, and an end by patience."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return chain_dataset(tmp_path_factory.mktemp("data") / "chain")


@pytest.fixture(scope="module")
def whole(dataset, tmp_path_factory):
    """A run that was never stopped, by a process of its own."""
    run = tmp_path_factory.mktemp("whole") / "run"
    assert call(*command(dataset, run)).returncode == 0
    return run


@pytest.fixture(scope="module")
def whole_here(dataset, tmp_path_factory):
    """A run that was never stopped, by this process: what it did before may divide matrix products otherwise."""
    run = tmp_path_factory.mktemp("here") / "run"
    train(dataset, run, settings=SETTINGS)
    return run


def command(dataset, run, *more):
    options = [*as_options(SETTINGS), "--resume", "--save-every", "0.1s", *more]
    return ["train", dataset, "-o", run, *options]


def steps(run):
    """Grows with every checkpoint: the highest step, finetuning counted after pretraining."""
    found = [int(path.name.rpartition("-")[2]) for path in run.glob("checkpoints/*/checkpoint-*")]
    return 1000 * len(list(run.glob("checkpoints/*-done"))) + max(found, default=0)


def history(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: line[key] for key in line if key != "seconds"} for line in lines]


def go_on(dataset, run):
    """Continue a run, with a checkpoint after each step."""
    train(dataset, run, settings=SETTINGS, resume=True, save_every=0.0)


def goals(whole, rng):
    """Ten moments spread over a run, as `steps` counts; its last steps are left out, for it must not end."""
    done = json.loads((whole / "run.json").read_text())["done"]
    first, second = (done[phase]["examples"] // SETTINGS["batch_size"] for phase in ("pretrain", "finetune"))
    return sorted(rng.sample([*range(1, first), *range(1000, 1000 + second * 3 // 4)], 10))


def test_killed_at_ten_random_moments_it_ends_with_the_same_weights(dataset, whole, tmp_path):
    """Somewhere in a step, a checkpoint, a validation, or in a start, where the last one came beyond the goal."""
    run, rng = tmp_path / "run", random.Random(5)
    for goal in goals(whole, rng):
        process = warm().Process(target=go_on, args=(dataset, run))
        process.start()
        while process.is_alive() and steps(run) < goal:
            time.sleep(0.002)
        time.sleep(rng.random() * 0.05)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, "the run ended before it was killed"
    assert call(*command(dataset, run)).returncode == 0
    assert_equal_weights(whole, run)
    assert history(run) == history(whole)
    assert [path.name for path in run.rglob(".*")] == []


def test_sigterm_leaves_a_checkpoint_and_says_so(dataset, whole, tmp_path):
    run = tmp_path / "run"
    streams = tmp_path / "stdout", tmp_path / "stderr"
    process = start(*command(dataset, run), streams=streams)
    while process.is_alive() and not steps(run):
        time.sleep(0.01)
    process.terminate()
    process.join(60)
    output, errors = (path.read_text() for path in streams)
    assert process.exitcode == 143, errors
    assert "SIGTERM" in errors
    assert "Traceback" not in errors
    assert output == ""
    at = steps(run)
    assert call(*command(dataset, run)).returncode == 0
    assert at > 0
    assert_equal_weights(whole, run)


def test_a_full_disk_is_told_and_loses_nothing(dataset, whole_here, tmp_path, monkeypatch):
    run, original, saved = tmp_path / "run", checkpoints.save_standing, []

    def full(checkpoint, standing):
        saved.append(checkpoint.name)
        if len(saved) == 4:
            raise OSError(28, "No space left on device")
        original(checkpoint, standing)

    monkeypatch.setattr("genrec.training.phase.save_standing", full)
    with pytest.raises(GenRecError, match=r"No space left on device.*--resume"):
        train(dataset, run, settings=SETTINGS)
    assert steps(run) > 0
    train(dataset, run, settings=SETTINGS, resume=True)
    assert_equal_weights(whole_here, run)


def test_a_disk_too_small_is_noticed_before_the_first_step(dataset, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("genrec.training.checkpoints.shutil.disk_usage", lambda folder: usage)
    with pytest.raises(GenRecError, match=r"need .* GB more, the disk of .* has 0\.0 GB left"):
        train(dataset, tmp_path / "run", settings=QUICK)
    assert not list((tmp_path / "run").glob("checkpoints/*/*"))


def test_a_disk_that_has_become_too_small_is_noticed_on_resuming(dataset, whole_here, tmp_path, monkeypatch):
    run, original = tmp_path / "run", checkpoints.save_standing

    def stop(checkpoint, standing):
        original(checkpoint, standing)
        raise KeyboardInterrupt

    monkeypatch.setattr("genrec.training.phase.save_standing", stop)
    for _ in range(2):  # the first checkpoint is whole once the second is begun
        with pytest.raises(KeyboardInterrupt):
            train(dataset, run, settings=SETTINGS, resume=True)
    monkeypatch.setattr("genrec.training.phase.save_standing", original)
    usage, before = shutil.disk_usage(tmp_path), steps(run)
    monkeypatch.setattr("genrec.training.checkpoints.shutil.disk_usage", lambda folder: usage._replace(free=1000))
    with pytest.raises(GenRecError, match=r"need .* GB more"):
        train(dataset, run, settings=SETTINGS, resume=True)
    assert steps(run) == before
    monkeypatch.setattr("genrec.training.checkpoints.shutil.disk_usage", lambda folder: usage)
    train(dataset, run, settings=SETTINGS, resume=True)
    assert_equal_weights(whole_here, run)


def test_a_run_that_was_moved_finds_its_best_epoch(dataset, tmp_path, monkeypatch):
    """The second of five epochs is the best, and the checkpoints name a path that no longer exists."""

    def scripted(folder, stop):
        values = iter([0.1, 0.5, 0.4, 0.3, 0.2, 0.0])
        monkeypatch.setattr(Validation, "__call__", lambda self: {"NDCG@10": next(values)})
        if stop:
            monkeypatch.setattr("genrec.training.session.Session._mark_done", lambda *_: None)
            monkeypatch.setattr("genrec.training.session.Session._finish", interrupted)
        settings = {**SETTINGS, "pretrain_epochs": 0, "finetune_epochs": 9}
        return train(dataset, folder, settings=settings)

    def interrupted(*_):
        raise KeyboardInterrupt

    assert scripted(tmp_path / "whole", stop=False)["best"]["epoch"] == 2
    with pytest.raises(KeyboardInterrupt):
        scripted(tmp_path / "before", stop=True)
    monkeypatch.undo()
    (tmp_path / "before").rename(tmp_path / "after")
    assert train(dataset, tmp_path / "after", resume=True)["best"]["epoch"] == 2
    assert_equal_weights(tmp_path / "whole", tmp_path / "after")
    assert history(tmp_path / "after") == history(tmp_path / "whole")


def test_the_newest_two_and_the_best_checkpoint_are_kept(tmp_path):
    for step in (5, 10, 15, 20, 100):
        (tmp_path / f"checkpoint-{step}").mkdir()
    drop_old(tmp_path, best_step=10)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-100", "checkpoint-20"]


def test_a_checkpoint_appears_only_when_it_is_whole(tmp_path):
    final = tmp_path / "checkpoint-7"
    with staged(final) as folder:
        (folder / final.name).mkdir()
        (folder / final.name / "trainer_state.json").write_text("{}")
        assert not final.exists()
    assert [path.name for path in final.iterdir()] == ["trainer_state.json"]
    (tmp_path / "checkpoint-9").mkdir()
    assert last_whole_checkpoint(tmp_path) == final
    assert not (tmp_path / "checkpoint-9").exists()


def test_a_run_that_another_process_trains_is_left_alone(dataset, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(locking, "_PATIENCE", 0.0)
    run = shutil.copytree(whole, tmp_path / "run")
    with alone(run):
        for how in ({"resume": True}, {"force": True}):
            with pytest.raises(GenRecError, match="another process is writing"):
                train(dataset, run, settings=SETTINGS, **how)
    assert_equal_weights(whole, run)
    assert train(dataset, run, settings=SETTINGS, resume=True)["run"] == str(whole)
    held = []
    monkeypatch.setattr(
        Validation, "__call__", lambda *_, **__: held.append(_taken(tmp_path / "new")) or {"NDCG@10": 0.5}
    )
    train(dataset, tmp_path / "new", settings=SETTINGS)
    assert held
    assert all(held)
    assert not _taken(tmp_path / "new")


def _taken(folder):
    try:
        with alone(folder):
            return False
    except GenRecError:
        return True

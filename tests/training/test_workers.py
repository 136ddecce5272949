"""Processes that prepare a GPU's batches, here for the CPU: the same batches, and nobody else's signals."""

import multiprocessing
import os
import signal
import time

import psutil
import pytest

from genrec.errors import TerminatedError
from genrec.training import workers
from genrec.training.train import train
from tests.command import warm
from tests.training.helpers import QUICK, assert_equal_weights, chain_dataset

SETTINGS = {**QUICK, "dropout": 0.2, "pretrain_epochs": 1}
LONG = {**SETTINGS, "finetune_epochs": 50, "patience": 50}
"""Far more epochs than a test has time for."""
COUNT, ENDED = 2, 7
"""Processes, and what one that SIGTERM ended in good order says."""

pytestmark = pytest.mark.skipif(not workers.FORKS, reason="there are none without fork")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return chain_dataset(tmp_path_factory.mktemp("data") / "chain")


def test_batches_from_workers_teach_the_same_and_workers_end_with_their_epoch(dataset, tmp_path, monkeypatch):
    train(dataset, tmp_path / "alone", settings=SETTINGS)
    monkeypatch.setitem(workers.WORKERS, "cpu", COUNT)
    begun, begin = [], workers.DeafProcess.start
    monkeypatch.setattr(workers.DeafProcess, "start", lambda self: (begin(self), begun.append(self)))
    left = []
    train(
        dataset,
        tmp_path / "run",
        settings=SETTINGS,
        on_validation=lambda *_: left.extend(multiprocessing.active_children()),
    )
    assert len(begun) == COUNT * (SETTINGS["pretrain_epochs"] + SETTINGS["finetune_epochs"])
    assert left == multiprocessing.active_children() == []
    assert_equal_weights(tmp_path / "alone", tmp_path / "run")


def learn_long(dataset, run):
    """In a group of its own, as a shell or a scheduler starts programs; with a checkpoint after each step."""
    os.setsid()
    workers.WORKERS["cpu"] = COUNT
    try:
        train(dataset, run, settings=LONG, save_every=0.0, resume=True)
    except TerminatedError:
        os._exit(ENDED)


def newest(run):
    """The step of the newest checkpoint of finetuning."""
    found = run.glob("checkpoints/finetune/checkpoint-*")
    return max((int(path.name.rpartition("-")[2]) for path in found), default=0)


def signalled(dataset, run, number):
    """How a process ends whose whole group gets a signal once it has learned something, and who is left of it."""
    process, before = warm().Process(target=learn_long, args=(dataset, run)), newest(run)
    process.start()
    while process.is_alive() and newest(run) == before:
        time.sleep(0.01)
    assert process.is_alive(), "it ended by itself"
    children = psutil.Process(process.pid).children()
    os.killpg(process.pid, number)
    process.join(60)
    assert newest(run) > before
    return process.exitcode, psutil.wait_procs(children, timeout=10)[1]


def test_sigterm_to_the_whole_group_leaves_a_checkpoint_also_in_an_epoch_that_was_resumed(dataset, tmp_path):
    for _ in range(3):
        assert signalled(dataset, tmp_path / "run", signal.SIGTERM) == (ENDED, [])


def test_sigint_to_the_whole_group_ends_it(dataset, tmp_path):
    assert signalled(dataset, tmp_path / "run", signal.SIGINT) == (1, [])

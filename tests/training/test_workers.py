"""Processes that prepare a GPU's batches, here for the CPU: the same batches, and nobody else's signals."""

import multiprocessing
import os
import signal
import time

import pytest

from genrec.errors import TerminatedError
from genrec.training import arguments
from genrec.training.train import train
from tests.command import warm
from tests.training.helpers import QUICK, assert_equal_weights, chain_dataset

SETTINGS = {**QUICK, "dropout": 0.2, "pretrain_epochs": 1}
ENDED = 7
"""What a process that SIGTERM ended in good order says; its epochs are far more than it has time for."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return chain_dataset(tmp_path_factory.mktemp("data") / "chain")


def test_batches_from_workers_teach_the_same_and_workers_end_with_their_phase(dataset, tmp_path, monkeypatch):
    train(dataset, tmp_path / "alone", settings=SETTINGS)
    monkeypatch.setitem(arguments.LOADER_WORKERS, "cpu", 2)
    train(dataset, tmp_path / "run", settings=SETTINGS)
    assert multiprocessing.active_children() == []
    assert_equal_weights(tmp_path / "alone", tmp_path / "run")


def learn_long(dataset, run):
    """In a group of its own, as a shell or a scheduler starts programs."""
    os.setsid()
    arguments.LOADER_WORKERS["cpu"] = 2
    try:
        train(dataset, run, settings={**SETTINGS, "finetune_epochs": 50, "patience": 50}, save_every=0.0)
    except TerminatedError:
        os._exit(ENDED)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_ends_it_as_one_to_the_main_process(dataset, tmp_path, number):
    run = tmp_path / "run"
    process = warm().Process(target=learn_long, args=(dataset, run))
    process.start()
    while process.is_alive() and not list(run.glob("checkpoints/finetune/checkpoint-*")):
        time.sleep(0.01)
    os.killpg(process.pid, number)
    process.join(60)
    assert process.exitcode == (ENDED if number == signal.SIGTERM else 1)
    assert list(run.glob("checkpoints/finetune/checkpoint-*"))

"""Several processes, and several parts of a step, learn what one process learns at once."""

import json
import signal
import socket
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest

from genrec.errors import GenRecError
from genrec.training.batches import LengthGroupedBatches, Share
from genrec.training.train import train
from tests.command import start
from tests.training.helpers import QUICK, as_options, chain_dataset, weights

SETTINGS = {**QUICK, "dropout": 0.0, "pretrain_epochs": 1, "finetune_epochs": 2}
TOLERANCE = 1e-5
"""Of the loss. Sums in another order differ by rounding, which Adam magnifies where a gradient is next to nothing;
so weights are compared less strictly."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """So many users that no epoch divides evenly."""
    return chain_dataset(tmp_path_factory.mktemp("data") / "chain", users=121)


@pytest.fixture(scope="module")
def alone(dataset, tmp_path_factory):
    run = tmp_path_factory.mktemp("alone") / "run"
    train(dataset, run, settings=SETTINGS)
    return run


def curve(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines], [line["valid"]["NDCG@10"] for line in lines if "valid" in line]


def assert_alike(first, second):
    (losses, metrics), (other_losses, other_metrics) = curve(first), curve(second)
    assert losses == pytest.approx(other_losses, abs=TOLERANCE)
    assert metrics == pytest.approx(other_metrics, abs=0.02)
    a, b = weights(first), weights(second)
    for name in a:
        if not name.endswith("k_proj.bias"):  # which moves all scores of a query alike: its gradient is rounding
            gap = a[name].astype(np.float64) - b[name]
            assert np.sqrt(np.mean(gap**2)) < 20 * TOLERANCE, name


def torchrun(*arguments):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    command = [*launcher, "-m", "genrec_cli", "train", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def start_two(*arguments, streams):
    """As torchrun starts them, but without its own processes and with torch imported."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    where = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", **meeting}
    return [
        start(
            "train", *arguments, env={**where, "RANK": str(rank), "LOCAL_RANK": str(rank)}, streams=streams[rank]
        )
        for rank in range(2)
    ]


def two_processes(*arguments, folder):
    streams = [(folder / f"stdout{rank}", folder / f"stderr{rank}") for rank in range(2)]
    processes = start_two(*arguments, streams=streams)
    for process in processes:
        process.join(300)
    output, errors = ("".join(path.read_text() for path in paths) for paths in zip(*streams, strict=True))
    return max(abs(process.exitcode) for process in processes), output, errors


@pytest.fixture(scope="module")
def alone_sparse(dataset, tmp_path_factory):
    run = tmp_path_factory.mktemp("alone_sparse") / "run"
    train(dataset, run, settings={**SETTINGS, "sparse_ids": True})
    return run


@pytest.mark.parametrize("more", [{}, {"sparse_ids": True, "gradient_accumulation": 2}])
def test_two_processes_equal_one(dataset, alone, alone_sparse, tmp_path, more):
    run = tmp_path / "run"
    launch = partial(two_processes, folder=tmp_path) if more else torchrun
    code, output, errors = launch(dataset, "-o", run, *as_options({**SETTINGS, **more}), "--json")
    assert code == 0, errors
    assert json.loads(output)["epochs"] == {"pretrain": 1, "finetune": 2}
    assert errors.count("finetune epoch 1/2") == 1
    assert_alike(alone_sparse if more else alone, run)
    code, _, errors = two_processes(dataset, "-o", run, folder=tmp_path)
    assert code == 1
    assert errors.count("already exists") == 1


def test_two_processes_teach_a_reference_model_what_one_does(dataset, tmp_path):
    settings = {"batch_size": 16, "finetune_epochs": 2, "dropout": 0.0, "d_model": 16}
    train(dataset, tmp_path / "alone", model="sasrec", settings=settings)
    arguments = (dataset, "-o", tmp_path / "run", "--model", "sasrec", *as_options(settings))
    code, _, errors = two_processes(*arguments, folder=tmp_path)
    assert code == 0, errors
    assert_alike(tmp_path / "alone", tmp_path / "run")


def test_two_killed_processes_go_on_to_what_one_learns(dataset, tmp_path):
    """With an item head, descriptions, distances, IDs alone and a prior, as `small` has them."""
    like_small = {
        "item_loss": 4.0,
        "repeats": 2,
        "encoder_merge": "id",
        "item_descriptions": True,
        "distances": 8,
        "user_buckets": 0,
        "prior": "transitions",
    }
    settings, run = {**SETTINGS, **like_small}, tmp_path / "run"
    train(dataset, tmp_path / "alone", settings=settings)
    arguments = (dataset, "-o", run, *as_options(settings), "--save-every", "0.01s", "--resume")
    processes = start_two(*arguments, streams=[(tmp_path / "stdout", tmp_path / f"stderr{n}") for n in range(2)])
    while processes[0].is_alive() and not list(run.glob("checkpoints/finetune/checkpoint-*")):
        time.sleep(0.01)
    for process in processes:
        process.kill()
    for process in processes:
        process.join()
    assert processes[0].exitcode == -signal.SIGKILL, "it ended before it was killed"
    code, _, errors = two_processes(*arguments, folder=tmp_path)
    assert code == 0, errors
    assert "finetune epoch 1/2" in errors
    assert_alike(tmp_path / "alone", run)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("parts", [2, 5])
def test_parts_of_a_step_equal_the_whole(dataset, alone, alone_sparse, tmp_path, parts, sparse):
    """With sparse rows, neither may a gap that is filled move the rows of the example that fills it."""
    settings = {**SETTINGS, "sparse_ids": sparse, "gradient_accumulation": parts}
    train(dataset, tmp_path / "run", settings=settings)
    assert_alike(alone_sparse if sparse else alone, tmp_path / "run")


@pytest.mark.parametrize(("processes", "parts"), [(1, 1), (2, 1), (3, 2), (2, 5)])
def test_every_example_is_somebodys_once(processes, parts):
    lengths = np.arange(103) % 7
    whole = LengthGroupedBatches(lengths, 10, 0, 3)
    shares = [LengthGroupedBatches(lengths, 10, 0, 3, Share(rank, processes, parts)) for rank in range(processes)]
    assert {len(share) for share in shares} == {parts * len(whole)}
    rows = [list(share) for share in shares]
    for step, batch in enumerate(whole):
        pieces = [row[step * parts + part] for row in rows for part in range(parts)]
        assert len({len(piece) for piece in pieces}) == 1
        shown = [place for piece in pieces for place in piece]
        assert sorted(place for place in shown if place[1] >= 0) == sorted(batch)
        assert {(epoch, ~filler) for epoch, filler in shown if filler < 0} <= set(batch)


@pytest.mark.parametrize(("name", "words"), [("FSDP", "FSDP"), ("DEEPSPEED", "DeepSpeed")])
def test_a_launcher_that_would_divide_the_weights_is_refused(dataset, tmp_path, monkeypatch, name, words):
    monkeypatch.setenv(f"ACCELERATE_USE_{name}", "true")
    with pytest.raises(GenRecError, match=f"^{words} divides"):
        train(dataset, tmp_path / "run", settings=SETTINGS)
    assert not (tmp_path / "run").exists()

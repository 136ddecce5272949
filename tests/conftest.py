"""One thread per process: the models are tiny, and waiting for each other's threads costs more than it gains."""

import gc
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

os.environ["OMP_NUM_THREADS"] = "1"


def pytest_collection_finish() -> None:
    """Let garbage collection, which each training asks for, pass over what the imports have made."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """One thread, whatever the test before has told torch: two on a core that others use wait for each other."""
    import torch

    torch.set_num_threads(1)


@dataclass(frozen=True)
class Trained:
    """A dataset, a run on it with random weights, and the run's bundle (k = 10)."""

    dataset: Path
    run: Path
    bundle: Path


@pytest.fixture(scope="session", params=["own", "text"])
def trained(request, tmp_path_factory) -> Trained:
    """With item tokens of fixed depth, and with tokens of different lengths; never written to."""
    from genrec.exporting.bundle import export
    from tests.helpers import make_dataset, make_run, text_like_scheme

    folder = tmp_path_factory.mktemp(request.param)
    dataset = make_dataset(folder / "dataset")
    run = make_run(folder / "run", dataset, text_like_scheme() if request.param == "text" else None)
    export(run, folder / "bundle", k=10)
    return Trained(dataset, run, folder / "bundle")

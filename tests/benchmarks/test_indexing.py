"""The measures of benchmarks/indexing.py and benchmarks/leak.py on cases that can be counted by hand."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from genrec.data.dataset import load_dataset
from genrec.data.split import train_part
from genrec.data.tables import Sequences
from tests.helpers import make_dataset, write_dataset

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    """Imports a script of benchmarks/."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


def test_clusters_that_predict_need_fewer_bits(load):
    """Users alternate between two halves of the items: codes that tell the halves are worth a bit."""
    bits = load("indexing").bigram_bits
    rng = np.random.default_rng(0)
    rows = [rng.integers(1, 9, 12) + 8 * (np.arange(12) % 2) for _ in range(400)]
    sequences = Sequences(np.concatenate(rows).astype(np.int32), np.arange(0, 4801, 12))
    halves = np.array([[0], *[[1]] * 8, *[[2]] * 8], np.int32)
    mixed = np.array([[0], *[[1], [2]] * 8], np.int32)
    assert bits(mixed, sequences) == pytest.approx(4, abs=0.1)
    assert bits(halves, sequences) == pytest.approx(3, abs=0.1)


def test_shared_codes_are_counted(load):
    sequences = Sequences(np.array([1, 2, 3, 1, 3, 2], np.int32), np.array([0, 3, 6]))
    tokens = np.array([[0], [5], [5], [6]], np.int32)
    assert load("indexing").shared_first(tokens, sequences) == 0.5


def test_targets_are_added_after_the_training_part(load):
    train = Sequences(np.array([4, 5, 6], np.int32), np.array([0, 2, 2, 3]))
    whole = load("indexing")._with_targets(train)
    assert train_part(whole).items.tolist() == [4, 5, 6]
    assert train_part(whole).lengths.tolist() == [2, 1]


def test_numbers_in_the_order_of_appearance_leak_in_full(load, tmp_path):
    """Everybody's test item is the previous largest number + 1; tokens that follow a shuffled order are not."""
    leak = load("leak")
    rows = [np.arange(first, first + 5) for first in range(1, 400, 5)]
    ids = [f"{number:03d}" for number in range(1, 401)]
    write_dataset(tmp_path / "data", [f"u{n:02d}" for n in range(80)], ids, rows)
    data = load_dataset(tmp_path / "data")
    assert leak.leaked(data, np.arange(1, 401))[0] == 1
    assert leak.leaked(data, leak.numbers_of(data, "leaky-sequential", 0))[0] == 1
    assert leak.leaked(data, leak.numbers_of(data, "random", 0))[0] < 0.15
    assert leak.leaked(data, leak.numbers_of(data, "text", 0))[0] < 0.15
    assert leak.numbers_of(data, leak.SOURCE, 0) is None


def test_a_dataset_is_written_in_genrecs_numbers(load, tmp_path, monkeypatch, capsys):
    renumber = load("renumber")
    folder = make_dataset(tmp_path / "data", users=3, items=5)
    monkeypatch.setattr("sys.argv", ["renumber.py", str(folder), "--seed", "1"])
    renumber.main()
    lines = [list(map(int, line.split())) for line in capsys.readouterr().out.splitlines()]
    data = load_dataset(folder)
    numbers = renumber.item_numbers(5, 1)
    assert lines == [[user, *numbers[data.sequences.of(user) - 1].tolist()] for user in (1, 2, 3)]

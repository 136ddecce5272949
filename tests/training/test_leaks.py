"""Nothing that is learned depends on the items that are validated or tested."""

import numpy as np
import pytest

import genrec
from genrec.data.dataset import load_dataset
from genrec.data.followers import load_followers
from genrec.files import read_json
from tests.helpers import make_dataset, write_dataset
from tests.training.helpers import QUICK, assert_equal_weights

SETTINGS = {
    **QUICK,
    "pretrain_epochs": 1,
    "finetune_epochs": 1,  # or the best epoch would depend on validation items, as it should
    "item_loss": 1.0,
    "item_descriptions": True,
    "encoder_merge": "item",
    "prior": "transitions",
    "indexing": "hybrid",
}
USERS, ITEMS = 60, 40
NOWHERE, TEST, VALIDATION = 0, 1, 2
"""Places from a sequence's end."""


@pytest.fixture(scope="module")
def run_of(tmp_path_factory):
    """Trains on a dataset in which everybody's item at a place is another."""
    root = tmp_path_factory.mktemp("leaks")
    source = load_dataset(make_dataset(root / "source", USERS, ITEMS)).sequences
    rows = [row.tolist() for row in np.split(source.items, source.offsets[1:-1])]

    def train(place):
        run = root / f"run{place}"
        if not run.exists():
            told = [list(row) for row in rows]
            for number, row in enumerate(told):
                if place and len(row) >= 3:  # shorter ones are all training
                    row[-place] = number * 7 % ITEMS + 1
            names = [f"u{n}" for n in range(USERS)], [f"i{n}" for n in range(ITEMS)]
            write_dataset(root / f"data{place}", *names, told)
            genrec.train(root / f"data{place}", run, settings=SETTINGS)
        return run

    return train


@pytest.mark.parametrize("place", [TEST, VALIDATION])
def test_other_items_there_change_neither_weights_nor_tokens(run_of, place):
    assert_equal_weights(run_of(NOWHERE), run_of(place))
    first, other = ((run_of(at) / "item_tokens.parquet").read_bytes() for at in (NOWHERE, place))
    assert first == other


def test_other_test_items_change_nothing_that_validation_chooses(run_of):
    first, other = (read_json(run_of(place) / "run.json")["result"] for place in (NOWHERE, TEST))
    for part in ("best", "item_head", "prior"):
        assert first[part] == other[part]
    counts = [load_followers(run_of(place) / "transitions.parquet", ITEMS) for place in (NOWHERE, TEST)]
    np.testing.assert_array_equal(counts[0].items, counts[1].items)
    np.testing.assert_array_equal(counts[0].counts, counts[1].counts)


def test_other_validation_items_are_noticed_by_validation(run_of):
    """Or the tests above would say nothing."""
    first, other = (read_json(run_of(place) / "run.json")["result"]["best"] for place in (NOWHERE, VALIDATION))
    assert first != other

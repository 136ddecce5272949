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
AS_SMALL = {"encoder_merge": "id", "distances": 8, "repeats": 4, "user_buckets": 0, "item_loss": 4.0}
"""What the preset of that name changes of it."""
USERS, ITEMS = 60, 40
NOWHERE, TEST, VALIDATION, BOTH = (), (1,), (2,), (1, 2)
"""Places from a sequence's end."""


@pytest.fixture(scope="module", params=[{}, AS_SMALL], ids=["tokens", "small"])
def run_of(tmp_path_factory, request):
    """Trains on a dataset in which everybody's items at some places are others."""
    root = tmp_path_factory.mktemp("leaks")
    source = load_dataset(make_dataset(root / "source", USERS, ITEMS)).sequences
    rows = [row.tolist() for row in np.split(source.items, source.offsets[1:-1])]

    def train(places):
        name = "".join(map(str, places))
        run = root / f"run{name}"
        if not run.exists():
            told = [list(row) for row in rows]
            for number, row in enumerate(told):
                for place in places if len(row) >= 3 else ():  # shorter ones are all training
                    row[-place] = number * 7 % ITEMS + 1
            names = [f"u{n}" for n in range(USERS)], [f"i{n}" for n in range(ITEMS)]
            write_dataset(root / f"data{name}", *names, told)
            genrec.train(root / f"data{name}", run, settings=SETTINGS | request.param)
        return run

    return train


@pytest.mark.parametrize("places", [TEST, VALIDATION, BOTH])
def test_other_items_there_change_neither_weights_nor_tokens(run_of, places):
    assert_equal_weights(run_of(NOWHERE), run_of(places))
    first, other = ((run_of(at) / "item_tokens.parquet").read_bytes() for at in (NOWHERE, places))
    assert first == other


def test_other_test_items_change_nothing_that_validation_chooses(run_of):
    first, other = (read_json(run_of(places) / "run.json")["result"] for places in (NOWHERE, TEST))
    for part in ("best", "item_head", "prior"):
        assert first[part] == other[part]
    counts = [load_followers(run_of(places) / "transitions.parquet", ITEMS) for places in (NOWHERE, TEST)]
    np.testing.assert_array_equal(counts[0].items, counts[1].items)
    np.testing.assert_array_equal(counts[0].counts, counts[1].counts)


def test_other_validation_items_are_noticed_by_validation(run_of):
    """Or the tests above would say nothing."""
    first, other = (read_json(run_of(places) / "run.json")["result"]["best"] for places in (NOWHERE, VALIDATION))
    assert first != other

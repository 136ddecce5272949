"""The paper's values, for datasets with its statistics alone."""

from pathlib import Path

import numpy as np
import pytest

from genrec.comparing.published import published_of
from genrec.data.dataset import Dataset
from genrec.data.tables import Sequences


def dataset(users, items, interactions):
    sequences = Sequences(np.ones(interactions, np.int32), np.array([0, interactions]))
    return Dataset(Path("x"), {}, sequences, users, items, "")


@pytest.mark.parametrize(
    ("name", "counts", "value"),
    [
        ("Beauty", (22_363, 12_101, 198_502), 0.0439),
        ("Sports", (35_598, 18_357, 296_337), 0.0353),
        ("Yelp", (30_431, 20_033, 316_354), 0.0507),
    ],
)
def test_datasets_of_the_paper(name, counts, value):
    found = published_of(dataset(*counts))
    assert found.dataset == name
    assert found.of("genrec", "collaborative", False)["metrics"]["NDCG@10"] == value
    assert found.of("S3-Rec", None, False)["metrics"] == found.of("s3rec", None, False)["metrics"]
    assert found.of("p5 small", "sequential", False)["words"] == "published, other protocol"
    assert (found.of("p5 base", None, False) is None) == (name == "Yelp")
    assert found.of("p5 narrow", None, False) is found.of("popularity", None, False) is None
    assert found.of("genrec, model alone", "collaborative", False) is None


def test_other_datasets_have_none():
    assert published_of(dataset(22_363, 12_101, 150_000)) is None
    assert published_of(dataset(22_362, 12_101, 198_502)) is None
    assert published_of(dataset(0, 0, 0)) is None


def test_the_words_say_whether_the_protocol_is_the_papers():
    found = published_of(dataset(22_363, 12_101, 198_502))
    words = [
        found.of(*asked)["words"]
        for asked in (
            ("genrec", "leaky-sequential", False),
            ("genrec", "leaky-sequential", True),
            ("genrec", "text", False),
            ("sasrec", None, False),
        )
    ]
    assert words == ["published", *["published, other protocol"] * 3]

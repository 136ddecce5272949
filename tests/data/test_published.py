"""The statistics that papers print, from the real data where they are at hand."""

import subprocess
import sys
from pathlib import Path

import pytest

from genrec.data.prepare import prepare
from tests.data.helpers import items_of

DATA = Path(__file__).parents[3] / "shared" / "data"
CACHE = Path(__file__).parents[2] / ".cache"


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("beauty", (22_363, 12_101, 198_502)),
        ("sports", (35_598, 18_357, 296_337)),
        ("yelp", (30_431, 20_033, 316_354)),
    ],
)
def test_public_sequences(tmp_path, name, counts):
    source = DATA / f"{name}.txt"
    if not source.exists():
        pytest.skip("the public sequences are not beside the project")
    attributes = DATA / f"{name}_item2attributes.json"
    result = prepare(source, tmp_path / "out", items=attributes)
    assert (result["users"], result["items"], result["interactions"]) == counts
    assert not any(result["dropped"].values())  # they are 5-core already
    assert result["rounds"] == 1
    assert items_of(tmp_path / "out")["1"]["attributes"]


def test_movielens_100k(tmp_path):
    wheel = CACHE / "recbole-1.2.1-py3-none-any.whl"
    if not wheel.exists() and not (CACHE / "ml-100k.zip").exists():
        CACHE.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--retries", "0", "--timeout", "5"]
        done = subprocess.run([*command, "recbole==1.2.1", "-d", str(CACHE)], capture_output=True, check=False)
        if done.returncode or not wheel.exists():
            pytest.skip("offline: MovieLens-100k cannot be fetched")
    result = prepare("movielens-100k", tmp_path / "out", cache=CACHE)
    assert (result["users"], result["items"], result["interactions"]) == (943, 1349, 99_287)
    assert result["dropped"]["k_core"] == 713
    rows = items_of(tmp_path / "out")
    assert rows["1"]["title"] == "Toy Story (1995)"
    assert rows["1"]["attributes"] == ["Animation", "Children's", "Comedy"]
    assert rows["1"]["release_year"] == 1995

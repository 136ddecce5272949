"""Amazon's categories by name, from a local server."""

import gzip

import pytest

from genrec.data import known_amazon
from genrec.data.known import known_name
from genrec.errors import GenRecError
from tests.data.helpers import items_of, read_back
from tests.data.server import serve

REVIEWS = "".join(
    f'{{"reviewerID": "A{n % 2}", "asin": "B{n % 3}", "overall": 5.0, "unixReviewTime": {1_300_000_000 + n}}}\n'
    for n in range(12)
)
PRODUCTS = "{'asin': 'B1', 'title': 'Soap', 'categories': [['Beauty', 'Bath']], 'brand': 'X'}\n"


def pages():
    return {
        "/reviews_Sports_and_Outdoors_5.json.gz": gzip.compress(REVIEWS.encode(), mtime=0),
        "/meta_Sports_and_Outdoors.json.gz": gzip.compress(PRODUCTS.encode(), mtime=0),
    }


@pytest.mark.parametrize("name", ["amazon-2014-sports-and-outdoors", "Amazon-2014-Sports_and_Outdoors"])
def test_reviews_and_products(shop, monkeypatch, tmp_path, name):
    cache = tmp_path / "cache"
    with serve(b"", pages=pages()) as server:
        monkeypatch.setitem(known_amazon._SERVERS, "2014", server.url)
        result = shop.prepare_paths(name, cache=cache, min_count=2)
        assert server.requests == 2
        shop.prepare_paths(name, cache=cache, min_count=2)
        assert server.requests == 2
        (cache / "amazon-2014-reviews_Sports_and_Outdoors_5.json.gz").write_bytes(b"damaged")
        shop.prepare_paths(name, cache=cache, min_count=2)
        assert server.requests == 3
    assert (result["format"], result["name"]) == ("amazon", "amazon-2014-sports-and-outdoors")
    assert result["ties"]["rule"] == "shuffle"
    assert read_back(shop.out)["A0"] == ["B0", "B2", "B1", "B0", "B2", "B1"]
    assert items_of(shop.out)["B1"]["attributes"] == ["Beauty", "Bath", "X"]
    assert "cite" in shop.notes.infos[0]


def test_out_of_reach(shop, monkeypatch, tmp_path):
    monkeypatch.setitem(known_amazon._SERVERS, "2014", "http://127.0.0.1:9")
    with pytest.raises(GenRecError) as error:
        shop.prepare_paths("amazon-2014-beauty", cache=tmp_path / "cache")
    for file in ("reviews_Beauty_5.json.gz", "meta_Beauty.json.gz"):
        place = tmp_path / "cache" / f"amazon-2014-{file}"
        assert f"http://127.0.0.1:9/{file} on another machine, put it at {place}" in str(error.value)


def test_files_put_into_the_cache_by_hand(shop, monkeypatch, tmp_path):
    monkeypatch.setitem(known_amazon._SERVERS, "2014", "http://127.0.0.1:9")
    for path, content in pages().items():
        (tmp_path / f"amazon-2014-{path[1:]}").write_bytes(content)
    result = shop.prepare_paths("amazon-2014-sports-and-outdoors", cache=tmp_path)
    assert result["read"] == 12


def test_names():
    assert known_name("amazon-2023-books") == "amazon-2023-books"
    assert known_name("amazon-2014-all-beauty") is None
    assert known_name("ml-20m") == "movielens-20m"

"""What is known of items survives: titles, attributes, any other column."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genrec.errors import GenRecError
from tests.data.helpers import items_of

LOG = ("log.csv", "user_id,item_id,timestamp\nu,a,1\nu,b,2\n")


def test_csv(shop):
    header = "movieId,title,genres,price,index,ITEM_ID"
    text = f'{header}\na,"A, the first",x|y,5,9,a\na,again,z,6,9,a\nonly here,N,x,1,9,zz\n'
    items = shop.write("items.csv", text)
    result = shop.prepare(LOG, items=items)
    assert items_of(shop.out) == {
        "a": {
            "index": 1,
            "title": "A, the first",
            "attributes": ["x", "y"],
            "price": "5",
            "index_2": "9",
            "movieId": "a",
        },
        "b": dict.fromkeys(["title", "attributes", "price", "index_2", "movieId"]) | {"index": 2},
    }
    assert result["items_file"]["name"] == "items.csv"
    assert len(result["items_file"]["sha256"]) == 64


@pytest.mark.parametrize("text", ["x|y z|w", "x; y z ;w", "x, y z, w"])
def test_attribute_texts(shop, text):
    shop.prepare(LOG, items=shop.write("items.tsv", f"item\ttags\na\t{text}\nb\t\n"))
    assert items_of(shop.out)["a"]["attributes"] == ["x", "y z", "w"]
    assert items_of(shop.out)["b"]["attributes"] is None
    assert "title" not in items_of(shop.out)["a"]


def test_json_lines(shop):
    line = {"parent_asin": "a", "title": "A", "categories": ["x", "y"], "price": 5.5, "more": {"k": [1]}}
    shop.prepare(LOG, items=shop.write("items.jsonl", json.dumps(line) + "\n"))
    assert items_of(shop.out)["a"] == {
        "index": 1,
        "title": "A",
        "attributes": ["x", "y"],
        "price": "5.5",
        "more": '{"k":[1]}',
    }


def test_json_object_of_lists(shop):
    shop.prepare(LOG, items=shop.write("items.json", json.dumps({"a": [1, 2], "zz": [3]})))
    assert items_of(shop.out)["a"]["attributes"] == ["1", "2"]
    assert items_of(shop.out)["b"]["attributes"] is None


def test_parquet_keeps_types(shop):
    table = pa.table(
        {
            "id": ["a"],
            "name": ["A"],
            "genres": [["x"]],
            "price": [1.5],
            "vector": [[0.5, 1.0]],
            "when": [pa.scalar(5)],
        }
    )
    pq.write_table(table, shop.folder / "items.parquet")
    shop.prepare(LOG, items=shop.folder / "items.parquet")
    row = items_of(shop.out)["a"]
    assert row == {"index": 1, "title": "A", "attributes": ["x"], "price": 1.5, "vector": [0.5, 1.0], "when": 5}


def test_recbole(shop):
    text = 'item_id:token\tmovie_title:token_seq\tclass:token_seq\trelease:float\na\t"Oh" she said\tx y\t7\n'
    shop.prepare(LOG, items=shop.write("x.item", text))
    assert items_of(shop.out)["a"] == {
        "index": 1,
        "title": '"Oh" she said',
        "attributes": ["x", "y"],
        "release": "7",
    }


def test_titles_in_the_log(shop):
    text = "user,item,ts,item_title\nu,a,1,\nu,a,2,A\nv,a,3,A\nv,b,4,\n"
    shop.prepare(("log.csv", text))
    assert [items_of(shop.out)[item]["title"] for item in "ab"] == ["A", None]
    shop.prepare(("log.csv", text), items=shop.write("items.csv", "item,title\nb,B\n"))
    assert [items_of(shop.out)[item]["title"] for item in "ab"] == ["A", "B"]


def test_titles_of_reviews_are_not_the_items(shop):
    text = "user,item,ts,title\nu,a,1,Great\nv,a,2,Awful\nu,b,1,Nice\nv,b,2,So so\n"
    shop.prepare(("log.csv", text))
    assert items_of(shop.out) == {"a": {"index": 1}, "b": {"index": 2}}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("items.csv", "name,price\nx,1\n", "no item column found among 'name', 'price'"),
        ("items.csv", "", "is empty"),
        ("items.txt", "1 2 3\n", "no item metadata"),
        ("items.json", "[1]", "JSON array"),
    ],
)
def test_unusable_metadata(shop, name, content, message):
    with pytest.raises(GenRecError, match=message):
        shop.prepare(LOG, items=shop.write(name, content))
    assert not shop.out.exists()


def test_the_logs_own_item_column_goes_first(shop):
    log = ("log.csv", "user,sku,product_id,ts\nu,a,1,1\n")
    items = shop.write("items.csv", "product_id,sku,title\n1,a,A\n")
    shop.prepare(log, items=items, item_col="sku")
    assert items_of(shop.out)["a"]["title"] == "A"
    shop.prepare(log, items=items)
    assert items_of(shop.out)["1"]["title"] == "A"


def test_metadata_of_other_items(shop):
    result = shop.prepare(LOG, items=shop.write("items.csv", "item,title\nx,A\n"))
    assert "knows none of the log's 2 items" in result["warnings"][-1]


def test_missing_metadata(shop):
    with pytest.raises(GenRecError, match="does not exist"):
        shop.prepare(LOG, items=shop.folder / "nope.csv")

"""Amazon's reviews of three generations and Yelp's, with their metadata."""

import gzip
import json

import pytest

from genrec.errors import GenRecError
from tests.data.helpers import items_of, read_back, times_of

OLD = [
    {"reviewerID": "A1", "asin": "B000000001", "reviewerName": 'it\'s "me"', "helpful": [0, 1], "overall": 5.0},
    {"reviewerID": "A1", "asin": "0000000002", "reviewerName": "x", "overall": 2.0},
    {"reviewerID": "A2", "asin": "B000000001", "overall": 4.0, "reviewText": "ä \\/ \n"},
]
OLD_TIMES = [1_400_000_100, 1_400_000_000, 1_390_000_000]
OLD_ROWS = [row | {"title": "no", "unixReviewTime": time} for row, time in zip(OLD, OLD_TIMES, strict=True)]
WANTED = {"A1": ["0000000002", "B000000001"], "A2": ["B000000001"]}
WANTED_TIMES = [[1_400_000_000_000_000, 1_400_000_100_000_000], [1_390_000_000_000_000]]


def lines(rows, write=json.dumps):
    return "".join(write(row) + "\n" for row in rows)


NEW = lines(
    {
        "rating": row["overall"],
        "title": f"Great {number}",
        "asin": "a variant",
        "parent_asin": row["asin"],
        "user_id": row["reviewerID"],
        "timestamp": row["unixReviewTime"] * 1000,
    }
    for number, row in enumerate(OLD_ROWS)
)
FILES = {
    "reviews_X_5.json.gz": gzip.compress(lines(OLD_ROWS).encode()),
    "reviews_X.json": lines(OLD_ROWS, repr),
    "unicode.json": lines(OLD_ROWS, repr).replace("{'", "{u'"),
    "mixed.json": lines(OLD_ROWS[:1], repr) + lines(OLD_ROWS[1:]),
    "X.jsonl": NEW,
    "X.csv": "user_id,parent_asin,rating,timestamp\n"
    "A1,B000000001,5.0,1400000100000\nA1,0000000002,2.0,1400000000000\nA2,B000000001,4.0,1390000000000\n",
}


@pytest.mark.parametrize("format", ["auto", "amazon"])
@pytest.mark.parametrize("name", FILES)
def test_amazon(shop, name, format):
    result = shop.prepare((name, FILES[name]), format=format)
    assert read_back(shop.out) == WANTED
    assert times_of(shop.out) == WANTED_TIMES
    assert result["format"] == "amazon"
    assert result["warnings"] == []
    assert list(items_of(shop.out)["B000000001"]) == ["index"]  # a review's title is not the item's
    assert shop.prepare((name, FILES[name]), format=format, min_rating=4)["interactions"] == 2


@pytest.mark.parametrize("item_first", [False, True])
def test_amazon_ratings_without_a_header(shop, item_first):
    rows = [
        ("A39HTATAQ9V7YF", "0205616461", "5.0", "1369699200"),
        ("A3JM6GV9MNOF9X", "B00005N7P0", "1.0", "1365811200"),
    ]
    rows.append(("A39HTATAQ9V7YF", "B00005N7P0", "3.0", "1369699100"))
    order = [1, 0, 2, 3] if item_first else [0, 1, 2, 3]
    text = "".join(",".join(row[place] for place in order) + "\n" for row in rows) + "broken\n"
    result = shop.prepare(("ratings_X.csv", text))
    assert read_back(shop.out) == {
        "A39HTATAQ9V7YF": ["B00005N7P0", "0205616461"],
        "A3JM6GV9MNOF9X": ["B00005N7P0"],
    }
    assert result["columns"]["item"] == "asin"
    assert (result["format"], result["dropped"]["unparseable"]) == ("amazon", 1)


def test_python_lines_are_data(shop, tmp_path, recwarn):
    """Nothing in a line is run, and what is no literal is counted."""
    call = f"__import__('os').mkdir({str(tmp_path / 'made')!r})"
    evil = f"{{'reviewerID': {call}, 'asin': 'x', 'unixReviewTime': 1}}\n"
    deep = "{'a': " + "(" * 100_000 + "\n"
    long = "{'a': " + "-" * 100_000 + "1}\n"
    other = "{'reviewerID': {1, 2}, 'asin': b'x'}\n{'cut': 'of\n"
    good = "{'reviewerID': 'A\\xe9\\/', 'asin': 'i', 'unixReviewTime': 1400000000}\n"
    result = shop.prepare(("reviews.json", good + evil + deep + long + other))
    assert read_back(shop.out) == {"Aé\\/": ["i"]}
    assert (result["read"], result["dropped"]["unparseable"]) == (6, 5)
    assert [one["line"] for one in result["examples"]] == [2, 3, 4]
    assert not (tmp_path / "made").exists()
    assert not recwarn.list


def test_not_amazon(shop):
    with pytest.raises(GenRecError, match=r"none of the columns of Amazon reviews .*parent_asin.* but user, item"):
        shop.prepare(("log.csv", "user,item\nu,i\n"), format="amazon")
    with pytest.raises(GenRecError, match="none of the columns of Yelp reviews"):
        shop.prepare(("log.jsonl", FILES["X.jsonl"]), format="yelp")


META = {
    2014: "{'asin': 'B000000001', 'title': 'It\\'s', 'price': 5.5, 'imUrl': 'http://x', 'brand': 'Acme',"
    " 'related': {'also_bought': ['x']}, 'categories': [['Beauty', 'Hair'], ['Beauty', 'Gifts']],"
    " 'description': 'long'}\n{'asin': '0000000002', 'categories': [[]]}\n",
    2018: '{"category": ["Beauty", "Hair", "Gifts"], "description": ["long"], "title": "It\'s", "brand": "Acme",'
    ' "feature": [], "rank": "1 in x", "price": "5.5", "asin": "B000000001", "also_buy": ["x"]}\n'
    '{"asin": "0000000002", "category": [], "brand": ""}\n',
    2023: '{"main_category": "All Beauty", "title": "It\'s", "features": ["f"], "description": ["long"],'
    ' "price": 5.5, "store": "Acme", "categories": ["Beauty", "Hair", "Gifts"], "details": {"a": "b"},'
    ' "images": [{"thumb": "x"}], "parent_asin": "B000000001"}\n'
    '{"parent_asin": "0000000002", "categories": [], "store": null}\n',
}


@pytest.mark.parametrize("year", META)
def test_amazon_metadata(shop, year):
    items = shop.write(f"meta_{year}.json.gz", gzip.compress(META[year].encode()))
    shop.prepare(("reviews.json", lines(OLD_ROWS)), items=items)
    rows = items_of(shop.out)
    first, second = rows["B000000001"], rows["0000000002"]
    assert first["title"] == "It's"
    assert first["attributes"] == ["Beauty", "Hair", "Gifts", "Acme"]
    assert first["price"] == "5.5"
    assert second["attributes"] is None
    brand = "store" if year == 2023 else "brand"
    assert first[brand] == "Acme"
    rest = {"main_category"} if year == 2023 else set()
    assert set(first) == {"index", "title", "attributes", "price", brand} | rest


REVIEWS = [
    {
        "review_id": "r1",
        "user_id": "u",
        "business_id": "a",
        "stars": 4.0,
        "text": "t",
        "date": "2018-12-31 23:59:59",
    },
    {
        "review_id": "r2",
        "user_id": "u",
        "business_id": "b",
        "stars": 1.0,
        "text": "t",
        "date": "2019-12-31 23:59:59",
    },
    {
        "review_id": "r3",
        "user_id": "u",
        "business_id": "a",
        "stars": 5.0,
        "text": "t",
        "date": "2019-01-01 00:00:00",
    },
    {
        "review_id": "r4",
        "user_id": "u",
        "business_id": "c",
        "stars": 5.0,
        "text": "t",
        "date": "2020-01-01 00:00:00",
    },
]
BUSINESS = {
    "business_id": "a",
    "name": "Joe's",
    "city": "Tempe",
    "stars": 4.5,
    "is_open": 1,
    "attributes": {"WiFi": "free"},
    "hours": None,
}


@pytest.mark.parametrize("categories", ["Bars, Nightlife, Bars", ["Bars", "Nightlife"]])
@pytest.mark.parametrize("name", ["review.json", "yelp_academic_dataset_review.json"])
def test_yelp(shop, name, categories):
    items = shop.write(
        "business.json",
        lines([BUSINESS | {"categories": categories}, {"business_id": "b", "name": "B", "categories": None}]),
    )
    dates = {"since": "2019-01-01", "until": "2019-12-31"}
    result = shop.prepare((name, lines(REVIEWS)), items=items, **dates)
    assert read_back(shop.out) == {"u": ["a", "b"]}
    assert (result["format"], result["dropped"]["outside_dates"]) == ("yelp", 2)
    rows = items_of(shop.out)
    assert rows["a"] == {
        "index": 1,
        "title": "Joe's",
        "attributes": ["Bars", "Nightlife"],
        "city": "Tempe",
        "stars": "4.5",
        "is_open": "1",
    }
    assert rows["b"]["attributes"] is None


def test_yelp_folder(shop):
    folder = shop.folder / "yelp"
    folder.mkdir()
    (folder / "yelp_academic_dataset_review.json").write_text(lines(REVIEWS))
    (folder / "yelp_academic_dataset_business.json").write_text(lines([BUSINESS | {"categories": "Bars"}]))
    (folder / "yelp_academic_dataset_tip.json").write_text("{}")
    result = shop.prepare_paths(folder)
    assert (result["format"], result["name"], result["interactions"]) == ("yelp", "yelp", 4)
    assert items_of(shop.out)["a"]["title"] == "Joe's"

"""Raw-format files with the published sequences inside, and noise around them, give the published statistics.

The noise is whatever a filter has to take away: users and items with fewer than five rows, exact duplicates, rows
outside the dates, rows that cannot be read; all of it, and the order of the rows, shuffled.
"""

import gzip
import json
import random
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from tests.data.helpers import items_of, read_back
from tests.data.test_published import DATA

YEAR = datetime(2019, 1, 1, tzinfo=UTC).timestamp()
OUTSIDE = [
    datetime(2018, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp(),
    datetime(2020, 1, 1, tzinfo=UTC).timestamp(),
]


def _sequences(name):
    path = DATA / f"{name}.txt"
    if not path.exists():
        pytest.skip("the public sequences are not beside the project")
    lines = (line.split() for line in path.read_text().splitlines())
    return {user: items for user, *items in lines}


def _rows(sequences, rng):
    """(user, item, seconds within 2019), and noise; the events of a user are a minute or more apart."""
    rows = [
        (user, item, int(YEAR) + 60 * place + int(user) % 60)
        for user, items in sequences.items()
        for place, item in enumerate(items)
    ]
    items = sorted({item for _, item, _ in rows})
    users = sorted(sequences)
    noise = [(f"new{n}", rng.choice(items), int(YEAR) + n) for n in range(2000) for _ in range(4)]
    # A noise user's rows of one item at one time would be duplicates.
    noise = [(user, item, time + 3600 * place) for place, (user, item, time) in enumerate(noise)]
    noise = [(user, item, int(YEAR) + time % (300 * 86_400)) for user, item, time in noise]
    noise += [(rng.choice(users), f"rare{n // 4}", int(YEAR) + n) for n in range(2000)]
    duplicates = rng.choices(rows, k=3000)
    return rows, noise, duplicates


def _shuffled(rows, duplicates, noise, broken, write, rng):
    lines = [write(*row) for row in (*rows, *noise, *duplicates)] + broken
    rng.shuffle(lines)
    return "\n".join(lines) + "\n"


def _check(result, out, sequences, noise, duplicates, broken):
    assert read_back(out) == sequences
    dropped = result["dropped"]
    assert dropped["unparseable"] + dropped["missing_item"] == len(broken)
    assert dropped["k_core"] == len(set(noise))
    assert dropped["duplicate"] == len(duplicates) + len(noise) - len(set(noise))
    assert result["warnings"]


def _old_review(user, item, time):
    row = {"reviewerID": user, "asin": item, "reviewText": 'it\'s "good"', "overall": 5.0, "unixReviewTime": time}
    return repr(row) if time % 2 else json.dumps(row)


def test_amazon_2014(shop):
    rng = random.Random(1)
    sequences = _sequences("beauty")
    rows, noise, duplicates = _rows(sequences, rng)
    broken = ["{'reviewerID': 'A", '{"reviewerID": "A"', "{'reviewerID': print(1)}", "", "}"] * 20
    broken += ['{"reviewerID": "A", "asin": null, "unixReviewTime": 1}'] * 10
    text = _shuffled(rows, duplicates, noise, broken, _old_review, rng)
    meta = "".join(repr({"asin": item, "categories": [["Beauty"]], "brand": "b"}) + "\n" for item in ("1", "none"))
    result = shop.prepare(
        ("reviews_Beauty.json.gz", gzip.compress(text.encode(), 1)),
        min_count=5,
        items=shop.write("meta_Beauty.json.gz", gzip.compress(meta.encode())),
    )
    _check(result, shop.out, sequences, noise, duplicates, [line for line in broken if line])
    assert (result["users"], result["items"], result["interactions"]) == (22_363, 12_101, 198_502)
    assert items_of(shop.out)["1"]["attributes"] == ["Beauty", "b"]


def test_amazon_2023(shop):
    rng = random.Random(2)
    sequences = _sequences("sports")
    rows, noise, duplicates = _rows(sequences, rng)
    broken = ["u,i", "u,i,5.0,yesterday", "u,,5.0,1546300800000", 'u,"i,5.0,1546300800000'] * 20
    text = _shuffled(rows, duplicates, noise, broken, lambda user, item, time: f"{user},{item},5.0,{time}000", rng)
    halves = [text[: text.index("\n", len(text) // 2) + 1], text[text.index("\n", len(text) // 2) + 1 :]]
    folder = shop.folder / "Sports"
    folder.mkdir()
    for number, half in enumerate(halves):
        content = ("user_id,parent_asin,rating,timestamp\n" + half).encode()
        (folder / f"{number}.csv.zst").write_bytes(pa.compress(content, "zstd", asbytes=True))
    result = shop.prepare_paths(str(folder / "*.csv.zst"), min_count=5)
    _check(result, shop.out, sequences, noise, duplicates, broken)
    assert (result["users"], result["items"], result["interactions"]) == (35_598, 18_357, 296_337)


def _yelp_review(user, item, time):
    date = datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f'{{"user_id":"{user}","business_id":"{item}","stars":4.0,"text":"\\u00e9","date":"{date}"}}'


def test_yelp_of_2019(shop):
    rng = random.Random(3)
    sequences = _sequences("yelp")
    rows, noise, duplicates = _rows(sequences, rng)
    users, items = sorted(sequences), sorted({item for _, item, _ in rows})
    other_years = [(rng.choice(users), rng.choice(items), int(OUTSIDE[n % 2])) for n in range(5000)]
    broken = ["{", "[1]", '{"user_id":"u","business_id":"i","date":"2019-13-01"}'] * 20
    text = _shuffled([*rows, *other_years], duplicates, noise, broken, _yelp_review, rng)
    folder = shop.folder / "yelp"
    folder.mkdir()
    (folder / "yelp_academic_dataset_review.json").write_text(text)
    business = {"business_id": items[0], "name": "N", "categories": "A, B"}
    (folder / "yelp_academic_dataset_business.json").write_text(json.dumps(business) + "\n")
    result = shop.prepare_paths(folder, min_count=5, since="2019-01-01", until="2019-12-31")
    _check(result, shop.out, sequences, noise, duplicates, broken)
    assert result["dropped"]["outside_dates"] == 5000
    assert (result["users"], result["items"], result["interactions"]) == (30_431, 20_033, 316_354)
    assert items_of(shop.out)[items[0]]["title"] == "N"

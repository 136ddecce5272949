"""Each format, and the ways in which people's files differ."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genrec.errors import GenRecError
from tests.data.helpers import read_back, times_of

HEADER = "user_id,item_id,timestamp\n"
ROWS = [("u1", "i1", 30), ("u1", "i2", 10), ("u2", "i1", 20)]
WANTED = {"u1": ["i2", "i1"], "u2": ["i1"]}


def _delimited(mark, rows=ROWS):
    return "".join(mark.join(map(str, row)) + "\n" for row in [("user_id", "item_id", "timestamp"), *rows])


def _parquet(tmp_path, columns):
    path = tmp_path / "written.parquet"
    pq.write_table(pa.table(columns), path)
    return path.read_bytes()


def _columns():
    users, items, times = zip(*ROWS, strict=True)
    return {"user_id": list(users), "item_id": list(items), "timestamp": list(times)}


def _json_lines():
    keys = ("user_id", "item_id", "timestamp")
    return "".join(json.dumps(dict(zip(keys, row, strict=True))) + "\n" for row in ROWS)


FILES = {
    "log.csv": _delimited(","),
    "semicolons.csv": _delimited(";"),
    "pipes.csv": _delimited("|"),
    "log.tsv": _delimited("\t"),
    "log.jsonl": _json_lines(),
    "log.json": _json_lines(),
    "sniffed": _delimited(","),
    "sniffed.txt": _delimited("\t"),
    "sniffed.log": _json_lines(),
    "crlf.csv": _delimited(",").replace("\n", "\r\n"),
    "cr.csv": _delimited(",").replace("\n", "\r"),
    "mixed.csv": _delimited(",").replace("10\n", "10\r\n"),
    "bom.csv": "\ufeff" + _delimited(","),
    "no_last_end.csv": _delimited(",").rstrip(),
    "blank_lines.csv": "\n" + _delimited(",").replace("\n", "\n\n") + "  \n",
    "quoted.csv": _delimited(",").replace("u1", '"u1"'),
    "typed.inter": _delimited("\t").replace("user_id", "user_id:token").replace("timestamp", "timestamp:float"),
}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_text_formats(shop, name, zipped):
    content = FILES[name].encode()
    file = (name + ".gz", gzip.compress(content)) if zipped else (name, content)
    result = shop.prepare(file)
    assert read_back(shop.out) == WANTED
    assert times_of(shop.out) == [[10_000_000, 30_000_000], [20_000_000]]
    assert (result["users"], result["items"], result["interactions"]) == (2, 2, 3)
    assert result["warnings"] == []


@pytest.mark.parametrize("zipped", [False, True])
def test_parquet(shop, tmp_path, zipped):
    content = _parquet(tmp_path, _columns())
    shop.prepare(("log.parquet.gz", gzip.compress(content)) if zipped else ("log.parquet", content))
    assert read_back(shop.out) == WANTED


def test_parquet_types(shop, tmp_path):
    columns = {
        "userId": pa.array([7, 7, 8], pa.int64()),
        "movieId": pa.array([1.0, 12.0, None]),
        "ts": pa.array([2, 1, 3], pa.timestamp("ms", "Europe/Berlin")),
    }
    result = shop.prepare(("log.parquet", _parquet(tmp_path, columns)))
    assert read_back(shop.out) == {"7": ["12.0", "1.0"]}
    assert times_of(shop.out) == [[1000, 2000]]
    assert result["dropped"]["missing_item"] == 1


def test_multi_file_order_decides_ties(shop):
    first = ("a.csv", HEADER + "u,z,5\nu,b,5\n")
    second = ("b.csv", "item_id,timestamp,user_id\na,5,u\nc,4,u\n")
    shop.prepare(first, second)
    assert read_back(shop.out) == {"u": ["c", "z", "b", "a"]}
    shop.prepare(second, first)
    assert read_back(shop.out) == {"u": ["c", "a", "z", "b"]}


def test_input_order_survives_many_rows(shop):
    count = 300_000
    rows = "".join(f"u{row % 7},i{row},1\n" for row in range(count))
    shop.prepare(("log.csv", HEADER + rows))
    got = read_back(shop.out)
    assert all(got[f"u{user}"] == [f"i{row}" for row in range(user, count, 7)] for user in range(7))


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_sequences(shop, ends):
    text = ends.join(["1 5 6 5", "", "2  7\t8 ", "1 9 5", "3"])
    result = shop.prepare(("log.txt", text))
    assert read_back(shop.out) == {"1": ["5", "6", "5", "9", "5"], "2": ["7", "8"]}
    assert result["times"] is None
    assert result["warnings"] == []
    assert "timestamps" not in pq.read_table(shop.out / "sequences.parquet").column_names


def test_sequences_have_no_dates(shop):
    with pytest.raises(GenRecError, match="no dates"):
        shop.prepare(("log.txt", "1 2 3\n"), since="2020-01-01")


def test_ids_are_opaque(shop):
    ids = ["007", "7", " 7", "é", "😀", 'say "hi"', "a,b", "x" * 1024, "null", "1e5", "o'neil"]
    rows = "".join('"' + one.replace('"', '""') + f'",i,{n}\n' for n, one in enumerate(ids))
    shop.prepare(("log.csv", HEADER + rows))
    users = pq.read_table(shop.out / "users.parquet").column("user_id").to_pylist()
    assert users == sorted(ids, key=str.encode)
    lines = "".join(json.dumps({"user_id": one, "item_id": "i", "ts": 1}) + "\n" for one in ids)
    shop.prepare(("log.jsonl", lines))
    assert list(read_back(shop.out)) == users


def test_json_numbers_keep_their_digits(shop):
    shop.prepare(("log.jsonl", '{"user":12345678901234567890123,"item":7,"ts":1546300800000}\n'))
    assert read_back(shop.out) == {"12345678901234567890123": ["7"]}
    assert times_of(shop.out) == [[1_546_300_800_000_000]]


def test_json_names_with_slashes(shop):
    line = json.dumps({"user/id": "u", "it~em": "i", "when's": 5})
    shop.prepare(("log.jsonl", line), user_col="user/id", item_col="it~em", time_col="when's")
    assert read_back(shop.out) == {"u": ["i"]}


def test_explicit_columns_win(shop):
    text = "user_id,item_id,timestamp,buyer,thing,at\nx,x,1,u,a,9\nx,x,2,u,b,8\n"
    shop.prepare(("log.csv", text), user_col="buyer", item_col="thing", time_col="at")
    assert read_back(shop.out) == {"u": ["b", "a"]}


def test_columns_that_differ_in_case_only(shop):
    shop.prepare(("log.csv", "USER_ID,user_id,Item,item_id\nA,u,B,i\n"), user_col="user_id")
    assert read_back(shop.out) == {"u": ["i"]}


@pytest.mark.parametrize(
    ("header", "user", "item"),
    [
        ("reviewerID,asin,overall,unixReviewTime", "reviewerID", "asin"),
        ("rating,asin,parent_asin,user_id,timestamp", "user_id", "parent_asin"),
        ("review_id,user_id,business_id,stars,date", "user_id", "business_id"),
        ("t_dat,customer_id,article_id,price", "customer_id", "article_id"),
        ("timestamp,visitorid,event,itemid", "visitorid", "itemid"),
        ("userId,movieId,rating,timestamp", "userId", "movieId"),
        ("User ID,Item-ID,Time", "User ID", "Item-ID"),
        ("session_id,item_id,date", "session_id", "item_id"),
        ("id,session_id,user_id,product_id,created_at", "user_id", "product_id"),
    ],
)
def test_guessed_columns(shop, header, user, item):
    row = ",".join("1546300800" if "time" in name.lower() else name for name in header.split(","))
    row = ",".join("2019-01-01" if name in ("date", "t_dat", "created_at") else name for name in row.split(","))
    result = shop.prepare(("log.csv", f"{header}\n{row}\n"))
    assert (result["columns"]["user"], result["columns"]["item"]) == (user, item)
    assert result["columns"]["time"] is not None

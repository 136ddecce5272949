"""Recommending to everybody in a file."""

import gzip
import json
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import genrec
from genrec.bulk import Job, ranking, recommend_to_many, rows
from genrec.errors import GenRecError, OutputExistsError
from tests.helpers import ITEMS, USERS

ROWS = [
    ("u1", None),
    ("u2", ["i5", "i6"]),
    ("stranger", ["i5", "nope"]),
    (None, ["i7"]),
    ("nobody", None),
    ("u1", None),
]
IDS = [user for user, _ in ROWS]
HISTORIES = [history for _, history in ROWS]
TEXTS = [" ".join(history or []) for history in HISTORIES]


def write_csv(path):
    lines = [f"{user or ''},{text}" for user, text in zip(IDS, TEXTS, strict=True)]
    path.write_text("\n".join(["user,history", *lines]) + "\n")


def write_windows_csv(path):
    """As Excel writes it: BOM, CRLF, quotes; and a column whose kind changes late."""
    rows = enumerate(zip(IDS, TEXTS, strict=True))
    lines = [f'"{user or ""}",{n if n < 5 else "?"}," {text} "' for n, (user, text) in rows]
    path.write_bytes("\r\n".join(["\ufeffuser,n,history", *lines, ""]).encode())


def write_json_texts(path):
    lines = [f"{user or ''}\t{json.dumps(history) if history else ''}" for user, history in ROWS]
    path.write_bytes(gzip.compress("\n".join(["user\thistory", *lines]).encode()))


def write_lists(path):
    pq.write_table(pa.table({"user": IDS, "history": HISTORIES}), path, row_group_size=2)


def write_large_lists(path):
    users = pa.array(IDS).dictionary_encode()
    kind = pa.large_list(pa.large_string())
    pq.write_table(pa.table({"history": pa.array(HISTORIES, kind), "x": TEXTS, "user": users}), path)


def write_texts(path):
    pq.write_table(pa.table({"user": pa.array(IDS, pa.large_string()), "history": TEXTS}), path)


WRITERS = {
    "users.csv": write_csv,
    "excel.csv": write_windows_csv,
    "users.tsv.gz": write_json_texts,
    "lists.parquet": write_lists,
    "large.parquet": write_large_lists,
    "texts.parquet": write_texts,
}


@pytest.fixture(scope="module")
def path(trained):
    return trained.bundle


@pytest.fixture(scope="module")
def alone(path):
    """What each row gets by itself; None where that is refused."""
    model = genrec.load(path)
    return [model.recommend(*row, k=4, deny=["i3"]) if row[0] != "nobody" else None for row in ROWS]


@pytest.mark.parametrize("name", WRITERS)
def test_rows_get_what_they_would_get_alone(path, alone, tmp_path, name):
    WRITERS[name](tmp_path / name)
    job = Job(path, tmp_path / name, k=4, deny=("i3", "x"))
    result = recommend_to_many(job, tmp_path / "out.parquet")
    counts = {"users": 6, "known_users": 3, "without_history": 1, "unknown_items": 1, "rows": 24}
    assert {key: result[key] for key in counts} == counts
    assert result["unknown_deny"] == 1
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.schema.equals(ranking.SCHEMA)
    found = table.to_pylist()
    assert [row["row"] for row in found] == [number for number in range(1, 7) for _ in range(4)]
    for number, (user, one) in enumerate(zip(IDS, alone, strict=True), 1):
        mine = [row for row in found if row["row"] == number]
        assert {row["user"] for row in mine} == {user}
        assert [row["rank"] for row in mine] == [1, 2, 3, 4]
        if one is not None:
            assert [row["item"] for row in mine] == [row["item"] for row in one["items"]]
            scores = [row["score"] for row in one["items"]]
            np.testing.assert_allclose([row["score"] for row in mine], scores, atol=1e-4)
            assert {row["known_user"] for row in mine} == {one["known_user"]}


def test_batches_and_chunks_do_not_show(path, tmp_path, monkeypatch):
    users = tmp_path / "users.csv"
    users.write_text("user\n" + "\n".join(f"u{n}" for n in range(1, USERS + 1)) + "\n")
    job = Job(path, users, k=3)
    recommend_to_many(job, tmp_path / "whole.parquet")
    monkeypatch.setattr(ranking, "most_users", lambda scorer, listed: 7)
    monkeypatch.setattr(rows, "CHUNK_BYTES", 100)
    recommend_to_many(job, tmp_path / "pieces.parquet")
    whole, pieces = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("whole", "pieces"))
    assert pq.read_metadata(tmp_path / "pieces.parquet").num_row_groups > 1
    assert whole.drop_columns("score").equals(pieces.drop_columns("score"))
    assert whole.num_rows == 3 * USERS


def test_chunks_hold_every_row_once():
    ends = [0, 3, 3, 20, 21, 24]
    batches = [pa.record_batch({"n": pa.array(range(*pair), pa.int64())}) for pair in pairwise(ends)]
    tables = list(rows.chunks(batches, 5))
    assert pa.concat_tables(tables)["n"].to_pylist() == list(range(24))
    assert max(table.num_rows for table in tables) == 5
    assert len(tables) <= 7
    cut = [pa.Table.from_batches(rows.window(iter(batches), first, stop)) for first, stop in ((2, 5), (19, 99))]
    assert [table["n"].to_pylist() for table in cut] == [[2, 3, 4], [19, 20, 21, 22, 23]]


def test_ids_stay_text_and_lists_may_be_json(path, tmp_path):
    users = tmp_path / "users.csv"
    users.write_text('user,history\n007,"[""i1"", null, ""i2""]"\n1e3,[i1 i2\n')
    result = recommend_to_many(Job(path, users, k=1), tmp_path / "out.parquet")
    assert result["unknown_items"] == 2
    table = pq.read_table(tmp_path / "out.parquet")
    assert table["user"].to_pylist() == ["007", "1e3"]
    one = genrec.load(path).recommend(history=["i1", "i2"], k=1)
    assert table["item"][0].as_py() == one["items"][0]["item"]


def test_numbers_are_ids_too(path, tmp_path):
    lists = pa.array([[1, 2], None, []], pa.list_(pa.int64()))
    floats = pa.array([7.0, None, float("nan")])
    pq.write_table(pa.table({"user": floats, "history": lists}), tmp_path / "users.parquet")
    result = recommend_to_many(Job(path, tmp_path / "users.parquet", k=1), tmp_path / "out.parquet")
    assert (result["users"], result["without_history"], result["unknown_items"]) == (3, 3, 2)
    assert pq.read_table(tmp_path / "out.parquet")["user"].to_pylist() == ["7", None, None]


def test_a_very_long_history(trained, tmp_path):
    items = [f"i{1 + n % ITEMS}" for n in range(300_000)]
    users = tmp_path / "users.csv"
    users.write_text(f"user,history\nu1,\n,{' '.join(items)}\nu2,\n")
    job = Job(trained.bundle, users, k=2, include_seen=True)
    assert recommend_to_many(job, tmp_path / "out.parquet")["rows"] == 6
    one = genrec.load(trained.bundle).recommend(history=items[-100:], k=2, include_seen=True)["items"]
    assert pq.read_table(tmp_path / "out.parquet")["item"].to_pylist()[2:4] == [row["item"] for row in one]


def test_a_row_without_end(trained, tmp_path):
    (tmp_path / "users.csv").write_text(f"user\nu1\n{'x' * (13 << 20)}\nu2\n")
    with pytest.raises(GenRecError, match=r"a row of .* is longer than 4 MB"):
        recommend_to_many(Job(trained.bundle, tmp_path / "users.csv"), tmp_path / "out.parquet")


def test_no_rows(path, tmp_path):
    (tmp_path / "users.csv").write_text("user\n")
    assert recommend_to_many(Job(path, tmp_path / "users.csv"), tmp_path / "out.parquet")["rows"] == 0
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 0


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "does not exist"),
        (b"", "cannot be read"),
        (b"person,items\na,b\n", "has the columns person, items; a column 'user', 'history' or both is wanted"),
        (b"user,history\nu1,i1\nu1,i1,i2\n", r"cannot be read.*Row #3: Expected 2 columns, got 3: u1,i1,i2"),
        (b"user,user\nu1,u1\n", "has 2 columns 'user'; one is wanted"),
        (b"user\nu1\n\xff\n", "cannot be read.*UTF8"),
        (b"PAR1 cut off", "cannot be read"),
    ],
)
def test_files_that_are_refused(path, tmp_path, content, told):
    users = tmp_path / "users.csv"
    if content is not None:
        users.write_bytes(content)
    with pytest.raises(GenRecError, match=told):
        recommend_to_many(Job(path, users), tmp_path / "out.parquet")
    assert not [found for found in tmp_path.iterdir() if found != users]


def test_a_truncated_file_is_refused(trained, tmp_path):
    whole = gzip.compress(b"user\n" + b"".join(b"u%d\n" % n for n in range(1000)))
    (tmp_path / "users.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(GenRecError, match="cannot be read"):
        recommend_to_many(Job(trained.bundle, tmp_path / "users.csv.gz"), tmp_path / "out.parquet")


@pytest.mark.parametrize("column", ["user", "history"])
def test_columns_of_other_kinds_are_refused(trained, tmp_path, column):
    users = tmp_path / "users.parquet"
    pq.write_table(pa.table({column: [{"a": 1}]}), users)
    with pytest.raises(GenRecError, match=f"the column '{column}' is of type struct"):
        recommend_to_many(Job(trained.bundle, users), tmp_path / "out.parquet")


def test_an_existing_output_stays(path, tmp_path):
    job = Job(path, tmp_path / "users.csv")
    write_csv(tmp_path / "users.csv")
    (tmp_path / "out.parquet").write_text("mine")
    with pytest.raises(OutputExistsError):
        recommend_to_many(job, tmp_path / "out.parquet")
    assert recommend_to_many(job, tmp_path / "out.parquet", force=True)["rows"]
    assert pq.read_table(tmp_path / "out.parquet").num_rows
    with pytest.raises(GenRecError, match="would replace the input"):
        recommend_to_many(job, tmp_path / "users.csv", force=True)
    (tmp_path / "folder").mkdir()
    with pytest.raises(GenRecError, match="is a folder; give a file, or ask for parts"):
        recommend_to_many(job, tmp_path / "folder", force=True)

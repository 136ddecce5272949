"""Recommending to everybody in a file."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import genrec
from genrec import bulk
from genrec.bulk import recommend_file
from genrec.errors import GenRecError, OutputExistsError
from tests.helpers import USERS

ROWS = [
    ("u1", None),
    ("u2", ["i5", "i6"]),
    ("stranger", ["i5", "nope"]),
    (None, ["i7"]),
    ("nobody", None),
]


def write_csv(path):
    lines = [f"{user or ''},{' '.join(history or [])}" for user, history in ROWS]
    path.write_text("\n".join(["user,history", *lines]) + "\n")


def write_tsv(path):
    lines = [f"7\t{user or ''}\t{' '.join(history or [])}" for user, history in ROWS]
    path.write_text("\n".join(["other\tuser\thistory", *lines]) + "\n")


def write_parquet(path):
    pq.write_table(pa.table({"user": [row[0] for row in ROWS], "history": [row[1] for row in ROWS]}), path)


WRITERS = {"users.csv": write_csv, "users.tsv": write_tsv, "users.parquet": write_parquet}


@pytest.fixture(scope="module", params=["run", "bundle"])
def model(request, trained):
    return genrec.load(getattr(trained, request.param))


@pytest.mark.parametrize("name", WRITERS)
def test_rows_get_what_they_would_get_alone(model, tmp_path, name):
    WRITERS[name](tmp_path / name)
    result = recommend_file(model, tmp_path / name, tmp_path / "out.parquet", k=4, deny=["i3", "x"])
    counts = {"users": 5, "known_users": 2, "without_history": 1, "unknown_items": 1, "rows": 20}
    assert {key: result[key] for key in counts} == counts
    assert result["unknown_deny"] == 1
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.schema == bulk.SCHEMA
    rows = table.to_pylist()
    assert [row["row"] for row in rows] == [number for number in range(1, 6) for _ in range(4)]
    for number, (user, history) in enumerate(ROWS, 1):
        mine = [row for row in rows if row["row"] == number]
        assert {row["user"] for row in mine} == {user}
        assert [row["rank"] for row in mine] == [1, 2, 3, 4]
        if user != "nobody":
            alone = model.recommend(user, history, k=4, deny=["i3"])
            assert [row["item"] for row in mine] == [row["item"] for row in alone["items"]]
            scores = [row["score"] for row in alone["items"]]
            np.testing.assert_allclose([row["score"] for row in mine], scores, atol=1e-4)
            assert {row["known_user"] for row in mine} == {alone["known_user"]}


def test_batches_do_not_show(model, tmp_path, monkeypatch):
    path = tmp_path / "users.csv"
    path.write_text("user\n" + "\n".join(f"u{n}" for n in range(1, USERS + 1)) + "\n")
    recommend_file(model, path, tmp_path / "whole.parquet", k=3)
    monkeypatch.setattr(bulk, "BATCH", 7)
    recommend_file(model, path, tmp_path / "parts.parquet", k=3)
    whole, parts = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("whole", "parts"))
    assert whole.drop_columns("score").equals(parts.drop_columns("score"))
    assert whole.num_rows == 3 * USERS


def test_ids_stay_text_and_lists_may_be_json(model, tmp_path):
    path = tmp_path / "users.csv"
    path.write_text('user,history\n007,"[""i1"", ""i2""]"\n1e3,[i1 i2\n')
    recommend_file(model, path, tmp_path / "out.parquet", k=1)
    table = pq.read_table(tmp_path / "out.parquet")
    assert table["user"].to_pylist() == ["007", "1e3"]
    alone = model.recommend(history=["i1", "i2"], k=1)
    assert table["item"][0].as_py() == alone["items"][0]["item"]


def test_no_rows(model, tmp_path):
    (tmp_path / "users.csv").write_text("user\n")
    assert recommend_file(model, tmp_path / "users.csv", tmp_path / "out.parquet")["rows"] == 0
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 0


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "does not exist"),
        ("", "cannot be read"),
        ("person,items\na,b\n", "has the columns person, items; a column 'user', 'history' or both is wanted"),
        ("user,history\nu1,i1,i2\n", "cannot be read"),
    ],
)
def test_files_that_are_refused(model, tmp_path, content, told):
    path = tmp_path / "users.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(GenRecError, match=told):
        recommend_file(model, path, tmp_path / "out.parquet")
    assert not [found for found in tmp_path.iterdir() if found != path]


def test_an_existing_output_stays(model, tmp_path):
    write_csv(tmp_path / "users.csv")
    (tmp_path / "out.parquet").write_text("mine")
    with pytest.raises(OutputExistsError):
        recommend_file(model, tmp_path / "users.csv", tmp_path / "out.parquet")
    recommend_file(model, tmp_path / "users.csv", tmp_path / "out.parquet", force=True)
    assert pq.read_table(tmp_path / "out.parquet").num_rows

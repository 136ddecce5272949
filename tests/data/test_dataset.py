"""Datasets are read back exactly, and damaged ones are refused."""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genrec.data.catalogue import Catalogue
from genrec.data.dataset import load_dataset, read_sequences
from genrec.data.tables import Sequences
from genrec.errors import GenRecError
from tests.data.helpers import small_dataset
from tests.helpers import save_dataset


@pytest.fixture
def folder(tmp_path):
    return small_dataset(tmp_path / "small")


def test_round_trip(folder):
    dataset = load_dataset(folder)
    assert (dataset.user_count, dataset.item_count, dataset.interaction_count) == (3, 4, 6)
    assert [dataset.sequences.of(user).tolist() for user in (1, 2, 3)] == [[1, 2, 3], [2], [4, 4]]
    assert dataset.sequences.lengths.tolist() == [3, 1, 2]
    table = pq.read_table(folder / "sequences.parquet")
    assert table.column("timestamps").to_pylist() == [[0, 1, 2], [3], [4, 5]]
    assert [str(kind) for kind in table.schema.types[:1]] == ["int32"]


def test_users_out_of_range(folder):
    data = read_sequences(folder)
    for user in (0, 4, -1):
        with pytest.raises(IndexError):
            data.of(user)


def test_checksum_depends_on_contents_only(folder, tmp_path):
    other = small_dataset(tmp_path / "elsewhere" / "again")
    assert load_dataset(folder).checksum == load_dataset(other).checksum


def test_many_row_groups(folder, tmp_path):
    users = 25_000
    lengths = np.arange(users) % 4 + 1
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    data = Sequences(np.arange(offsets[-1], dtype=np.int32) % 4 + 1, offsets)
    items = pq.read_table(folder / "items.parquet").drop(["index"])
    save_dataset(tmp_path, [f"u{number}" for number in range(users)], items, data)
    again = read_sequences(tmp_path)
    assert (again.items == data.items).all()
    assert (again.offsets == data.offsets).all()
    catalogue = Catalogue(tmp_path)
    for user in (1, 10_000, 10_001, users):
        assert catalogue.history(user).tolist() == data.of(user).tolist()
    with pytest.raises(IndexError):
        catalogue.history(users + 1)


def test_lookups(folder):
    catalogue = Catalogue(folder)
    assert (catalogue.user_count, catalogue.item_count) == (3, 4)
    assert [catalogue.user_index(user) for user in ("u1", "u 2", "007", "7", "")] == [1, 2, 3, 0, 0]
    assert catalogue.user_indexes(["007", "x", "u1"]).tolist() == [3, 0, 1]
    assert catalogue.user_id(3) == "007"
    assert catalogue.history(3).tolist() == [4, 4]
    assert catalogue.history(0).tolist() == []
    assert catalogue.history(1).dtype == np.int32
    assert catalogue.item_indexes(["é", "nope", "a", "é"]).tolist() == [4, 0, 1, 4]
    assert catalogue.item_indexes([]).tolist() == []
    assert catalogue.item_ids(np.array([4, 1])).to_pylist() == ["é", "a"]
    assert catalogue.item_rows([4, 2]) == [
        {"item": "é", "title": "E", "attributes": ["z"]},
        {"item": "b", "title": None, "attributes": None},
    ]
    for index in (0, 5):
        with pytest.raises(IndexError):
            catalogue.item_rows([index])


def test_lookups_without_histories(folder):
    (folder / "users.parquet").unlink()
    (folder / "sequences.parquet").unlink()
    catalogue = Catalogue(folder)
    assert catalogue.user_count == 0
    assert catalogue.user_index("u1") == 0
    assert catalogue.user_indexes(["u1"]).tolist() == [0]
    assert catalogue.history(1).tolist() == []


def test_lookups_import_nothing_heavy():
    code = "import sys, genrec.data.catalogue; print({'torch', 'duckdb', 'pandas'} & set(sys.modules) or [])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def _edit(folder, **changes):
    path = folder / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "dataset.json").write_text("{"), "damaged"),
        (lambda f: _edit(f, format_version=99), "format version 99"),
        (lambda f: _edit(f, users=4), "says 4 users, the tables hold 3"),
        (lambda f: _edit(f, files={}), "does not list"),
        (lambda f: (f / "items.parquet").unlink(), "missing"),
        (lambda f: (f / "items.parquet").write_bytes(b"PAR1"), "4 bytes found"),
        (
            lambda f: (f / "users.parquet").write_bytes((f / "users.parquet").read_bytes()[:-1] + b"x"),
            "checksum",
        ),
        (lambda f: (f / "dataset.json").unlink(), "not a dataset: it has no dataset.json"),
        (lambda f: (f / "dataset.json").rename(f / "run.json"), "is a run, not a dataset"),
        (lambda f: (f / "dataset.json").rename(f / "manifest.json"), "is a bundle, not a dataset"),
    ],
)
def test_damage_is_named(folder, damage, message):
    damage(folder)
    with pytest.raises(GenRecError, match=message):
        load_dataset(folder)


def test_wrong_places(folder):
    with pytest.raises(GenRecError, match="does not exist"):
        load_dataset(folder / "nope")
    with pytest.raises(GenRecError, match="is a file"):
        load_dataset(folder / "dataset.json")


def test_damaged_tables_without_checksums(folder):
    (folder / "sequences.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(GenRecError, match="no Parquet file"):
        load_dataset(folder, verify=False)


def test_a_column_called_item_does_not_hide_the_id(tmp_path):
    (tmp_path / "d").mkdir()
    items = pa.table({"item_id": ["a", "b"], "item": ["x", "y"], "title": ["A", "B"]})
    save_dataset(tmp_path / "d", ["u"], items, Sequences(np.array([1, 2], np.int32), np.array([0, 2])))
    assert Catalogue(tmp_path / "d").item_rows([2]) == [{"item": "b", "title": "B"}]

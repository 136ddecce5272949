"""Results in parts, for everybody the model knows or for a file: disjoint, complete, continued, never mixed."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

import genrec
from genrec.bulk import Job, recommend_to_many
from genrec.bulk.parts import Shard
from genrec.data.catalogue import Catalogue
from genrec.errors import GenRecError
from genrec.exporting.bundle import export
from tests.helpers import ITEMS, USERS, make_dataset, make_run, write_dataset

PARTS = 4


def read(folder):
    return pads.dataset(folder).to_table().sort_by([("row", "ascending"), ("rank", "ascending")])


def assert_same(found, wanted):
    """The same rows, scores within 1e-4; the random models of the tests leave no near ties."""
    assert found.drop_columns("score").equals(wanted.drop_columns("score"))
    np.testing.assert_allclose(found["score"], wanted["score"], atol=1e-4)


def times(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


@pytest.fixture
def users_file(tmp_path):
    path = tmp_path / "users.csv"
    path.write_text("history,user\n" + "".join(f"i{n % 40 + 1} i{n % 7 + 1},s{n}\n" for n in range(50)))
    return path


@pytest.mark.parametrize("text", ["", "0/4", "5/4", "a/b", "1", "1/4/2", "-1/4", "1/0", "٣/٤"])
def test_shards_that_are_none(text):
    with pytest.raises(GenRecError, match="is no shard; give i/n"):
        Shard.parse(text)


@pytest.mark.parametrize("total", [0, 1, 7, 8, 1000])
def test_shards_cover_every_row_once(total):
    ranges = [Shard(number, 8).rows(total) for number in range(1, 9)]
    assert [row for first, stop in ranges for row in range(first, stop)] == list(range(total))


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_all_users(trained, tmp_path, kind):
    path = getattr(trained, kind)
    result = recommend_to_many(Job(path, k=3), tmp_path / "out.parquet")
    assert (result["users"], result["known_users"], result["rows"]) == (USERS, USERS, 3 * USERS)
    table = pq.read_table(tmp_path / "out.parquet")
    ids = Catalogue(path)
    assert table["user"].to_pylist() == [ids.user_id(n) for n in range(1, USERS + 1) for _ in range(3)]
    model = genrec.load(path)
    for user in ("u1", "u17"):
        rows = [row for row in table.to_pylist() if row["user"] == user]
        assert [row["item"] for row in rows] == [row["item"] for row in model.recommend(user, k=3)["items"]]


def test_all_users_of_newer_data(trained, tmp_path):
    """Everybody has seen 1 and 2; user 31 is new, and has a new item."""
    rows = [*([1, 2] for _ in range(USERS)), [7, ITEMS + 1, 8]]
    ids = [f"u{n}" for n in range(1, USERS + 2)], [f"i{n}" for n in range(1, ITEMS + 2)]
    write_dataset(tmp_path / "data", *ids, rows)
    for users_file in (None, tmp_path / "users.csv"):
        (tmp_path / "users.csv").write_text("user\n" + "\n".join(ids[0]) + "\n")
        job = Job(trained.bundle, users_file, data=tmp_path / "data", k=3)
        result = recommend_to_many(job, tmp_path / "out.parquet", force=True)
        assert (result["users"], result["known_users"], result["unknown_items"]) == (USERS + 1, USERS, 1)
        found = pq.read_table(tmp_path / "out.parquet").to_pylist()
        assert [row["known_user"] for row in found] == [True] * 3 * USERS + [False] * 3
        one = genrec.load(trained.bundle).recommend(history=["i7", "i8"], k=3)
        assert [row["item"] for row in found[-3:]] == [row["item"] for row in one["items"]]


def test_a_bundle_without_histories(tmp_path):
    dataset = make_dataset(tmp_path / "data")
    export(make_run(tmp_path / "run", dataset), tmp_path / "bundle", histories=False)
    with pytest.raises(GenRecError, match="exported without users and histories; give the dataset with --data"):
        recommend_to_many(Job(tmp_path / "bundle"), tmp_path / "out.parquet")
    result = recommend_to_many(Job(tmp_path / "bundle", data=dataset), tmp_path / "out.parquet")
    assert result["known_users"] == USERS
    (tmp_path / "users.csv").write_text("user,history\nu1,\nu2,i1\n")
    result = recommend_to_many(Job(tmp_path / "bundle", tmp_path / "users.csv"), tmp_path / "two.parquet")
    assert (result["users"], result["known_users"], result["without_history"]) == (2, 0, 1)


@pytest.mark.parametrize("everybody", [True, False])
def test_parts_are_the_whole(trained, users_file, tmp_path, everybody):
    job = Job(trained.bundle, None if everybody else users_file, k=5)
    whole = recommend_to_many(job, tmp_path / "whole.parquet")
    parts = recommend_to_many(job, tmp_path / "parts", parts=PARTS)
    counts = ("users", "known_users", "without_history", "unknown_items", "rows")
    assert [parts[name] for name in counts] == [whole[name] for name in counts]
    assert_same(read(tmp_path / "parts"), pq.read_table(tmp_path / "whole.parquet"))
    # In the order of their names the files are in the order of the rows.
    tables = [pq.read_table(path) for path in sorted((tmp_path / "parts").iterdir())]
    assert len(tables) == PARTS
    assert_same(pa.concat_tables(tables), pq.read_table(tmp_path / "whole.parquet"))


def test_finished_parts_are_not_redone(trained, users_file, tmp_path):
    job, out = Job(trained.bundle, users_file, k=5, deny=("i9",)), tmp_path / "parts"
    second = recommend_to_many(job, out, shard=Shard(2, PARTS))
    assert second["paths"] == [str(out / "part-00002-of-00004.parquet")]
    (out / ".part-00001-of-00004.parquet.elsewhere-1.partial").write_text("of another host")
    before = times(out)
    result = recommend_to_many(job, out, parts=PARTS)
    assert (result["kept_parts"], result["users"]) == (1, 50)
    after = times(out)
    assert before.items() <= after.items()
    assert read(out).num_rows == 250
    again = recommend_to_many(job, out, parts=PARTS)
    assert (again["kept_parts"], again["users"], again["rows"], again["users_per_second"]) == (PARTS, 50, 250, 0)
    assert times(out) == after
    assert recommend_to_many(job, out, parts=PARTS, force=True)["kept_parts"] == 0


def test_parts_of_other_settings_are_refused(trained, users_file, tmp_path):
    job, out = Job(trained.bundle, users_file, k=5), tmp_path / "parts"
    recommend_to_many(job, out, parts=PARTS)
    before = times(out)
    narrower = Job(trained.bundle, users_file, k=5, include_seen=True, allow=("i1",))
    others = {
        r"\(k\)": (Job(trained.bundle, users_file, k=4), PARTS),
        r"\(users\)": (Job(trained.bundle, k=5), PARTS),
        r"\(model\)": (Job(trained.run, users_file, k=5), PARTS),
        r"\(include_seen, allow\)": (narrower, PARTS),
        r"\(parts\)": (job, 2),
    }
    for told, (other, count) in others.items():
        with pytest.raises(GenRecError, match=f"was made with other settings {told}; .* --force"):
            recommend_to_many(other, out, shard=Shard(1, count))
    assert times(out) == before
    recommend_to_many(job, out, parts=2, force=True)
    assert sorted(times(out)) == ["part-00001-of-00002.parquet", "part-00002-of-00002.parquet"]
    with users_file.open("a") as file:
        file.write("i1,late\n")
    with pytest.raises(GenRecError, match=r"other settings \(users\)"):
        recommend_to_many(job, out, parts=2)


def test_what_is_no_part_is_never_deleted(trained, users_file, tmp_path):
    job, out = Job(trained.bundle, users_file), tmp_path / "parts"
    recommend_to_many(job, out, parts=2)
    for content in (b"", (out / "part-00001-of-00002.parquet").read_bytes()[:-9]):
        (out / "mine.parquet").write_bytes(content)
        with pytest.raises(GenRecError, match=r"mine\.parquet is damaged or no part"):
            recommend_to_many(job, out, parts=2, force=True)
        assert (out / "mine.parquet").read_bytes() == content
    with pytest.raises(GenRecError, match="is a file; parts go to a folder"):
        recommend_to_many(job, out / "mine.parquet", parts=2, force=True)
    with pytest.raises(GenRecError, match="would replace the input"):
        recommend_to_many(job, trained.bundle, parts=2, force=True)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_command_continues(trained, tmp_path):
    users = tmp_path / "users.csv"
    users.write_text("user,history\n" + "".join(f"s{n},i{n % 40 + 1}\n" for n in range(6000)))
    out = tmp_path / "parts"
    command = [sys.executable, "-m", "genrec_cli", "recommend", str(trained.bundle), "--users-file", str(users)]
    process = subprocess.Popen([*command, "-o", str(out), "--parts", "60", "--k", "3"], stdout=subprocess.DEVNULL)
    while process.poll() is None and not list(out.glob("*.parquet")):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    kept = times(out)
    result = recommend_to_many(Job(trained.bundle, users, k=3), out, parts=60)
    assert result["kept_parts"] == sum(not name.startswith(".") for name in kept) > 0
    assert result["rows"] == read(out).num_rows == 18_000
    assert read(out)["row"].to_pylist() == [n for n in range(1, 6001) for _ in range(3)]
    assert len(times(out)) == 60

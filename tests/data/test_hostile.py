"""Paths, files and values that are odd but legal, and slips that must not cost data."""

import json
import os
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genrec.data.dataset import load_dataset
from genrec.data.prepare import prepare
from genrec.errors import GenRecError
from tests.data.helpers import items_of, read_back, times_of

HEADER = "user,item,ts\n"


def parquet(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("name", ["log[1].csv", "log*.csv", "lo?1.csv", "log[1].jsonl", "log[1].txt"])
def test_a_path_that_exists_is_no_pattern(shop, name):
    rows = {
        ".csv": (HEADER + "right,i,1\n", HEADER + "wrong,i,1\n"),
        ".jsonl": ('{"user":"right","item":"i","ts":1}\n', '{"user":"wrong","item":"i","ts":1}\n'),
        ".txt": ("right i\n", "wrong i\n"),
    }
    right, wrong = rows[pathlib.Path(name).suffix]
    shop.write("log1" + pathlib.Path(name).suffix, wrong)
    shop.prepare((name, right))
    assert list(read_back(shop.out)) == ["right"]


def test_folders_like_patterns_and_like_columns(shop):
    for folder in ("a[1]", "a1", "user=7", "ts=2019-01-01"):
        path = parquet(shop.folder / folder / "log.parquet", user=[folder], item=["i"], ts=[1_546_400_000])
        result = prepare(path, shop.out, min_count=1, force=True)
        assert read_back(shop.out) == {folder: ["i"]}
        assert times_of(shop.out) == [[1_546_400_000_000_000]]
        extended = path.parent / "extended"
        prepare(path, path.parent / "old", min_count=1)
        assert prepare(path, extended, extend=path.parent / "old")["checksum"] == result["checksum"]


def test_an_output_never_replaces_an_input(shop):
    log = shop.write("log.csv", HEADER + "u,i,1\n")
    inside = shop.folder / "folder" / "log.csv"
    inside.parent.mkdir()
    inside.write_bytes(log.read_bytes())
    for output, source in ((log, log), (inside.parent, inside), (inside.parent, inside.parent)):
        with pytest.raises(GenRecError, match="would replace the input"):
            prepare(source, output, min_count=1, force=True)
    with pytest.raises(GenRecError, match="would replace the input"):
        prepare(log, inside.parent, items=inside, min_count=1, force=True)
    assert log.read_text() == inside.read_text() == HEADER + "u,i,1\n"


def test_a_dataset_may_be_extended_in_place(shop):
    shop.prepare(("old.csv", HEADER + "u,i,1\n"))
    prepare(shop.write("new.csv", HEADER + "v,i,1\n"), shop.out, extend=shop.out, force=True)
    assert read_back(shop.out) == {"u": ["i"], "v": ["i"]}


@pytest.mark.parametrize("output", [".", "..", "", "x/.."])
def test_outputs_without_a_name(shop, output, monkeypatch):
    log = shop.write("log.csv", HEADER + "u,i,1\n")
    monkeypatch.chdir(shop.folder)
    with pytest.raises(GenRecError, match="has no name of its own"):
        prepare(log, output, min_count=1, force=True)


@pytest.mark.parametrize("odd", ["20190230", "0", "never"])
def test_one_bad_day_is_one_bad_row(shop, odd):
    result = shop.prepare(("log.csv", HEADER + f"u,a,20190101\nu,b,20190102\nu,c,{odd}\n"))
    assert (result["times"], result["dropped"]["unparseable"]) == ("days", 1)
    assert times_of(shop.out) == [[1_546_300_800_000_000, 1_546_387_200_000_000]]


@pytest.mark.parametrize("time", ["99999-01-01", "294247-01-10", "44-03-15 (BC)", "epoch", "infinity"])
def test_times_beyond_the_calendar(shop, time):
    result = shop.prepare(("log.csv", HEADER + f"u,a,2019-01-01\nu,b,{time}\n"))
    assert result["dropped"]["unparseable"] == 1


def test_metadata_with_columns_like_ours(shop):
    items = shop.write("items.csv", "item,title,id,code,row,source_row,breaks\ni,Title,7,8,9,10,11\n")
    shop.prepare(("log.csv", "user,item,ts,title\nu,i,1,T\nu,j,1,T\n"), items=items)
    row = items_of(shop.out)["i"]
    assert (row["title"], row["id"], row["code"], row["row"]) == ("Title", "7", "8", "9")


def test_bytes_in_parquet_are_utf8_or_unparseable(shop):
    users = pa.array(["é'\\".encode(), b"\xff", b"u"], pa.binary())
    path = parquet(shop.folder / "log.parquet", user=users, item=pa.array([b"i", b"i", b"\xc3\xa9"], pa.binary()))
    result = shop.prepare_paths(path)
    assert read_back(shop.out) == {"é'\\": ["i"], "u": ["é"]}
    assert result["dropped"]["unparseable"] == 1


def test_no_number_is_no_user(shop):
    path = parquet(shop.folder / "log.parquet", user=[1.5, float("nan")], item=["i", "i"], ts=[1, 2])
    assert shop.prepare_paths(path)["dropped"]["missing_user"] == 1


def test_a_column_called_file_row_number(shop):
    path = parquet(shop.folder / "log.parquet", user=["u", "u"], item=["b", "a"], file_row_number=[9, 3])
    shop.prepare_paths(path)
    assert read_back(shop.out) == {"u": ["b", "a"]}


def test_times_of_several_types(shop):
    first = parquet(shop.folder / "a.parquet", user=["u"], item=["i"], ts=[1_546_300_800])
    second = parquet(shop.folder / "b.parquet", user=["u"], item=["j"], ts=pa.array([0], pa.timestamp("us")))
    shop.prepare_paths(first, second)
    assert read_back(shop.out) == {"u": ["j", "i"]}
    assert times_of(shop.out) == [[0, 1_546_300_800_000_000]]


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_the_line_of_the_last_row(shop, format, end):
    lines = [("u", n, n) for n in range(3)] + [("u", 3, "soon")]
    text = HEADER + "\n".join(f"{user},{item},{time}" for user, item, time in lines)
    if format == "jsonl":
        text = "\n".join(json.dumps({"user": user, "item": item, "ts": time}) for user, item, time in lines)
    (example,) = shop.prepare((f"log.{format}", text + end))["examples"]
    assert (example["row"], example["line"]) == (4, 5 if format == "csv" else 4)


def test_the_first_repeats_are_shown(shop):
    result = shop.prepare(("log.csv", HEADER + "u,i,1\n" * 6))
    assert [one["line"] for one in result["examples"]] == [3, 4, 5]


def test_files_of_one_name_are_told_apart(shop):
    paths = [shop.folder / folder / "log.csv" for folder in ("b", "a")]
    for path in paths:
        path.parent.mkdir()
        path.write_text(HEADER + "u,i,1\n,i,2\n")
    result = shop.prepare_paths(*paths, dedupe="none")
    assert [one["file"] for one in result["examples"]] == ["b/log.csv", "a/log.csv"]
    assert [source["name"] for source in result["sources"]] == ["b/log.csv", "a/log.csv"]
    assert shop.prepare_paths(paths[0], paths[0], dedupe="none")["interactions"] == 2


def test_a_deep_json_line_is_one_bad_row(shop):
    deep = '{"user":' + "[" * 5000 + "]" * 5000 + ',"item":"i"}\n'
    result = shop.prepare(("log.jsonl", deep + '{"user":"u","item":"i","ts":1}\n'))
    assert result["read"] == 2


def test_a_user_without_items(shop):
    result = shop.prepare(("log.txt", "u a b\nlonely\n"))
    assert (result["read"], result["dropped"]["missing_item"]) == (3, 1)
    with pytest.raises(GenRecError, match="nothing is left"):
        shop.prepare(("log.txt", "u\nv\n"), format="sequences")


def test_ratings_in_some_files_only(shop):
    files = ("a.csv", "user,item,ts\nu,a,1\n"), ("b.csv", "user,item,ts,rating\nu,b,2,5\n")
    for order in (files, files[::-1]):
        assert shop.prepare(*order, min_rating=3)["dropped"]["below_rating"] == 1


@pytest.mark.parametrize("rating", ["nan", "inf", "-inf"])
def test_ratings_that_are_no_numbers(shop, rating):
    with pytest.raises(GenRecError, match=f"--min-rating {rating} is no rating"):
        shop.prepare(("log.csv", HEADER + "u,i,1\n"), min_rating=float(rating))


def test_an_order_column_of_floats(shop):
    path = parquet(shop.folder / "log.parquet", user=["u", "u"], item=["b", "a"], seq=[2.0, 1.0])
    shop.prepare_paths(path, order_col="seq")
    assert read_back(shop.out) == {"u": ["a", "b"]}


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([""], "a source is empty"),
        (["log.csv", "movielens-100k"], "movielens-100k is a whole dataset; prepare it alone"),
        (["data"], "data is a dataset already; give a log, and --extend data"),
    ],
)
def test_slips(shop, monkeypatch, sources, message):
    shop.prepare(("log.csv", HEADER + "u,i,1\n"))
    shop.out.rename(shop.folder / "data")
    monkeypatch.chdir(shop.folder)
    with pytest.raises(GenRecError, match=message):
        prepare(sources, "out")


def test_a_name_that_is_no_utf8(tmp_path):
    path = os.fsencode(tmp_path) + b"/bad\xff.csv"
    pathlib.Path(os.fsdecode(path)).write_text(HEADER + "u,i,1\n")
    with pytest.raises(GenRecError, match=r"bad\\udcff.csv is not named in UTF-8; rename it"):
        prepare(os.fsdecode(path), tmp_path / "out", min_count=1)


def test_until_with_a_time_is_no_whole_day(shop):
    log = ("log.csv", HEADER + "u,a,2019-01-31T17:00:00\nu,b,2019-01-31T19:00:00\n")
    assert shop.prepare(log, until="2019-01-31 18")["interactions"] == 1
    assert shop.prepare(log, until="2019-01-31")["interactions"] == 2


def test_a_bracket_in_the_output(shop):
    shop.out = shop.folder / "data[old]"
    shop.prepare(("log.csv", HEADER + "u,i,1\n"))
    assert load_dataset(shop.out).user_count == 1

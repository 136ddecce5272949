"""What may stand as a source: compressed files, several, folders, patterns, streams."""

import gzip
import io
import os
import subprocess
import sys
import threading

import pyarrow as pa
import pytest

from genrec.data.prepare import prepare
from genrec.errors import GenRecError
from tests.data.helpers import read_back

HEADER = "user_id,item_id,timestamp\n"
LOG = (HEADER + "u1,i1,30\nu1,i2,10\nu2,i1,20\n").encode()
WANTED = {"u1": ["i2", "i1"], "u2": ["i1"]}


def zstd(content):
    return pa.compress(content, "zstd", asbytes=True)


def _parts(folder):
    """Three days' files, in an order of names that decides between equal times."""
    folder.mkdir(parents=True)
    (folder / "a.csv.gz").write_bytes(gzip.compress(HEADER.encode() + b"u,c,1\n"))
    (folder / "b.csv.zst").write_bytes(zstd(HEADER.encode() + b"u,b,1\n"))
    (folder / "c.csv").write_bytes(HEADER.encode() + b"u,a,1\n")
    return folder


@pytest.mark.parametrize("name", ["log.csv.zst", "log.csv.zstd", "log.csv", "LOG.CSV.ZST"])
def test_zstd(shop, name):
    shop.prepare((name, zstd(LOG)))
    assert read_back(shop.out) == WANTED


@pytest.mark.parametrize("compress", [gzip.compress, zstd])
def test_compressed_parts_one_after_the_other(shop, compress):
    shop.prepare(("log.csv", compress(LOG[:40]) + compress(LOG[40:])))
    assert read_back(shop.out) == WANTED


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zstd(LOG * 100)[:-7], "truncated or damaged zstd"),
        (zstd(LOG * 100) + b"more", "truncated or damaged zstd"),
        (zstd(b""), "is empty"),
    ],
)
def test_damaged_zstd(shop, content, message):
    with pytest.raises(GenRecError, match=message):
        shop.prepare(("log.csv.zst", content))
    assert not shop.out.exists()


def test_compressed_metadata(shop):
    items = shop.write("items.csv.zst", zstd(b"item_id,title\ni1,One\n"))
    result = shop.prepare(("log.csv", LOG), items=items)
    assert result["warnings"] == []


def test_folder(shop):
    folder = _parts(shop.folder / "days")
    (folder / ".hidden").write_text("x")
    (folder / "_SUCCESS").touch()
    (folder / "older").mkdir()
    result = prepare(folder, shop.out, min_count=1)
    assert read_back(shop.out) == {"u": ["c", "b", "a"]}
    assert result["name"] == "days"
    assert [source["name"] for source in result["sources"]] == ["a.csv.gz", "b.csv.zst", "c.csv"]


def test_folder_of_several_formats(shop):
    folder = _parts(shop.folder / "days")
    (folder / "d.tsv").write_text("user\titem\nu\ti\n")
    with pytest.raises(GenRecError, match=r"one format, but c\.csv is csv, d\.tsv is tsv"):
        prepare(folder, shop.out, min_count=1)


@pytest.mark.parametrize("pattern", ["logs/days/*.csv*", "logs/**/*.csv*", "l?gs/*/[abc].csv*"])
def test_patterns(shop, pattern, monkeypatch):
    _parts(shop.folder / "logs" / "days")
    prepare(str(shop.folder / pattern), shop.out, min_count=1)
    assert read_back(shop.out) == {"u": ["c", "b", "a"]}
    monkeypatch.chdir(shop.folder)
    result = prepare([pattern, "logs/days/a.csv.gz"], shop.out, min_count=1, force=True)
    assert len(result["sources"]) == 4
    assert result["name"] in ("days", "logs", shop.folder.name)


def test_a_file_whose_name_looks_like_a_pattern(shop):
    shop.prepare(("log[1].csv", LOG))
    assert read_back(shop.out) == WANTED


def test_patterns_without_files(shop):
    with pytest.raises(GenRecError, match=r"no file matches .*\.tsv"):
        prepare(str(shop.folder / "*.tsv"), shop.out)


@pytest.mark.parametrize("content", [LOG, gzip.compress(LOG, mtime=0), zstd(LOG)])
def test_standard_input(shop, monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    result = prepare("-", shop.out, min_count=1)
    assert read_back(shop.out) == WANTED
    assert result["name"] == "stdin"
    assert result["sources"][0]["name"] == "stdin"


def test_standard_input_of_the_command(tmp_path):
    command = [sys.executable, "-m", "genrec_cli", "prepare", "-", "-o", str(tmp_path / "out"), "--min-count", "1"]
    done = subprocess.run(command, input=LOG, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert read_back(tmp_path / "out") == WANTED
    done = subprocess.run([*command, "--force"], input=b"", capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert b"standard input is empty" in done.stderr
    assert read_back(tmp_path / "out") == WANTED


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_named_pipes(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(LOG,))
    writer.start()
    prepare(pipe, tmp_path / "out", min_count=1)
    writer.join()
    assert read_back(tmp_path / "out") == WANTED


def test_databases_are_told_apart_from_files(shop):
    for content, name in ((b"SQLite format 3\0", "sqlite:///"), (b"12345678DUCK", "duckdb:///")):
        with pytest.raises(GenRecError, match=name):
            shop.prepare(("log.csv", content))

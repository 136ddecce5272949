"""Databases as sources: DuckDB and SQLite."""

import json
import shutil
import sqlite3
import subprocess
import sys

import duckdb
import pyarrow.parquet as pq
import pytest

from genrec.data import connectors
from genrec.data.prepare import prepare
from genrec.errors import GenRecError
from tests.data.helpers import items_of, read_back, times_of

ROWS = [("u1", "i1", 30, "One"), ("u1", "i2", 10, "Two"), ("u2", "i1", 20, "One"), ("u2", None, 5, None)]
WANTED = {"u1": ["i2", "i1"], "u2": ["i1"]}
CREATE = "CREATE TABLE events (user_id TEXT, item_id TEXT, timestamp INTEGER, item_title TEXT)"
INSERT = "INSERT INTO events VALUES (?, ?, ?, ?)"


def _duckdb(path):
    with duckdb.connect(str(path)) as connection:
        connection.execute(CREATE)
        connection.executemany(INSERT, ROWS)


def _sqlite(path):
    connection = sqlite3.connect(path)
    connection.execute(CREATE)
    connection.executemany(INSERT, ROWS)
    connection.commit()
    return connection


@pytest.fixture(params=["duckdb", "sqlite"])
def url(request, tmp_path):
    """A file with one table, `events`, named by its absolute path."""
    if request.param == "sqlite":
        pytest.importorskip("adbc_driver_sqlite")
    path = tmp_path / "my shop.db"
    {"duckdb": _duckdb, "sqlite": _sqlite}[request.param](path)
    before = path.read_bytes()
    yield f"{request.param}:///{path}"
    assert path.read_bytes() == before
    assert {file.name for file in tmp_path.iterdir()} <= {"my shop.db", "out", "copy"}


def _execute(url, *statements):
    connect = sqlite3.connect if url.startswith("sqlite") else duckdb.connect
    connection = connect(url.partition(":///")[2])
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_the_only_table(shop, url):
    result = shop.prepare_paths(url)
    assert read_back(shop.out) == WANTED
    assert times_of(shop.out) == [[10_000_000, 30_000_000], [20_000_000]]
    assert result["dropped"]["missing_item"] == 1
    assert result["name"] == "my shop"
    assert result["database"]["query"] == 'SELECT * FROM "events"'
    assert items_of(shop.out)["i2"]["title"] == "Two"


def test_queries(shop, url):
    query = "SELECT item_id AS thing, user_id AS who FROM events WHERE timestamp > 5 ORDER BY timestamp DESC -- ;"
    result = shop.prepare_paths(url, query=query, user_col="who", item_col="thing")
    assert read_back(shop.out) == {"u1": ["i1", "i2"], "u2": ["i1"]}  # without times the query's order counts
    assert result["read"] == 3
    saved = json.loads((shop.out / "dataset.json").read_text())
    assert saved["database"]["query"].startswith("SELECT item_id AS thing")


def test_tables_by_name(shop, url):
    path = url.partition(":///")[2]
    copy = shop.folder / "copy"
    copy.mkdir()
    other = copy / "two.db"
    shutil.copyfile(path, other)
    other_url = url.partition(":///")[0] + f":///{other}"
    _execute(other_url, 'CREATE TABLE "the ""log""" AS SELECT * FROM events WHERE user_id = \'u2\'')
    for options in ({"table": 'the "log"'}, {}):
        source = other_url if options else other_url + "?table=the%20%22log%22"
        assert shop.prepare_paths(source, **options)["interactions"] == 1
    with pytest.raises(GenRecError, match=r"no table is named; set --table or --query.*events, the \"log\""):
        shop.prepare_paths(other_url)
    with pytest.raises(GenRecError, match=r"there is no table 'nope'; .*the tables are: events"):
        shop.prepare_paths(other_url, table="nope")
    with pytest.raises(GenRecError, match="both given"):
        shop.prepare_paths(other_url + "?table=events", query="SELECT 1")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT * FROM nope", "nope"),
        ("nonsense", "syntax error|no such table"),
        ("DELETE FROM events", "syntax error|read-only|readonly|DELETE"),
        ("SELECT 1 AS user, 2 AS thing", "query: no item column found among 'user', 'thing'"),
        ("SELECT * FROM events WHERE false", "no rows"),
    ],
)
def test_unusable_queries(shop, url, query, message):
    with pytest.raises(GenRecError, match=message):
        shop.prepare_paths(url, query=query)
    assert not shop.out.exists()


def test_paths(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    _duckdb(tmp_path / "data" / "x.db")
    monkeypatch.chdir(tmp_path)
    for number, source in enumerate(
        ("duckdb:///data/x.db", f"duckdb:///{tmp_path}/data/x.db", f"duckdb://{tmp_path}/data/x.db")
    ):
        prepare(source, tmp_path / f"out{number}", min_count=1)
    with pytest.raises(GenRecError, match="there is no file"):
        prepare("sqlite:///data/nope.db", tmp_path / "out")
    assert not (tmp_path / "data" / "nope.db").exists()
    with pytest.raises(GenRecError, match="mysql:// is no source"):
        prepare("mysql://host/shop", tmp_path / "out")
    with pytest.raises(GenRecError, match="prepare it alone"):
        prepare(["duckdb:///data/x.db", "more.csv"], tmp_path / "out")
    (tmp_path / "log.csv").write_text("user,item\nu,i\n")
    with pytest.raises(GenRecError, match="need a database"):
        prepare("log.csv", tmp_path / "out", query="SELECT 1")


def test_files_that_are_no_database(tmp_path):
    pytest.importorskip("adbc_driver_sqlite")
    (tmp_path / "x.db").write_text("user,item\nu,i\n" * 1000)
    for kind in ("duckdb", "sqlite"):
        with pytest.raises(GenRecError, match=r"x\.db: .*(not a database|not a valid DuckDB)"):
            prepare(f"{kind}:///{tmp_path}/x.db", tmp_path / "out")


def test_sqlite_columns_of_mixed_types(shop):
    """SQLite keeps what it is given, whatever the column's type; a later row may be of another type."""
    pytest.importorskip("adbc_driver_sqlite")
    connection = sqlite3.connect(shop.folder / "x.db")
    connection.execute("CREATE TABLE events (user, item INTEGER, ts)")
    rows = [(n % 50, n if n < 100_000 else f"x{n}", n + 0.5 if n % 2 else str(n)) for n in range(100_100)]
    connection.executemany("INSERT INTO events VALUES (?, ?, ?)", rows)
    connection.commit()
    connection.close()
    result = shop.prepare_paths(f"sqlite:///{shop.folder}/x.db")
    assert result["interactions"] == 100_100
    assert read_back(shop.out)["7"][-1] == "x100057"
    connection = sqlite3.connect(shop.folder / "x.db")
    connection.execute("INSERT INTO events VALUES (x'ff00', 1, 1)")
    connection.commit()
    connection.close()
    with pytest.raises(GenRecError, match=r"no UTF-8.*hex\(column\)"):
        shop.prepare_paths(f"sqlite:///{shop.folder}/x.db")


def test_batches_are_streamed(tmp_path):
    """No batch waits for another: a file of several row groups is written."""
    pytest.importorskip("adbc_driver_sqlite")
    connection = sqlite3.connect(tmp_path / "x.db")
    connection.execute(
        "CREATE TABLE t AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 200000) "
        "SELECT n FROM r"
    )
    connection.commit()
    connection.close()
    with connectors.connect("sqlite", str(tmp_path / "x.db"), "x", 1 << 30) as opened:
        from genrec.progress import SILENT

        with SILENT.task("x") as task:
            opened.copy("SELECT * FROM t", tmp_path / "t", task)
    assert pq.ParquetFile(tmp_path / "t").metadata.num_row_groups == 4


def test_a_missing_driver_is_one_line(tmp_path):
    (tmp_path / "x.db").write_text("x")
    code = (
        "import sys; sys.modules['adbc_driver_sqlite'] = None\n"
        f"sys.argv = ['genrec', 'prepare', 'sqlite:///{tmp_path}/x.db', '-o', {str(tmp_path / 'out')!r}]\n"
        "from genrec_cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pip install 'genrec[sql]'" in done.stderr


def test_a_command_with_a_query(tmp_path):
    _duckdb(tmp_path / "x.db")
    command = [sys.executable, "-m", "genrec_cli", "prepare", "duckdb:///x.db", "-o", "out", "--min-count", "0"]
    command += ["--query", "select user_id, item_id, timestamp from events where item_id is not null", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["interactions"] == 3

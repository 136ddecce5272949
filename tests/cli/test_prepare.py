"""`genrec prepare` from outside: its output, its exit codes, and what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from genrec.data.dataset import load_dataset
from genrec.data.sources import FORMATS
from genrec_cli.prepare_options import Format

HEADER = "user_id,item_id,timestamp\n"
LOG = HEADER + "u1,i1,30\nu1,i2,10\nu2,i1,20\nu2,,5\nu2,i2,soon\n"


def genrec(*arguments, **options):
    command = [sys.executable, "-m", "genrec_cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(LOG)
    return path


def _listing(folder):
    return sorted(path.name for path in folder.iterdir())


def test_json(log, tmp_path):
    out = tmp_path / "data"
    done = genrec("prepare", log, "-o", out, "--min-count", 1, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (
        result
        | {
            "users": 2,
            "items": 2,
            "interactions": 3,
            "avg_items_per_user": 1.5,
            "avg_users_per_item": 1.5,
            "path": str(out),
            "read": 5,
        }
        == result
    )
    assert result["dropped"]["missing_item"] == result["dropped"]["unparseable"] == 1
    assert sum(result["dropped"].values()) + result["interactions"] == result["read"]
    assert "Warning: unparseable and dropped: 1 row; the first is log.csv line 6" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert load_dataset(out).checksum == result["checksum"]
    assert _listing(tmp_path) == ["data", "log.csv"]
    assert log.read_text() == LOG


def test_table(log, tmp_path):
    done = genrec("prepare", log, "-o", tmp_path / "data", "--min-count", 1)
    assert done.returncode == 0, done.stderr
    for text in ("interactions", "dropped: missing_item", "dropped: unparseable", "user = user_id", "rows read"):
        assert text in done.stdout
    assert "dropped: k_core" not in done.stdout


def test_options_reach_the_library(tmp_path):
    log = tmp_path / "odd"
    log.write_text("a\tb\tc\td\n" + "".join(f"u\ti{n}\t2019-01-0{n}\t{n}\n" for n in range(1, 8)))
    (tmp_path / "items.csv").write_text("item_id,title\ni4,Four\n")
    done = genrec(
        *("prepare", log, "-o", tmp_path / "out", "--format", "tsv", "--user-col", "a", "--item-col", "b"),
        *("--time-col", "c", "--rating-col", "d", "--min-rating", 3, "--since", "2019-01-02"),
        *("--until", "2019-01-05", "--min-count", 0, "--items", tmp_path / "items.csv", "--json"),
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["interactions"] == 3
    filters = {"min_count": 0, "min_rating": 3.0, "since": "2019-01-02", "until": "2019-01-05"}
    assert result["filters"] == filters | {"dedupe": "exact"}
    assert (result["dropped"]["below_rating"], result["dropped"]["outside_dates"]) == (2, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.csv"], "missing.csv does not exist"),
        (["empty.csv"], "is empty"),
        (["log.csv", "--user-col", "who"], "no column 'who'"),
        (["log.csv", "--since", "soon"], "give a date like 2019-01-31"),
        (["log.csv", "--min-rating", "3"], "no rating column"),
        (["log.csv"], "of 5 rows read, 2 users, 2 items and 3 interactions remained"),
        (["log.csv", "--items", "missing.csv"], "missing.csv does not exist"),
        (["."], "empty.csv is empty"),
        (["*.tsv"], "no file matches *.tsv"),
    ],
)
def test_errors_are_one_line(log, tmp_path, arguments, message):
    (tmp_path / "empty.csv").touch()
    done = genrec("prepare", *arguments, "-o", "out", cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert _listing(tmp_path) == ["empty.csv", "log.csv"]


def test_debug_shows_the_traceback(tmp_path):
    done = genrec("prepare", "missing.csv", "-o", "out", "--debug", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["log.csv"], ["log.csv", "-o", "x", "--format", "xml"], ["--nope"]])
def test_wrong_usage(arguments, tmp_path):
    done = genrec("prepare", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "--min-count" not in done.stderr  # a short message, not the whole help
    assert _listing(tmp_path) == []


def test_an_existing_output_needs_force(log, tmp_path):
    out = tmp_path / "data"
    out.mkdir()
    (out / "mine.txt").write_text("precious")
    done = genrec("prepare", log, "-o", out, "--min-count", 1)
    assert done.returncode == 1
    assert "--force" in done.stderr
    assert _listing(out) == ["mine.txt"]
    done = genrec("prepare", log, "-o", out, "--min-count", 1, "--force")
    assert done.returncode == 0, done.stderr
    assert _listing(out) == ["dataset.json", "items.parquet", "sequences.parquet", "users.parquet"]


def test_help_is_light(tmp_path):
    code = (
        "import sys; from genrec_cli.main import app\n"
        "try: app(['prepare', '--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('torch', 'duckdb', 'pyarrow', 'numpy') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr.strip() == "[]"
    assert "Example: genrec prepare" in done.stdout


def test_formats_are_the_librarys():
    assert tuple(Format) == FORMATS


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_leaves_nothing(tmp_path):
    log = tmp_path / "log.csv"
    with log.open("w") as file:
        file.write(HEADER)
        for start in range(0, 2_000_000, 100_000):
            file.write("".join(f"u{n % 9973},i{n % 7919},{n}\n" for n in range(start, start + 100_000)))
    command = [sys.executable, "-m", "genrec_cli", "prepare", str(log), "-o", str(tmp_path / "out")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob(".out*/scratch.duckdb")) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert _listing(tmp_path) == ["log.csv"]

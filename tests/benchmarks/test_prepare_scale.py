"""The benchmarks run, and pandas and genrec make the same dataset of a synthetic log."""

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
ROWS = 20_000


def run(script: str, *arguments: object) -> None:
    command = [sys.executable, str(BENCHMARKS / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_pandas_makes_the_same_tables(tmp_path, format):
    pytest.importorskip("pandas")
    options = ["--repeats", 1, "--folder", tmp_path / "scale", "--format", format]
    run("prepare_scale.py", "--rows", ROWS, "--pandas-up-to", ROWS, "--json", tmp_path / "found.json", *options)
    (size,) = json.loads((tmp_path / "found.json").read_text())["sizes"]
    assert size["equal"] is True
    assert size["counts"]["rounds"] > 2
    assert 0.6 * ROWS < size["counts"]["interactions"] < 0.95 * ROWS
    assert size["genrec"]["peak_bytes"] > 1e7
    assert [path.name for path in (tmp_path / "scale").iterdir()] == [f"log-{ROWS}-random.{format}"]


def test_both_orders_hold_the_same_rows_and_a_seed_gives_one_log(tmp_path):
    for name, order, seed in [("a", "random", 3), ("b", "random", 3), ("time", "time", 3), ("other", "time", 4)]:
        target = tmp_path / f"{name}.csv"
        run("synthetic_log.py", "--rows", ROWS, "--out", target, "--order", order, "--seed", seed)
    logs = {path.stem: path.read_text().splitlines() for path in tmp_path.iterdir()}
    assert logs["a"] == logs["b"] != logs["time"]
    assert sorted(logs["a"]) == sorted(logs["time"]) != sorted(logs["other"])
    times = [line.split(",")[2] for line in logs["time"][1:]]
    known = [int(time) for time in times if time != "unknown"]
    assert known == sorted(known)
    assert 0 < len(times) - len(known) < ROWS / 500


def test_the_log_has_repeats_ties_and_missing_users(tmp_path):
    run("synthetic_log.py", "--rows", ROWS, "--out", tmp_path / "log.parquet")
    log = f"(SELECT * FROM '{tmp_path / 'log.parquet'}' WHERE user_id IS NOT NULL AND timestamp IS NOT NULL)"
    usable, distinct, moments = duckdb.sql(
        f"""SELECT count(*), count(DISTINCT (user_id, item_id, timestamp)), count(DISTINCT (user_id, timestamp))
        FROM {log}"""
    ).fetchall()[0]
    assert 0.998 * ROWS < usable < ROWS
    assert 0.005 < 1 - distinct / usable < 0.015
    assert 0.025 < 1 - moments / distinct < 0.05

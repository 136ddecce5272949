"""What Spark is not asked for: messages that need neither pyspark nor Java."""

import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genrec.errors import GenRecError


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"time": pa.array([1])}, {}, "no order in Spark: name a column with --order-col, or give --ties item"),
        ({}, {}, "no order in Spark, and there is no time column: name one with --time-col"),
        ({"item": pa.array([1.5])}, {"ties": "item"}, "'item' is DOUBLE, and --engine spark reads text or whole"),
        (
            {"time": pa.array([[1]])},
            {"ties": "item"},
            r"'time' is BIGINT\[\], and --engine spark reads timestamps",
        ),
    ],
)
def test_logs_that_spark_cannot_take(shop, monkeypatch, columns, options, message):
    monkeypatch.setattr("genrec.data.steps.check_spark", lambda: None)
    log = shop.folder / "log.parquet"
    pq.write_table(pa.table({"user": ["u"], "item": ["i"], **columns}), log)
    with pytest.raises(GenRecError, match=message):
        shop.prepare_paths(log, engine="spark", **options)


def test_only_parquet(shop, monkeypatch):
    monkeypatch.setattr("genrec.data.steps.check_spark", lambda: None)
    with pytest.raises(GenRecError, match=r"log.csv is no Parquet file, .* use --engine duckdb, or convert it"):
        shop.prepare(("log.csv", "user,item,ts\nu,i,1\n"), engine="spark")


def test_hidden_files(shop, monkeypatch):
    monkeypatch.setattr("genrec.data.steps.check_spark", lambda: None)
    with pytest.raises(GenRecError, match=r"_log.parquet: Spark passes over files .* rename it"):
        shop.prepare(("_log.parquet", "PAR1"), engine="spark")


def test_without_spark(shop, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(GenRecError, match=r"needs pyspark, which is not installed; pip install 'genrec\[spark\]'"):
        shop.prepare(("log.csv", "user,item,ts\nu,i,1\n"), engine="spark")


def test_without_java(shop, monkeypatch):
    monkeypatch.setattr("genrec.data.spark_session.find_spec", lambda name: name)
    monkeypatch.setenv("JAVA_HOME", str(shop.folder))
    with pytest.raises(GenRecError, match=r"needs a Java runtime, 17 or newer.*JAVA_HOME is"):
        shop.prepare(("log.csv", "user,item,ts\nu,i,1\n"), engine="spark")


def test_an_unknown_engine(shop):
    with pytest.raises(GenRecError, match="engine 'polars' is unknown; choose one of: duckdb, spark"):
        shop.prepare(("log.csv", "user,item,ts\nu,i,1\n"), engine="polars")

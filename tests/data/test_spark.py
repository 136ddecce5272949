"""What Spark makes of a log is what DuckDB makes of it, to the byte."""

import datetime
import os
import random
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genrec.data.columns import map_interactions
from genrec.data.engine import DuckDBEngine
from genrec.data.prepare import prepare
from genrec.data.readers import ParquetReader, mapped_columns
from genrec.data.sources import open_source
from genrec.data.spark_columns import file_columns, make_raw
from genrec.data.spark_session import spark_engine
from genrec.data.sql import scratch_database
from genrec.data.times import micros_sql
from genrec.errors import GenRecError

NEW_YEAR = 1_546_300_800  # 2019-01-01T00:00:00Z
NAMES = [
    "ann",
    "Ann",
    "o'hara",
    'q"uote',
    "zoë 🙂",
    " lead",
    "tab\tbed",
    "x" * 1000,
    "10",
    "9",
    "back\\slash",
    "`tick`",
]
QUICK = "--master local[1] --driver-java-options -XX:TieredStopAtLevel=1 --conf spark.sql.codegen.wholeStage=false"


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    """The engine of a session that every test of this module uses."""
    pytest.importorskip("pyspark")
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        pytest.skip("Spark needs a Java runtime")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_SUBMIT_ARGS", f"{QUICK} pyspark-shell")
        with spark_engine(tmp_path_factory.mktemp("spark"), 1 << 30, 0) as engine:
            yield engine


def write(path, **columns):
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def assert_equal(shop, *paths, **options):
    """Prepare with both engines; returns what Spark's said."""
    ours, spark = (shop.prepare_paths(*paths, engine=engine, **options) for engine in ("duckdb", "spark"))
    assert (ours.pop("engine"), spark["engine"]) == ("duckdb", "spark")
    own = {"examples", "warnings"}
    assert {key: spark[key] for key in ours.keys() - own} == {key: ours[key] for key in ours.keys() - own}
    return spark


def test_broken_rows_in_part_files(spark, shop):
    """Every reason for which rows go, odd IDs, odd file names."""
    rng = random.Random(0)
    good = ["2019-01-02T03:04:05.25Z", "2019-01-02 03:04", "2019-01-03", f"{NEW_YEAR + 99}"]
    items = [*(f"{name}{n}" for name in NAMES for n in range(9)), None, ""]
    folder = shop.folder / "log [1]{a}"
    for part in range(3):
        write(
            folder / f"part {part}%20.parquet",
            user_id=pa.array(rng.choice([*NAMES * 2, None, "", "  "]) for _ in range(300)),
            item_id=pa.array(items[int(len(items) * rng.random() ** 2)] for _ in range(300)),
            timestamp=pa.array(rng.choice([*good * 9, "soon", "nan", "", None]) for _ in range(300)),
            rating=pa.array(rng.choice([1.0, 2.5, 4.0, 4.5, 5.0, 5.0, float("nan"), None]) for _ in range(300)),
            other=pa.array([bytes(16)] * 300, pa.binary(16)),
        )
    result = assert_equal(
        shop, folder, ties="item", min_count=4, min_rating=2, since="2019-01-01", until="2019-01-02"
    )
    assert all(result["dropped"].values())
    assert result["rounds"] > 1
    assert result["warnings"] == [f"unparseable and dropped: {result['dropped']['unparseable']} rows"]


@pytest.mark.parametrize(("seed", "dedupe"), [(1, "user-item"), (2, "none")])
def test_shuffled_ties_of_numbers(spark, shop, seed, dedupe):
    """IDs and times of several widths, in files of one log."""
    rng = random.Random(seed)
    kinds = [(pa.uint8(), pa.uint64(), pa.int64()), (pa.int64(), pa.int32(), pa.float64())]
    files = []
    for number, (user, item, time) in enumerate(kinds):
        files.append(
            write(
                shop.folder / f"{number}.parquet",
                user=pa.array((rng.randrange(20) for _ in range(200)), user),
                item=pa.array((rng.randrange(9, 30) for _ in range(200)), item),
                ts=pa.array(((NEW_YEAR + rng.randrange(3)) * 1000 + 7 for _ in range(200)), time),
            )
        )
    result = assert_equal(shop, *files, ties="shuffle", seed=seed, dedupe=dedupe, min_count=5)
    assert (result["times"], result["columns"]["time"]) == ("milliseconds", "ts")
    assert (result["dropped"]["duplicate"] > 0) == (dedupe == "user-item")


def test_an_order_column_and_no_time(spark, shop):
    """Rows with equal numbers are ordered by item; k-core takes a chain away link by link."""
    rng = random.Random(0)
    places = ["1", "-2", "+3", " 10 ", "x", "1.5", "9" * 30, None]
    rows = [(rng.choice(NAMES), rng.randrange(30), rng.choice(places)) for _ in range(200)]
    rows += [(f"link {n}", 100 + n + end, "1") for n in range(3) for end in (0, 1)]
    users, numbers, seq = map(pa.array, zip(*rows, strict=True))
    log = write(shop.folder / "log.parquet", user=users, item=numbers, seq=seq)
    items = write(shop.folder / "items.parquet", item=pa.array(range(5)), name=pa.array(["red"] * 5))
    result = assert_equal(shop, log, order_col="seq", items=items, min_count=2)
    assert (result["times"], result["ties"]["column"]) == (None, "seq")
    assert result["rounds"] > 3
    assert result["warnings"] == [f"unparseable and dropped: {result['dropped']['unparseable']} rows"]


def test_titles_in_the_log(spark, shop):
    """Only --items describes items."""
    log = write(
        shop.folder / "log.parquet", user=pa.array(["u"]), item=pa.array(["i"]), title=pa.array(["T"]), n=[1]
    )
    result = shop.prepare_paths(log, engine="spark", order_col="n")
    assert result["columns"]["title"] is None
    assert result["warnings"] == ["--engine spark keeps nothing of 'title'; describe the items with --items FILE"]


def test_extend(spark, shop):
    """The parent's rows stay before new ones of the same time, and its indexes stay."""
    moment = NEW_YEAR * 10**9 + 500
    old = write(
        shop.folder / "old.parquet",
        user=pa.array(["b", "a", "b", "c"]),
        item=pa.array(["z", "y", "x", "y"]),
        time=pa.array([moment] * 4, pa.timestamp("ns")),
    )
    new = write(
        shop.folder / "new.parquet",
        user=pa.array(["b", "b", "0", "a", "a", "0"]),
        item=pa.array(["a", "x", "x", "y", "0", "a"]),
        time=pa.array([moment] * 5 + [0], pa.timestamp("ns", "UTC")),
        seq=pa.array([3, 2, 1, 5, 4, 0]),
    )
    parent = prepare(old, shop.folder / "parent", min_count=1)["path"]
    ours, spark = (
        prepare(new, shop.folder / engine, engine=engine, extend=parent, order_col="seq")
        for engine in ("duckdb", "spark")
    )
    assert {spark[key] == ours[key] for key in ("checksum", "dropped", "before_k_core", "parent")} == {True}
    assert (spark["users"], spark["items"], spark["dropped"]["duplicate"]) == (4, 5, 2)


DAY = datetime.datetime(2019, 1, 2, 3, 4, 5, 123456)
TIMES = {
    "seconds": pa.array([NEW_YEAR, 0, -5, None]),
    "fractions": pa.array([NEW_YEAR + 0.25, 1e300, float("nan"), float("inf"), NEW_YEAR + 1e-6]),
    "milliseconds": pa.array([f"{NEW_YEAR}123", f"{NEW_YEAR}124.0", "1.5e12", "12d", " 7 ", ""]),
    "nanoseconds": pa.array([NEW_YEAR * 10**9 + 1999, NEW_YEAR * 10**9 + 1, -(10**18) - 1999]),
    "large nanoseconds": pa.array([1.5e18 + 512, 1.6e18 + 123456], pa.float64()),
    "decimals": pa.array([f"{NEW_YEAR}.123456", "1.5", None]).cast(pa.decimal128(20, 6)),
    "days": pa.array([20190101, 20191231]),
    "ISO 8601": pa.array(
        [
            "2019-01-02",
            "2019-1-2",
            "2019-01-02T03:04",
            "2019-01-02 03:04:05.1234567",
            "2019-01-02T03:04:05+02:00",
            "5",
        ]
    ),
    "zones and no times": pa.array(
        [
            "2019-01-02 03:04:05 UTC",
            "2019-01-02 03:04:05 Europe/Berlin",
            "2019-01-02T03:04:05 +02:00",
            "2019-02-30",
        ]
    ),
    "parts of times": pa.array(["2019-01", "12:00", "now", "2019-01-02T03:04:05.5Z", "20190102T030405"]),
    "timestamps": pa.array([DAY, datetime.datetime(1960, 1, 1, 0, 0, 0, 1), None], pa.timestamp("us")),
    "zoned": pa.array([DAY, datetime.datetime(1, 1, 1), None], pa.timestamp("ms", "Europe/Berlin")),
    "rounded": pa.array([499, 500, 1500, -499, -500, -1500], pa.timestamp("ns")),
    "dates": pa.array([DAY.date(), datetime.date(1500, 3, 1), None]),
}


@pytest.mark.parametrize("kind", TIMES)
def test_times(spark, tmp_path, kind):
    count = len(TIMES[kind])
    path = write(
        tmp_path / "log.parquet", user=pa.array(["u"] * count), item=pa.array(range(count)), time=TIMES[kind]
    )
    source = open_source(path, "auto", tmp_path, "0")
    with scratch_database(tmp_path, 1 << 28) as connection:
        reader = ParquetReader(source, connection)
        mapping = map_interactions(reader.columns, "log")
        reader.load(connection, "raw", mapped_columns(reader, mapping), ())
        make_raw(spark, [(file_columns(reader, mapping), path)])
        found = []
        for engine in (DuckDBEngine(connection), spark):
            micros, unit = micros_sql(engine, "raw")
            found.append(
                (unit, engine.rows(f"SELECT item_id, {micros} FROM raw ORDER BY CAST(item_id AS INTEGER)"))
            )
    assert found[0] == found[1]
    assert any(micros is not None for _, micros in found[0][1])


few = settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@few
@given(
    rows=st.lists(
        st.tuples(st.sampled_from("abcde"), st.integers(0, 6), st.integers(0, 4), st.integers(-2, 2)), min_size=30
    ),
    options=st.fixed_dictionaries(
        {
            "min_count": st.integers(0, 3),
            "dedupe": st.sampled_from(["exact", "user-item", "none"]),
            "order": st.sampled_from([{"ties": "item"}, {"ties": "shuffle", "seed": 5}, {"order_col": "seq"}]),
        }
    ),
)
def test_any_log(spark, shop, rows, options):
    users, items, times, places = zip(*rows, strict=True)
    columns = {"user": pa.array(users), "item": pa.array(items), "time": pa.array(times), "seq": pa.array(places)}
    log = write(shop.folder / "log.parquet", **columns)
    rest = {key: value for key, value in options.items() if key != "order"}
    assert_equal(shop, log, **rest, **options["order"])


def test_a_damaged_file(spark, shop):
    """What Spark says of it, in one line."""
    numbers = pa.array(range(9999))
    log = write(shop.folder / "log.parquet", user=pa.array(["u"] * 9999), item=numbers, seq=numbers)
    content = log.read_bytes()
    log.write_bytes(content[:4] + bytes(2000) + content[2004:])
    with pytest.raises(GenRecError, match="Spark failed: ") as caught:
        shop.prepare_paths(log, engine="spark", order_col="seq")
    assert "\n" not in str(caught.value)

"""PostgreSQL as a source: against a real server, where one is installed."""

import pytest

from genrec.errors import GenRecError
from tests.data import postgres
from tests.data.helpers import read_back


@pytest.fixture(scope="module")
def postgres_url():
    found = postgres.programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    driver = pytest.importorskip("adbc_driver_postgresql.dbapi")
    with postgres.server(found) as url:
        with driver.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
            for statement in (
                "CREATE TABLE events (user_id uuid, item_id text, ts timestamptz, stars numeric, tags text[])",
                "INSERT INTO events SELECT lpad(n::text, 32, '0')::uuid, 'i' || n % 7, to_timestamp(n * 10), "
                "n % 5 + 0.5, ARRAY['x', 'y'] FROM generate_series(1, 50) n",
                "CREATE SCHEMA other",
                "CREATE TABLE other.log AS SELECT 1 AS user_id, n AS item_id FROM generate_series(1, 200000) n",
            ):
                cursor.execute(statement)
        yield url


def test_postgresql(shop, postgres_url):
    result = shop.prepare_paths(
        postgres_url + "?table=events&application_name=x", rating_col="stars", min_rating=2
    )
    assert (result["users"], result["interactions"]) == (30, 30)
    assert result["times"] == "timestamps"
    assert next(iter(read_back(shop.out))) == "00000000-0000-0000-0000-000000000002"
    assert "secret" not in (shop.out / "dataset.json").read_text()
    assert result["database"]["url"].startswith("postgresql://tester@127.0.0.1:")


def test_postgresql_tables_and_queries(shop, postgres_url):
    assert shop.prepare_paths(postgres_url, table="other.log")["interactions"] == 200_000
    assert read_back(shop.out)["1"] == [str(n) for n in range(1, 200_001)]
    result = shop.prepare_paths(postgres_url, query="SELECT * FROM other.log ORDER BY item_id DESC LIMIT 3;")
    assert read_back(shop.out)["1"] == ["200000", "199999", "199998"]
    assert result["interactions"] == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no table is named; set --table or --query, the tables are: events, other.log"),
        ({"table": "nope"}, "there is no table 'nope'"),
        ({"query": "SELECT * FROM nope"}, 'relation "nope" does not exist'),
        ({"query": "DELETE FROM other.log RETURNING *"}, "read-only transaction"),
        ({"query": "DROP TABLE events"}, "syntax error|read-only"),
    ],
)
def test_postgresql_refuses(shop, postgres_url, options, message):
    with pytest.raises(GenRecError, match=message) as error:
        shop.prepare_paths(postgres_url, **options)
    assert "secret" not in str(error.value)


def test_postgresql_out_of_reach(shop):
    pytest.importorskip("adbc_driver_postgresql")
    with pytest.raises(GenRecError, match=r"postgresql://ann@127\.0\.0\.1:9/shop: .*refused"):
        shop.prepare_paths("postgresql://ann:secret@127.0.0.1:9/shop")

"""Write an interaction log of any size with a long-tailed catalogue, in bounded memory.

Example: python benchmarks/synthetic_log.py --rows 1e8 --out log.csv --seed 0

Row p of the log is a function of p and the seed, so nothing is held and nothing is sorted; the random order visits
the same rows by a fixed stride. One seed gives the same log with one version of DuckDB, whose `hash` is used.
"""

import argparse
import math
import tempfile
from pathlib import Path

import duckdb

_ROWS_PER_USER = 6
_ROWS_PER_ITEM = 50
"""Per user and item that could occur; of the least active, many never do, which leaves about 11 and 100."""

_START, _SPAN = 1_400_000_000, 5 * 365 * 86_400
_DUPLICATES, _TIES, _BROKEN = 0.01, 0.05, 0.001
"""Shares of rows: repeats of the row before, its user and time again (repeats included), unusable."""

_MACROS = """
-- One argument: DuckDB's hashes of several are alike where one argument is, so users would know their items.
CREATE MACRO mixed(number, salt) AS hash((CAST(number AS BIGINT) * 8 + salt) * 1000003 + {seed});
CREATE MACRO uniform(number, salt) AS (mixed(number, salt) >> 11) / 9007199254740992.0;
-- The inverse of Kumaraswamy's distribution: few near 1 are drawn very often, those near 0 hardly ever.
CREATE MACRO skewed(u, a, b) AS pow(1 - pow(1 - u, 1 / b), 1 / a);
"""

_LOG = """
WITH rows AS (SELECT {place} AS p, uniform(p, 0) AS kind, uniform(p, 1) AS fate FROM range({rows}) AS t(i)),
events AS (
    SELECT kind, fate,
        CASE WHEN kind < {ties} THEN p - 1 ELSE p END AS visit,
        CASE WHEN kind < {duplicates} THEN p - 1 ELSE p END AS choice,
        CAST({users} * skewed(uniform(visit, 2), 4, 0.45) AS BIGINT) AS user,
        CAST({items} * skewed(uniform(choice, 3), 10, 0.5) AS BIGINT) AS item
    FROM rows
)
SELECT
    CASE WHEN fate >= {broken} / 2 THEN 'A' || to_base(CAST(mixed(user, 5) >> 1 AS BIGINT), 36, 13) END
        AS user_id,
    'B0' || to_base(CAST(mixed(item, 6) % 2821109907456 AS BIGINT), 36, 8) AS item_id,
    {time} AS timestamp,
    5 - CAST(floor(5 * pow(uniform(choice, 4), 3)) AS BIGINT) AS rating
FROM events
"""


def write_log(rows: int, out: Path, seed: int = 0, order: str = "random", memory: str = "3GB") -> None:
    """Write `rows` interactions (user_id, item_id, timestamp, rating) to a CSV or Parquet file.

    Args:
        rows: How many.
        out: The file; its suffix says the format. Unusable times are texts in CSV, missing in Parquet.
        seed: Another seed is another log.
        order: Of the rows: "time" or "random".
        memory: DuckDB's limit.
    """
    is_parquet = out.suffix == ".parquet"
    time = f"CASE WHEN fate < 1 - {_BROKEN} / 2 THEN {_START} + visit * {_SPAN} // {rows} END"
    query = _LOG.format(
        rows=rows,
        seed=seed,
        place="i" if order == "time" else f"(i * {_stride(rows)}) % {rows}",
        users=max(rows // _ROWS_PER_USER, 1),
        items=max(rows // _ROWS_PER_ITEM, 1),
        time=time if is_parquet else f"coalesce(CAST({time} AS VARCHAR), 'unknown')",
        duplicates=_DUPLICATES,
        ties=_TIES,
        broken=_BROKEN,
    )
    options = "FORMAT parquet, COMPRESSION zstd" if is_parquet else "FORMAT csv, HEADER true"
    with tempfile.TemporaryDirectory(dir=out.absolute().parent) as spill, duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{memory}'; SET temp_directory = '{spill}'")
        connection.execute(_MACROS.format(seed=seed))
        part = Path(spill) / out.name
        connection.execute(f"COPY ({query}) TO '{part}' ({options})")
        part.rename(out)


def _stride(rows: int) -> int:
    """A step that visits every row once, far from the one before: near the golden section of `rows`."""
    step = max(round(rows * 0.618034), 1)
    while math.gcd(step, rows) > 1:
        step += 1
    return step


def main() -> None:
    """Read the command line and write the log."""
    parser = argparse.ArgumentParser(description="Write a synthetic interaction log.")
    parser.add_argument("--rows", type=float, required=True, help="how many, 1e8 for instance")
    parser.add_argument("--out", type=Path, required=True, help="a .csv or .parquet file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--order", choices=["random", "time"], default="random", help="order of the rows")
    parser.add_argument("--memory", default="3GB", help="DuckDB's memory limit")
    arguments = parser.parse_args()
    if arguments.out.suffix not in (".csv", ".parquet"):
        parser.error("--out must end in .csv or .parquet")
    write_log(int(arguments.rows), arguments.out, arguments.seed, arguments.order, arguments.memory)


if __name__ == "__main__":
    main()

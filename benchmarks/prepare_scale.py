"""Measure `genrec prepare` on growing logs, beside pandas and beside DuckDB's mere reading of the file.

Example: python benchmarks/prepare_scale.py --rows 1e6 1e7 1e8 --pandas-up-to 1e7 --folder scale --json scale.json

This process imports neither duckdb nor pyarrow: a child's peak memory is never told lower than its parent's.
"""

import argparse
import json
import multiprocessing
import os
import platform
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from measuring import Run, measure
from report import show

_HERE = Path(__file__).parent
_TABLES = ("users.parquet", "items.parquet", "sequences.parquet")


def make_log(arguments: argparse.Namespace, rows: int) -> Path:
    """The log of that many rows, generated unless the folder has it."""
    path = arguments.folder / f"log-{rows}-{arguments.order}.{arguments.format}"
    if not path.exists():
        command = ["--rows", rows, "--out", path, "--order", arguments.order]
        subprocess.run([sys.executable, _HERE / "synthetic_log.py", *map(str, command)], check=True)
    return path


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """A function's result, computed in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def read_seconds(path: Path, repeats: int) -> float:
    """The median time in which DuckDB reads a log and does nothing with it: the least that `prepare` needs."""
    import time

    import duckdb

    csv = f"read_csv('{path}', header = true, delim = ',', quote = '', all_varchar = true)"
    relation = csv if path.suffix == ".csv" else f"'{path}'"
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        duckdb.sql(f"SELECT count(*), sum(length(CAST(COLUMNS(*) AS VARCHAR))) FROM {relation}").fetchall()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def same_tables(first: Path, second: Path) -> bool:
    """Whether two datasets have the same users, items and sequences."""
    import pyarrow.parquet as pq

    return all(pq.read_table(first / name).equals(pq.read_table(second / name)) for name in _TABLES)


def measure_size(arguments: argparse.Namespace, rows: int, memory: list[str]) -> dict[str, Any]:
    """Prepare one log some times, genrec and pandas in turn; returns what was measured."""
    path = make_log(arguments, rows)
    ours, theirs = (arguments.folder / name for name in ("genrec-out", "pandas-out"))
    own = [sys.executable, "-m", "genrec_cli", "prepare", path, "-o", ours, "--json", *memory]
    others = [sys.executable, _HERE / "pandas_prepare.py", path, "-o", theirs]
    found: dict[str, Any] = {"rows": rows, "bytes": path.stat().st_size}
    found["read_seconds"] = apart(read_seconds, path, arguments.repeats)  # so that both find a warm file cache
    genrec: list[Run] = []
    pandas: list[Run] = []
    for number in range(arguments.repeats):
        clear(ours, theirs)
        genrec.append(measure(own, ours))
        if genrec[-1].status:
            raise SystemExit(f"genrec prepare failed on {rows:,} rows: {genrec[-1].errors[-2000:]}")
        if rows <= arguments.pandas_up_to and not any(run.status for run in pandas):
            pandas.append(measure(others, theirs))
            if pandas[-1].status:
                print(f"pandas failed on {rows:,} rows: {pandas[-1].errors[-500:]}", file=sys.stderr)
            elif number == 0:
                found["equal"] = apart(same_tables, ours, theirs)
    clear(ours, theirs)
    result = json.loads(genrec[0].printed)
    found["counts"] = {key: result[key] for key in ("users", "items", "interactions", "rounds")}
    return found | {"genrec": summary(genrec), "pandas": summary(pandas)} | compare(genrec, pandas)


def clear(*outputs: Path) -> None:
    """Delete outputs, and the work folders of killed runs, whose size would count as the next run's."""
    for output in outputs:
        for folder in (output, *output.parent.glob(f".{output.name}.*")):
            shutil.rmtree(folder, ignore_errors=True)


def memory_option(arguments: argparse.Namespace) -> list[str]:
    """--memory, if it is asked for and this `genrec prepare` has it."""
    if not arguments.memory:
        return []
    run = measure([sys.executable, "-m", "genrec_cli", "prepare", "--help"], arguments.folder / "none")
    if "--memory" in run.printed:
        return ["--memory", arguments.memory]
    print("genrec prepare has no --memory; measuring without a limit", file=sys.stderr)
    return []


def summary(runs: list[Run]) -> dict[str, Any] | None:
    """Median, least and greatest time, and the greatest peaks; None where nothing ran, or not to the end."""
    if not runs:
        return None
    if failed := [run.status for run in runs if run.status]:
        return {"failed": failed[0]}
    seconds = [run.seconds for run in runs]
    return {
        "seconds": statistics.median(seconds),
        "least": min(seconds),
        "greatest": max(seconds),
        "peak_bytes": max(run.peak_bytes for run in runs),
        "disk_bytes": max(run.disk_bytes for run in runs),
    }


def compare(genrec: list[Run], pandas: list[Run]) -> dict[str, float]:
    """How many times as long pandas takes: the median of the pairs' ratios."""
    if not pandas or any(run.status for run in pandas):
        return {}
    pairs = zip(genrec, pandas, strict=True)
    return {"pandas_per_genrec": statistics.median(their.seconds / our.seconds for our, their in pairs)}


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    versions: dict[str, str | None] = {}
    for package in ("duckdb", "pandas", "pyarrow", "numpy"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = len(os.sched_getaffinity(0))
    return {"cores": cores, "memory_bytes": memory, "python": platform.python_version(), "versions": versions}


def main() -> None:
    """Read the command line, measure, show."""
    parser = argparse.ArgumentParser(description="Measure genrec prepare on growing logs.")
    parser.add_argument("--rows", type=float, nargs="+", default=[1e6], help="sizes of logs, 1e8 for instance")
    parser.add_argument("--pandas-up-to", type=float, default=0, help="the largest log that pandas gets")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", help="passed on to genrec prepare")
    parser.add_argument("--folder", type=Path, required=True, help="for logs, which are kept, and for outputs")
    parser.add_argument("--format", choices=["csv", "parquet"], default="csv")
    parser.add_argument("--order", choices=["random", "time"], default="random", help="order of the rows")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    arguments = parser.parse_args()
    arguments.folder = arguments.folder.absolute()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    memory = memory_option(arguments)
    settings = {
        "repeats": arguments.repeats,
        "format": arguments.format,
        "order": arguments.order,
        "options": memory,
    }
    sizes: list[dict[str, Any]] = []
    try:
        for rows in sorted(map(int, arguments.rows)):
            sizes.append(measure_size(arguments, rows, memory))
            if arguments.json:
                content = {"machine": machine(), "settings": settings, "sizes": sizes}
                arguments.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    finally:
        if sizes:
            show(sizes)
    if any(size.get("equal") is False for size in sizes):
        raise SystemExit("genrec and pandas made different tables")


if __name__ == "__main__":
    main()

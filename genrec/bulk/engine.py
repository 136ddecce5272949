"""Recommending to many: into one file, into parts one after the other, or into parts on many machines."""

import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from genrec.bulk.job import END, Job
from genrec.bulk.parts import Folder, Shard
from genrec.bulk.ray_engine import check_ray, write_on_ray
from genrec.bulk.worker import COUNTS, Worker
from genrec.errors import GenRecError
from genrec.files import check_apart, check_output
from genrec.leftovers import work_folder
from genrec.progress import SILENT, Reporter

STDIN: Final = "-"
LOCAL: Final = "local"
RAY: Final = "ray"
ENGINES: Final = (LOCAL, RAY)

_PART_ROWS: Final = 50_000
"""Rows of a part on Ray, unless told otherwise."""


def recommend_to_many(
    job: Job,
    output: str | Path,
    *,
    parts: int | None = None,
    shard: Shard | None = None,
    engine: str = LOCAL,
    workers: int | None = None,
    force: bool = False,
    reporter: Reporter = SILENT,
) -> dict[str, Any]:
    """Write a job's recommendations as Parquet: row (from 1), user, rank, item, score, known_user.

    Args:
        job: What to recommend to whom; a users file "-" is standard input.
        output: File to write; with parts a folder, whose finished parts of the same job stay.
        parts: Divide the rows into so many parts.
        shard: Write this part alone.
        engine: "local", or "ray" (always parts).
        workers: Processes on Ray, each with a model of its own; one per machine where None.
        force: Replace an existing output.
        reporter: Receives progress.

    Returns:
        {"path", "paths", "parts", "kept_parts", "users", "known_users", "without_history", "unknown_items",
        "rows", "seconds", "users_per_second", "backend", "provider", "trouble", ...}. Parts that were there before
        count in all but the speed.

    Raises:
        GenRecError: The job, its input or the output is at fault.
    """
    started = time.perf_counter()
    output = Path(output)
    if engine not in ENGINES:
        raise GenRecError(f"engine {engine!r} is unknown; choose one of: {', '.join(ENGINES)}")
    with _readable(job, output) as job:
        job.check()
        check_apart(output, job.inputs)
        if engine == LOCAL and parts is None and shard is None:
            result = _write_file(job, output, force, reporter)
        else:
            result = _write_parts(job, output, parts, shard, (engine, workers), force, reporter)
    seconds = time.perf_counter() - started
    speed = result.pop("done") / seconds
    return {"path": str(output), **result, "engine": engine, "seconds": seconds, "users_per_second": speed}


@contextmanager
def _readable(job: Job, output: Path) -> Iterator[Job]:
    """The job with its standard input in a file, because that is read more than once."""
    if str(job.users_file) != STDIN:
        yield job
        return
    if sys.stdin is None:
        raise GenRecError("standard input is closed; give a file")
    output.absolute().parent.mkdir(parents=True, exist_ok=True)
    with work_folder(output) as folder:
        path = folder / "stdin"
        with path.open("xb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
        yield replace(job, users_file=path)


def _write_file(job: Job, output: Path, force: bool, reporter: Reporter) -> dict[str, Any]:
    check_output(output, force)
    if output.is_dir():
        raise GenRecError(f"the output {output} is a folder; give a file, or ask for parts with --parts N")
    worker = Worker(job)
    with reporter.task("recommend", job.quick_count()) as task:
        counts = worker.write(output, 0, END, task.advance)
    return {"paths": [str(output)], "parts": 1, "kept_parts": 0, **counts, **worker.facts, "done": counts["users"]}


def _write_parts(
    job: Job,
    output: Path,
    parts: int | None,
    shard: Shard | None,
    engine: tuple[str, int | None],
    force: bool,
    reporter: Reporter,
) -> dict[str, Any]:
    if engine[0] == RAY:
        check_ray()
    total = job.count()
    count = shard.count if shard else parts or max(1, -(-total // _PART_ROWS))
    folder = Folder(output, job.fingerprint(), count)
    wanted = [shard] if shard else [Shard(number, count) for number in range(1, count + 1)]
    finished = folder.prepare(force)
    missing = [one for one in wanted if force or one.number not in finished]
    kept = [finished[one.number] for one in wanted if one not in missing]
    rows = sum(stop - first for first, stop in (one.rows(total) for one in missing))
    counts: Counter[str] = Counter(dict.fromkeys(COUNTS, 0))
    facts: dict[str, Any] = {
        "unknown_allow": 0,
        "unknown_deny": 0,
        "backend": None,
        "provider": None,
        "trouble": None,
    }
    for part in kept:
        counts.update(part)
    with reporter.task("recommend", rows) as task:
        for part, about in _write(job, folder, missing, total, engine, task.advance):
            counts.update(part)
            facts.update(about)
    paths = [str(output / one.name) for one in wanted]
    return {"paths": paths, "parts": count, "kept_parts": len(kept), **counts, **facts, "done": rows}


def _write(
    job: Job,
    folder: Folder,
    shards: list[Shard],
    total: int,
    engine: tuple[str, int | None],
    advance: Callable[[int], None],
) -> Iterator[tuple[dict[str, int], dict[str, Any]]]:
    """Write parts; yields each one's counts, and facts of the model."""
    if not shards:
        return
    if engine[0] == RAY:
        for counts, facts in write_on_ray(job, folder, shards, total, engine[1]):
            advance(counts["users"])
            yield counts, facts
        return
    worker = Worker(job)
    for shard in shards:
        yield worker.write_part(folder, shard, total, advance), worker.facts

"""`prepare`: from an interaction log to a dataset, with every row accounted for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genrec.data.build import USERS, user_groups
from genrec.data.database import Selection
from genrec.data.dataset import contents_checksum, save_info
from genrec.data.engine import DuckDBEngine
from genrec.data.extend import load_known, open_parent
from genrec.data.inputs import resolve
from genrec.data.job import Job
from genrec.data.local import describe_sources, metadata_path
from genrec.data.memory import parse_memory
from genrec.data.metadata import items_from_log, items_sql, load_metadata
from genrec.data.rules import make_rules
from genrec.data.sources import Source
from genrec.data.sql import scratch_database
from genrec.data.steps import check_engine, open_steps
from genrec.data.tables import write_sequences, write_table
from genrec.data.textfile import check_file
from genrec.data.ties import TieCounter
from genrec.files import atomic_folder, check_apart, check_output
from genrec.ids import ITEMS_FILE, SEQUENCES_FILE, USERS_FILE
from genrec.leftovers import work_folder
from genrec.progress import SILENT, Reporter

_STAGES = 5
_MATCHED = "SELECT count(*), count(item_id) FROM item_index LEFT JOIN metadata ON item_id = item_index.id"


def prepare(
    sources: Sequence[str | Path] | str | Path,
    output: str | Path,
    *,
    format: str = "auto",
    user_col: str | None = None,
    item_col: str | None = None,
    time_col: str | None = None,
    rating_col: str | None = None,
    order_col: str | None = None,
    query: str | None = None,
    table: str | None = None,
    items: str | Path | None = None,
    extend: str | Path | None = None,
    min_count: int | None = None,
    min_rating: float | None = None,
    since: object = None,
    until: object = None,
    dedupe: str | None = None,
    ties: str | None = None,
    seed: int | None = None,
    strict: bool = False,
    memory: str | None = None,
    engine: str = "duckdb",
    force: bool = False,
    cache: str | Path | None = None,
    reporter: Reporter = SILENT,
) -> dict[str, Any]:
    """Turn an interaction log into a dataset folder.

    Args:
        sources: Files of one format, in input order, patterns ("logs/*.csv"), folders of such files, "-" for
            standard input; or one folder or archive of a known layout, one known name, or one database's URL.
        output: The folder to write.
        format: One of `genrec.data.sources.FORMATS`; "auto" tells it from names and contents.
        user_col: The user column's name; None guesses from usual spellings. So too `item_col`, `time_col`,
            `rating_col`; a log may have no time and no rating.
        order_col: A column of whole numbers that orders rows of one user and time, or all rows of a user where
            there is no time, and by item where it is equal; None: the rows' position in the source does.
        query: The SQL query whose rows are the log, where the source is a database.
        table: The table that is the log; None: the only one.
        items: A file of item metadata.
        extend: A dataset whose users, items and rows are kept, with their indexes, and to which those of the log
            are added.
        min_count: k of the k-core filter; 0 and 1 keep everything; None: the extended dataset's, or 5.
        min_rating: Rows rated lower, or not rated, are dropped.
        since: Earliest date or time, inclusive.
        until: Latest date or time, inclusive; a date is its whole day.
        dedupe: Which of repeated rows count, one of `genrec.data.duplicates.DEDUPE`; None: the extended
            dataset's, or "exact".
        ties: How equal times are ordered, one of `genrec.data.order.TIES`; None: the extended dataset's, or
            "shuffle" for Amazon's and Yelp's files, or "input".
        seed: Of the shuffle; None: the extended dataset's, or 0.
        strict: Whether a row that cannot be read, or has no user, item or time, is an error.
        memory: How much memory sorting and joining may take before they go to disk, "4GB" say; None: half of the
            machine's.
        engine: Where rows are counted and sorted, one of `genrec.data.steps.ENGINES`; "spark" reads Parquet only.
        force: Whether to replace an existing output.
        cache: Where downloads are kept; None: $GENREC_CACHE or ~/.cache/genrec.
        reporter: Receives progress, notes and warnings.

    Returns:
        users, items, interactions, avg_items_per_user, avg_users_per_item, dropped (rows by reason), path; and
        read, kept, examples (dropped rows: reason, file, row, line, text), before_k_core, rounds, times, ties,
        columns, filters, name, engine, sources, items_file, parent, warnings, checksum.

    Raises:
        GenRecError: An input is missing or damaged, a column cannot be found, or nothing is left.
    """
    output = Path(output)
    check_output(output, force)
    parent = open_parent(extend) if extend else None
    rules = make_rules(
        min_count=min_count,
        min_rating=min_rating,
        since=since,
        until=until,
        dedupe=dedupe,
        ties=ties,
        seed=seed,
        strict=strict,
        parent=parent.info if parent else {},
    )
    limit = parse_memory(memory)
    check_engine(engine)
    wanted = {"user": user_col, "item": item_col, "time": time_col, "rating": rating_col, "order": order_col}
    named = [sources] if isinstance(sources, str | Path) else list(sources)
    with work_folder(output) as work:
        selection = Selection(query, table, limit)
        inputs = resolve(named, format, selection, Path(cache) if cache else None, work, reporter)
        about_items = metadata_path(inputs, items)
        if about_items:
            check_file(about_items)
        check_apart(output, [*inputs.paths, *([about_items] if about_items else [])])
        with reporter.task("Preparing", _STAGES) as task, scratch_database(work, limit) as connection:
            task.advance(0, stage="reading")
            scratch = DuckDBEngine(connection)
            load_known(scratch, parent)
            with open_steps(engine, scratch, inputs, work, limit) as steps:
                job = steps.read(wanted, rules, parent)
                # Before the long work, so that a wrong file of metadata shows early.
                metadata = load_metadata(connection, about_items, job.mapping.item, work) if about_items else None
                steps.filter(job, task)
                task.advance(stage="items")
                rows = steps.number(job)
            items_query = _catalogue(scratch, job, metadata)
            task.advance(stage="writing")
            about = {"engine": engine, **describe_sources(steps.sources, inputs, metadata)}
            info = _write(scratch, items_query, rows, output, force, job, about)
    # Only now: an error says in one line what there is to say.
    for warning in job.warnings:
        reporter.warn(warning)
    return _result(info, output)


def _catalogue(engine: DuckDBEngine, job: Job, metadata: Source | None) -> str:
    """SQL: the catalogue with what is known of its items."""
    if metadata:
        items, matched = engine.rows(_MATCHED)[0]
        if not matched:
            hint = "check that both name items alike"
            job.warnings.append(f"{metadata.name} knows none of the log's {items:,} items; {hint}")
    from_log = items_from_log(engine.connection, job.mapping)
    return items_sql(engine.connection, from_log, metadata is not None, job.parent.items if job.parent else None)


def _write(
    engine: DuckDBEngine, items: str, rows: str, output: Path, force: bool, job: Job, about: dict[str, object]
) -> dict[str, Any]:
    """Write the dataset; returns what dataset.json says."""
    ties = TieCounter()
    with atomic_folder(output, force) as folder:
        users = write_table(folder / USERS_FILE, engine.batches(USERS))
        catalogue = write_table(folder / ITEMS_FILE, engine.batches(items))
        groups = user_groups(engine.batches(rows), job.has_time)
        count = write_sequences(folder / SEQUENCES_FILE, ties.watch(groups), job.has_time)
        averages = {"avg_items_per_user": count / users, "avg_users_per_item": count / catalogue}
        counts = {"users": users, "items": catalogue, "interactions": count, **averages}
        about["ties"] = job.ties.describe(ties.share if job.has_time else None)
        return save_info(folder, **counts, **job.describe(), **about)


def _result(info: dict[str, Any], output: Path) -> dict[str, Any]:
    """What the caller gets: the contract's keys first."""
    first = ("users", "items", "interactions", "avg_items_per_user", "avg_users_per_item", "dropped")
    rest = {key: value for key, value in info.items() if key not in (*first, "files", "format_version")}
    return {
        **{key: info[key] for key in first},
        "path": str(output),
        **rest,
        "checksum": contents_checksum(info["files"]),
    }

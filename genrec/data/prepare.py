"""`prepare`: from an interaction log to a dataset, with every row accounted for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from genrec.data.build import build_sequences, number_roles, user_ids
from genrec.data.database import Selection
from genrec.data.dataset import contents_checksum, save_dataset
from genrec.data.inputs import resolve
from genrec.data.job import Job, filter_rows, new_job
from genrec.data.log import Log, load_log
from genrec.data.metadata import item_table_sql, items_from_log, load_metadata
from genrec.data.sources import Source, open_sources
from genrec.data.sql import rows, scratch_database
from genrec.data.textfile import check_file
from genrec.files import atomic_folder, check_output
from genrec.leftovers import work_folder
from genrec.progress import SILENT, Reporter

_STAGES = 5
_MATCHED = "SELECT count(*), count(item_id) FROM item_index LEFT JOIN metadata ON item_id = id"


def prepare(
    sources: Sequence[str | Path] | str | Path,
    output: str | Path,
    *,
    format: str = "auto",
    user_col: str | None = None,
    item_col: str | None = None,
    time_col: str | None = None,
    rating_col: str | None = None,
    query: str | None = None,
    table: str | None = None,
    items: str | Path | None = None,
    min_count: int = 5,
    min_rating: float | None = None,
    since: object = None,
    until: object = None,
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
        query: The SQL query whose rows are the log, where the source is a database.
        table: The table that is the log; None: the only one.
        items: A file of item metadata.
        min_count: k of the k-core filter; 0 and 1 keep everything.
        min_rating: Rows rated lower, or not rated, are dropped.
        since: Earliest date or time, inclusive.
        until: Latest date or time, inclusive; a date is its whole day.
        force: Whether to replace an existing output.
        cache: Where downloads are kept; None: $GENREC_CACHE or ~/.cache/genrec.
        reporter: Receives progress, notes and warnings.

    Returns:
        users, items, interactions, avg_items_per_user, avg_users_per_item, dropped (rows by reason), path; and
        read, before_k_core, rounds, times, columns, filters, name, sources, items_file, warnings, checksum.

    Raises:
        GenRecError: An input is missing or damaged, a column cannot be found, or nothing is left.
    """
    output = Path(output)
    check_output(output, force)
    job = new_job(min_count, min_rating, since, until)
    wanted = {"user": user_col, "item": item_col, "time": time_col, "rating": rating_col}
    named = [sources] if isinstance(sources, str | Path) else list(sources)
    with work_folder(output) as work:
        inputs = resolve(named, format, Selection(query, table), Path(cache) if cache else None, work, reporter)
        metadata_path = Path(items) if items else inputs.items
        if metadata_path:
            check_file(metadata_path)
        with reporter.task("Preparing", _STAGES) as task, scratch_database(work) as connection:
            task.advance(0, stage="reading")
            opened = open_sources(inputs.paths, inputs.format, work)
            log = load_log(connection, opened, inputs.header, wanted, inputs.format)
            # Before the long work, so that a wrong file of metadata shows early.
            metadata = load_metadata(connection, metadata_path, log.mapping.item, work) if metadata_path else None
            filter_rows(connection, log, job, task)
            task.advance(stage="items")
            table = _item_table(connection, log, metadata, job)
            task.advance(stage="writing")
            about = {
                "name": inputs.name,
                "format": log.format,
                "database": inputs.database,
                "sources": [source.describe() for source in opened],
                "items_file": metadata.describe() if metadata else None,
            }
            info = _write(connection, table, output, force, job, about | {"columns": log.mapping.as_dict()})
    # Only now: an error says in one line what there is to say.
    for warning in job.warnings:
        reporter.warn(warning)
    return _result(info, output)


def _item_table(connection: duckdb.DuckDBPyConnection, log: Log, metadata: Source | None, job: Job) -> pa.Table:
    """Number users and items; the catalogue with what is known of its items."""
    number_roles(connection)
    if metadata:
        items, matched = rows(connection, _MATCHED)[0]
        if not matched:
            hint = "check that both name items alike"
            job.warnings.append(f"{metadata.name} knows none of the log's {items:,} items; {hint}")
    from_log = items_from_log(connection, log.mapping)
    return connection.sql(item_table_sql(connection, from_log, metadata is not None)).to_arrow_table()


def _write(
    connection: duckdb.DuckDBPyConnection,
    items: pa.Table,
    output: Path,
    force: bool,
    job: Job,
    about: dict[str, Any],
) -> dict[str, Any]:
    """Write the dataset; returns what dataset.json says."""
    users = user_ids(connection)
    sequences, times = build_sequences(connection, len(users), job.times is not None)
    count = len(sequences.items)
    known = {
        **about,
        "avg_items_per_user": count / len(users),
        "avg_users_per_item": count / items.num_rows,
        "filters": job.asked,
        "times": job.times,
        "read": job.read,
        "dropped": job.dropped,
        "before_k_core": job.before,
        "rounds": job.rounds,
        "warnings": job.warnings,
    }
    with atomic_folder(output, force) as folder:
        return save_dataset(folder, users, items, sequences, times, **known)


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

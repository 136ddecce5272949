"""Recommending to everybody in a file: batches through the model, Parquet out."""

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq

from genrec.errors import GenRecError
from genrec.files import atomic_file, check_output
from genrec.histories import Found
from genrec.progress import SILENT, Reporter
from genrec.recommend import Items, Model, check_k

USER, HISTORY = "user", "history"
BATCH = 256
"""Users that go through the model together, unless their lists are long."""

_MOST_NUMBERS = 2_000_000
"""Most item indexes in a batch: the search compares each with 20 beams, 8 bytes a comparison."""

SCHEMA = pa.schema(
    {
        "row": pa.int64(),
        USER: pa.string(),
        "rank": pa.int32(),
        "item": pa.string(),
        "score": pa.float32(),
        "known_user": pa.bool_(),
    }
)

Request = tuple[str | None, list[str] | None]
"""A row of the file: user ID and history, either may be missing."""


def recommend_file(
    model: Model,
    users_file: str | Path,
    output: str | Path,
    *,
    k: int = 10,
    include_seen: bool = False,
    allow: Iterable[str] | None = None,
    deny: Iterable[str] | None = None,
    force: bool = False,
    reporter: Reporter = SILENT,
) -> dict[str, Any]:
    """Recommend to each row of a CSV, TSV or Parquet file.

    Args:
        model: Of `genrec.load`.
        users_file: Has a column `user`, `history` or both. A history is a list, its JSON, or IDs separated by
            spaces, oldest first; it stands in place of the user's own. Unknown users and visitors get lists too.
        output: Parquet file to write: row (from 1), user, rank, item, score, known_user.
        k: Length of the lists.
        include_seen: Whether items of the history may be recommended.
        allow: External IDs of the only items to recommend.
        deny: External IDs of items to leave out.
        force: Replace an existing output.
        reporter: Receives progress.

    Returns:
        {"path", "users", "known_users", "without_history", "unknown_items", "rows", "seconds", ...}.

    Raises:
        GenRecError: The file is missing, unreadable or lacks both columns, or the output exists.
    """
    started = time.perf_counter()
    check_k(k)
    output = Path(output)
    check_output(output, force)
    allowed, unknown_allow = model.allow_list(allow)
    banned, unknown_deny = model.item_list(deny)
    size = max(1, min(BATCH, _MOST_NUMBERS // (1 + len(allowed) + len(banned))))
    counts = dict.fromkeys(("users", "known_users", "without_history", "unknown_items", "rows"), 0)
    with (
        atomic_file(output) as temporary,
        pq.ParquetWriter(temporary, SCHEMA) as writer,
        reporter.task("recommend") as task,
    ):
        for requests in _batches(read_requests(Path(users_file)), size):
            writer.write_table(_recommend(model, requests, (k, include_seen, banned, allowed), counts))
            task.advance(len(requests))
    return {
        "path": str(output),
        **counts,
        "unknown_allow": unknown_allow,
        "unknown_deny": unknown_deny,
        "seconds": time.perf_counter() - started,
        "backend": model.scorer.backend,
        "provider": model.scorer.provider,
    }


def _recommend(
    model: Model, requests: list[Request], rules: tuple[int, bool, Items, Items], counts: dict[str, int]
) -> pa.Table:
    """Rows of the output for a batch; adds to the counts."""
    k, include_seen, banned, allowed = rules
    first = counts["users"] + 1
    found = _subjects(model, requests, counts)
    batch = len(found)
    histories, users = [one.items for one in found], [one.index for one in found]
    items, scores = model.scorer(histories, users, not include_seen, [banned] * batch, [allowed] * batch, k)
    line, place = np.nonzero(items)
    counts["users"] += batch
    counts["known_users"] += sum(one.known for one in found)
    counts["without_history"] += sum(not len(one.items) for one in found)
    counts["rows"] += len(line)
    return pa.table(
        [
            pa.array(line + first, pa.int64()),
            pa.array([user for user, _ in requests], pa.string()).take(pa.array(line)),
            pa.array(place + 1, pa.int32()),
            pa.array(model.catalogue.item_ids(items[line, place]), pa.string()),
            pa.array(scores[line, place], pa.float32()),
            pa.array([one.known for one in found]).take(pa.array(line)),
        ],
        schema=SCHEMA,
    )


def _subjects(model: Model, requests: list[Request], counts: dict[str, int]) -> list[Found]:
    """Whom the rows mean; all histories of the batch are looked up together."""
    found = model.histories.of_many([user for user, _ in requests])
    named = [item for _, history in requests for item in history or ()]
    indexes = model.catalogue.item_indexes(named)
    counts["unknown_items"] += int((indexes == 0).sum())
    start = 0
    for number, (_, history) in enumerate(requests):
        if history:
            own = indexes[start : start + len(history)]
            start += len(history)
            found[number] = Found(found[number].index, found[number].known, own[own > 0])
    return found


def _batches(requests: Iterator[Request], size: int) -> Iterator[list[Request]]:
    batch: list[Request] = []
    for request in requests:
        batch.append(request)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def read_requests(path: Path) -> Iterator[Request]:
    """The rows of a users file, a few thousand in memory at a time.

    Raises:
        GenRecError: The file is missing, unreadable or lacks both columns.
    """
    try:
        names, batches = _open_parquet(path) if path.suffix == ".parquet" else _open_text(path)
        columns = [name for name in (USER, HISTORY) if name in names]
        if not columns:
            raise GenRecError(
                f"{path} has the columns {', '.join(names)}; a column {USER!r}, {HISTORY!r} or both is wanted"
            )
        for batch in batches:
            values = {name: batch.column(batch.schema.get_field_index(name)).to_pylist() for name in columns}
            nothing = [None] * batch.num_rows
            for user, history in zip(values.get(USER, nothing), values.get(HISTORY, nothing), strict=True):
                yield None if user in (None, "") else str(user), _history(history)
    except FileNotFoundError as error:
        raise GenRecError(f"the users file {path} does not exist") from error
    except (OSError, pa.ArrowException) as error:
        raise GenRecError(f"the users file {path} cannot be read: {error}") from error


def _open_parquet(path: Path) -> tuple[list[str], Iterator[pa.RecordBatch]]:
    file = pq.ParquetFile(path)
    names = file.schema_arrow.names
    return names, file.iter_batches(batch_size=4096, columns=[name for name in (USER, HISTORY) if name in names])


def _open_text(path: Path) -> tuple[list[str], Iterator[pa.RecordBatch]]:
    """A CSV or TSV file; IDs stay text, whatever they look like."""
    tabs = ".tsv" in path.suffixes
    reader = pv.open_csv(
        path,
        parse_options=pv.ParseOptions(delimiter="\t" if tabs else ","),
        convert_options=pv.ConvertOptions(column_types={USER: pa.string(), HISTORY: pa.string()}),
    )
    return reader.schema.names, iter(reader)


def _history(value: Any) -> list[str] | None:
    """A history as item IDs; None where there is none."""
    if isinstance(value, str):
        value = value.strip()
        if value.startswith("["):
            try:
                value = json.loads(value)
            except ValueError:
                value = value.split()
        else:
            value = value.split()
    return [str(item) for item in value] if value else None

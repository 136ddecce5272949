"""`inspect`: what a dataset looks like, and what a score on it is worth."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.data.dataset import Dataset, load_dataset
from genrec.data.tables import open_parquet, read_table
from genrec.data.ties import tie_share
from genrec.errors import GenRecError
from genrec.evaluation.protocol import make_cases
from genrec.files import atomic_file, check_output
from genrec.ids import ITEM_ID, ITEMS_FILE, SEQUENCES_FILE, TIMESTAMPS
from genrec.inspection.audit import id_order, id_places, run_audit, source_numbers
from genrec.inspection.page import html_page
from genrec.inspection.statistics import describe_counts, describe_times, distinct_pairs, item_counts, top_share
from genrec.inspection.verdict import verdict
from genrec.progress import SILENT, Reporter

MOST_USERS = 50_000
"""Users of the audit unless the caller says otherwise: enough that a share is known to half a point."""


def inspect(
    dataset: str | Path,
    *,
    users: int | None = None,
    seed: int = 0,
    html: str | Path | None = None,
    force: bool = False,
    reporter: Reporter = SILENT,
) -> dict[str, Any]:
    """Describe a dataset and measure rules without a model on its test items.

    Args:
        dataset: The folder that `prepare` wrote.
        users: Audit a seeded sample of so many users; None takes all, or 50,000 of more.
        seed: Of the sample.
        html: A file to write the report to, as one self-contained page.
        force: Whether to replace that file.
        reporter: Receives progress.

    Returns:
        users, items, interactions, density, sparsity, lengths and popularity (min, median, mean, p90, max,
        histogram), top_item_share, tie_share, ties, repeat_share, times, audit (None where nobody has a test
        item), verdict (sentences), path, name, checksum, seconds.

    Raises:
        GenRecError: The dataset is missing or damaged, or the page cannot be written.
    """
    started = time.perf_counter()
    page = Path(html) if html else None
    if page:
        check_output(page, force)
    data = load_dataset(dataset)
    if not data.interaction_count:
        raise GenRecError(f"{dataset} has no interactions; prepare it from a log that has some")
    times = _times(data)
    result = _describe(data, times)
    result["audit"] = _audit(data, times, MOST_USERS if users is None else users, seed, reporter)
    result["verdict"] = verdict(result)
    result["seconds"] = time.perf_counter() - started
    if page:
        with atomic_file(page) as temporary:
            temporary.write_text(html_page(result), encoding="utf-8")
        result["html"] = str(page)
    return result


def _times(data: Dataset) -> NDArray[np.int64] | None:
    """int64 [interactions]: UTC microseconds, None where the dataset has none."""
    path = data.path / SEQUENCES_FILE
    if TIMESTAMPS not in open_parquet(path).schema_arrow.names:
        return None
    chunks = read_table(path, [TIMESTAMPS]).column(TIMESTAMPS).chunks
    return np.concatenate([np.asarray(chunk.flatten(), dtype=np.int64) for chunk in chunks])


def _describe(data: Dataset, times: NDArray[np.int64] | None) -> dict[str, Any]:
    counts = item_counts(data.sequences, data.item_count)
    pairs = distinct_pairs(data.sequences, data.item_count)
    density = pairs / (data.user_count * data.item_count)
    return {
        "path": str(data.path),
        "name": data.info.get("name", data.path.name),
        "checksum": data.checksum,
        "users": data.user_count,
        "items": data.item_count,
        "interactions": data.interaction_count,
        "density": density,
        "sparsity": 1 - density,
        "lengths": describe_counts(data.sequences.lengths),
        "popularity": describe_counts(counts),
        "top_item_share": top_share(counts),
        "ties": data.info.get("ties"),
        "tie_share": tie_share(data.sequences, times),
        "repeat_share": 1 - pairs / data.interaction_count,
        "times": describe_times(times),
    }


def _audit(
    data: Dataset, times: NDArray[np.int64] | None, users: int, seed: int, reporter: Reporter
) -> dict[str, Any] | None:
    if data.sequences.lengths.max() < 2:
        return None
    everybody = int((data.sequences.lengths >= 2).sum())
    cases = make_cases(data.sequences, "test", users, seed)
    ids = read_table(data.path / ITEMS_FILE, [ITEM_ID]).column(ITEM_ID)
    numbers = source_numbers(ids.to_pylist())
    return {
        "users": len(cases),
        "sampled": len(cases) < everybody,
        "seed": seed,
        "targets_in_history": cases.seen_share(),
        "id_order": id_order(cases, id_places(ids, numbers), times),
        "rules": run_audit(cases, data.item_count, numbers, reporter),
    }

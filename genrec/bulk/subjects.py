"""Whom to recommend to, as the model sees them: users and their histories by index."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from genrec.bulk.rows import CHUNK_ROWS, chunks, parquet_rows
from genrec.bulk.users_file import Requests, read_requests
from genrec.data.catalogue import Catalogue
from genrec.data.tables import damaged
from genrec.errors import GenRecError
from genrec.histories import Histories
from genrec.ids import ITEMS, SEQUENCES_FILE, UNKNOWN, USER_ID, USERS_FILE
from genrec.recommend import Model

Indexes = NDArray[np.int64]


@dataclass(frozen=True)
class Subjects:
    """Successive rows of the input."""

    first: int
    """Number of the first row, from 1."""
    ids: pa.Array
    """string [rows]: external IDs; null is a visitor."""
    users: Indexes
    """int64 [rows]: indexes in the model; 0 is unknown."""
    items: Indexes
    """int64 [items]: the histories, oldest first, one after the other."""
    lengths: Indexes
    """int64 [rows]: how many of the items are a row's."""
    unknown_items: int
    """Items of the histories that the model does not know, left out."""

    def histories(self, rows: Indexes) -> NDArray[np.int64]:
        """Histories of some rows as one matrix, int64 [rows, longest], filled up with zeros."""
        lengths = self.lengths[rows]
        starts = (np.cumsum(self.lengths) - self.lengths)[rows]
        matrix = np.zeros((len(rows), lengths.max(initial=0)), np.int64)
        matrix[np.arange(matrix.shape[1]) < lengths[:, None]] = _slices(self.items, starts, lengths)
        return matrix


def from_file(model: Model, path: Path, first: int, stop: int, rows: int = CHUNK_ROWS) -> Iterator[Subjects]:
    """Rows `first` to `stop` (from 0, exclusive) of a users file, at most `rows` together.

    Raises:
        GenRecError: The file cannot be read, or the model's tables are damaged.
    """
    return (_look_up(model, requests) for requests in read_requests(path, first, stop, rows))


def all_users(histories: Histories, first: int, stop: int, rows: int = CHUNK_ROWS) -> Iterator[Subjects]:
    """Users number `first` to `stop` (from 0, exclusive), at most `rows` together.

    Raises:
        GenRecError: The tables are missing or damaged.
    """
    folder = histories.source.folder
    users, sequences = folder / USERS_FILE, folder / SEQUENCES_FILE
    try:
        for table in chunks(parquet_rows(sequences, [ITEMS], first, stop), rows):
            end = first + table.num_rows
            ids = pa.Table.from_batches(parquet_rows(users, [USER_ID], first, end)).column(0)
            lists = table.column(0).combine_chunks()
            indexes = np.arange(first + 1, end + 1)
            lengths = np.asarray(pc.list_value_length(lists), np.int64)
            items = np.asarray(lists.flatten(), np.int64)
            yield _known(histories, first + 1, ids.combine_chunks(), indexes, items, lengths)
            first = end
    except (OSError, pa.ArrowException) as error:
        raise damaged(sequences, error) from error


def check_histories(source: Catalogue) -> None:
    """Refuse to go through all users where there are none.

    Raises:
        GenRecError: The folder was exported without users and histories.
    """
    if not source.has_histories:
        raise GenRecError(
            f"{source.folder} was exported without users and histories; "
            "give the dataset with --data DATASET, or --users-file FILE"
        )


def _look_up(model: Model, requests: Requests) -> Subjects:
    histories = model.histories
    source = histories.source
    users = source.user_indexes(requests.users) if source.has_histories else np.zeros_like(requests.lengths)
    given = model.catalogue.item_indexes(requests.items)
    own = (requests.lengths == 0) & (users > UNKNOWN)
    if not own.any():
        return _known(histories, requests.first, requests.users, users, given, requests.lengths)
    sequences = histories.sequences
    starts, ends = sequences.offsets[users[own] - 1], sequences.offsets[users[own]]
    lengths = requests.lengths.copy()
    lengths[own] = ends - starts
    items = np.empty(lengths.sum(), np.int64)
    is_own = np.repeat(own, lengths)
    items[is_own] = _slices(sequences.items, starts, ends - starts)
    items[~is_own] = given
    return _known(histories, requests.first, requests.users, users, items, lengths)


def _known(
    histories: Histories, first: int, ids: pa.Array, users: Indexes, items: Indexes, lengths: Indexes
) -> Subjects:
    """Subjects without what the model does not know."""
    kept = (items > UNKNOWN) & (items <= histories.item_count)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    return Subjects(
        first,
        ids,
        np.where(users <= histories.user_count, users, UNKNOWN),
        items[kept],
        np.bincount(rows[kept], minlength=len(lengths)),
        int(len(kept) - kept.sum()),
    )


def _slices(values: NDArray[np.integer], starts: Indexes, lengths: Indexes) -> NDArray[np.integer]:
    """Several slices of an array, one after the other."""
    before = np.cumsum(lengths) - lengths
    return values[np.repeat(starts - before, lengths) + np.arange(lengths.sum())]

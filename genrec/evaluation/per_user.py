"""A row per user and model: whom an evaluation asked about, and where the target stood."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from genrec.data.catalogue import Catalogue
from genrec.evaluation.metrics import Ranks
from genrec.evaluation.protocol import Cases
from genrec.files import atomic_file

SCHEMA: Final = pa.schema(
    {
        "model": pa.string(),
        "user": pa.string(),
        "history": pa.int32(),
        "target": pa.string(),
        "rank": pa.int32(),
    }
)
"""External IDs; `history` is its length, `rank` from 1, 0 where the target is not in the list."""

_GROUP_ROWS: Final = 1_000_000
"""Rows that are held together as text, a row group."""


def write_per_user(path: Path, catalogue: Catalogue, cases: Cases, ranks: Iterable[tuple[str, Ranks]]) -> None:
    """Write the rows of one model after the other, users ascending.

    Args:
        path: Parquet file; replaced if it is there.
        catalogue: Knows the external IDs of the users and items evaluated.
        cases: Who was evaluated.
        ranks: Per model its name and int64 [cases], the rank of each case's target.
    """
    with atomic_file(path) as temporary, pq.ParquetWriter(temporary, SCHEMA) as writer:
        for name, found in ranks:
            for batch in _rows(catalogue, cases, name, found):
                writer.write_batch(batch)


def _rows(catalogue: Catalogue, cases: Cases, name: str, ranks: Ranks) -> Iterator[pa.RecordBatch]:
    order = np.argsort(cases.users)
    for start in range(0, len(order), _GROUP_ROWS):
        places = order[start : start + _GROUP_ROWS]
        columns = [
            pa.repeat(name, len(places)),
            catalogue.user_ids(cases.users[places]),
            pa.array(cases.positions[places], pa.int32()),
            catalogue.item_ids(cases.targets[places]),
            pa.array(ranks[places], pa.int32()),
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=SCHEMA)

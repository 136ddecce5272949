"""Reading a range of a table's rows, a bounded number of bytes at a time."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

CHUNK_ROWS: Final = 16_384
"""Rows that are looked up and ordered by length together; a look-up scans the catalogue once per chunk."""

CHUNK_BYTES: Final = 64 << 20
"""Bytes of a chunk; one row may be larger."""


def parquet_rows(path: Path, columns: list[str], first: int, stop: int) -> Iterator[pa.RecordBatch]:
    """Rows `first` to `stop` (from 0, exclusive) of a Parquet file; other row groups are not read."""
    with pq.ParquetFile(path) as file:
        start = 0
        for number in range(file.metadata.num_row_groups):
            group = file.metadata.row_group(number)
            if start < stop and first < start + group.num_rows:
                row_bytes = 1 + group.total_byte_size // group.num_rows
                size = max(1, min(CHUNK_ROWS, CHUNK_BYTES // row_bytes))
                batches = file.iter_batches(size, row_groups=[number], columns=columns)
                yield from window(batches, first - start, stop - start)
            start += group.num_rows


def window(batches: Iterable[pa.RecordBatch], first: int, stop: int) -> Iterator[pa.RecordBatch]:
    """Rows `first` to `stop` (from 0, exclusive) of successive batches; reads none after them."""
    start = 0
    for batch in batches:
        if start >= stop:
            return
        skipped = max(0, first - start)
        if skipped < batch.num_rows:
            yield batch.slice(skipped, stop - start - skipped)
        start += batch.num_rows


def chunks(batches: Iterable[pa.RecordBatch], rows: int = CHUNK_ROWS) -> Iterator[pa.Table]:
    """Batches joined or cut, so that none has more than `rows` rows, or more than CHUNK_BYTES on the whole."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        for piece in _pieces(batch, rows):
            together = [*held, piece]
            if held and (_rows(together) > rows or sum(one.nbytes for one in together) > CHUNK_BYTES):
                yield pa.Table.from_batches(held)
                together = [piece]
            held = together
    if held:
        yield pa.Table.from_batches(held)


def _pieces(batch: pa.RecordBatch, rows: int) -> Iterator[pa.RecordBatch]:
    row_bytes = 1 + batch.nbytes // max(1, batch.num_rows)
    size = max(1, min(rows, CHUNK_BYTES // row_bytes))
    return (batch.slice(start, size) for start in range(0, batch.num_rows, size))


def _rows(batches: list[pa.RecordBatch]) -> int:
    return sum(batch.num_rows for batch in batches)

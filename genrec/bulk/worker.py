"""One process's share of the work: an open model that writes ranges of rows."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq

from genrec.bulk.job import Job
from genrec.bulk.parts import Folder, Shard
from genrec.bulk.ranking import SCHEMA, Rules, rank, to_table
from genrec.bulk.rows import CHUNK_ROWS
from genrec.bulk.subjects import Subjects, all_users, from_file
from genrec.files import atomic_file
from genrec.recommend import load

COUNTS = ("users", "known_users", "without_history", "unknown_items", "rows")
"""What a result counts."""

_CHUNK_CELLS = 4_000_000
"""Most recommendations in memory."""


class Worker:
    """Opens a job's model.

    Raises:
        GenRecError: The model, the data or a list of items is at fault.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.model = load(job.model, data=job.data, **job.opening)
        allowed, self.unknown_allow = self.model.allow_list(job.allow)
        banned, self.unknown_deny = self.model.item_list(job.deny)
        self.rules = Rules(job.k, job.include_seen, banned, allowed)

    @property
    def facts(self) -> dict[str, object]:
        """What the result says of the model."""
        return {
            "unknown_allow": self.unknown_allow,
            "unknown_deny": self.unknown_deny,
            "backend": self.model.scorer.backend,
            "provider": self.model.scorer.provider,
            "trouble": self.model.scorer.trouble,
        }

    def write_part(
        self, folder: Folder, shard: Shard, total: int, advance: Callable[[int], None] = lambda rows: None
    ) -> dict[str, int]:
        """Write one part of `total` rows; arguments and result as in `write`."""
        return self.write(folder.path / shard.name, *shard.rows(total), advance, folder)

    def write(
        self, output: Path, first: int, stop: int, advance: Callable[[int], None], folder: Folder | None = None
    ) -> dict[str, int]:
        """Write the recommendations for rows `first` to `stop` (from 0, exclusive) to a Parquet file.

        Args:
            output: The file, which comes into being at the end.
            first: The first row.
            stop: The end.
            advance: Is told how many rows more are done.
            folder: What the file is a part of.

        Returns:
            COUNTS of these rows.

        Raises:
            GenRecError: The input cannot be read.
        """
        counts = Counter(dict.fromkeys(COUNTS, 0))
        with atomic_file(output) as temporary, pq.ParquetWriter(temporary, SCHEMA) as writer:
            for subjects in self._subjects(first, stop):
                ranked = rank(self.model.scorer, subjects, self.rules, advance)
                table = to_table(self.model.catalogue, subjects, ranked)
                writer.write_table(table)
                counts["users"] += len(subjects.lengths)
                counts["known_users"] += int((subjects.users > 0).sum())
                counts["without_history"] += int((subjects.lengths == 0).sum())
                counts["unknown_items"] += subjects.unknown_items
                counts["rows"] += table.num_rows
            if folder:
                writer.add_key_value_metadata(folder.metadata(counts))
        return dict(counts)

    def _subjects(self, first: int, stop: int) -> Iterator[Subjects]:
        rows = max(1, min(CHUNK_ROWS, _CHUNK_CELLS // self.job.k))
        if self.job.users_file is None:
            return all_users(self.model.histories, first, stop, rows)
        return from_file(self.model, self.job.users_file, first, stop, rows)

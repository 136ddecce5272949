"""A result in parts: files of one folder that are written one by one, recognised when finished, and read as one.

A part's Parquet metadata tells what it depends on (see `Job.fingerprint`) and what was counted. Unfinished parts
have hidden names, which whatever reads the folder passes over.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from genrec.errors import GenRecError
from genrec.leftovers import clear_leftovers

_KEY: Final = b"genrec"
_PARTS: Final = "parts"


@dataclass(frozen=True)
class Shard:
    """Part `number` (from 1) of `count`.

    >>> Shard.parse("2/4").name
    'part-00002-of-00004.parquet'
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read "i/n".

        Raises:
            GenRecError: It is something else, or i is not in 1..n.
        """
        match = re.fullmatch(r"([0-9]{1,5})/([0-9]{1,5})", text.strip())
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            raise GenRecError(f"{text!r} is no shard; give i/n with i from 1 to n, 2/8 say")
        return cls(int(match[1]), int(match[2]))

    @property
    def name(self) -> str:
        """The part's file; names sort in the order of the rows."""
        return f"part-{self.number:05d}-of-{self.count:05d}.parquet"

    def rows(self, total: int) -> tuple[int, int]:
        """First row (from 0) and end of the part.

        >>> [Shard(number, 3).rows(7) for number in (1, 2, 3)]
        [(0, 2), (2, 4), (4, 7)]
        """
        return total * (self.number - 1) // self.count, total * self.number // self.count


@dataclass(frozen=True)
class Folder:
    """Where the parts go.

    Attributes:
        path: The folder.
        fingerprint: What the parts depend on.
        count: Into how many parts the rows are divided.
    """

    path: Path
    fingerprint: dict[str, Any]
    count: int

    def prepare(self, force: bool) -> dict[int, dict[str, int]]:
        """Make the folder, or look what it holds; what killed processes left of parts is cleared.

        Args:
            force: Delete parts of other settings.

        Returns:
            What the finished parts counted, by their numbers.

        Raises:
            GenRecError: The folder is a file, or holds a Parquet file that is no part of this result.
        """
        if self.path.exists() and not self.path.is_dir():
            raise GenRecError(f"{self.path} is a file; parts go to a folder, choose another output")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise GenRecError(f"cannot create the folder {self.path}: {error.strerror}") from error
        finished = {}
        for path in sorted(self.path.glob("*.parquet")):
            if path.name.startswith("."):
                continue
            if counts := self._finished(path, force):
                finished[int(path.name.split("-")[1])] = counts
        for number in range(1, self.count + 1):
            if number not in finished:
                clear_leftovers(self.path / Shard(number, self.count).name)
        return finished

    def metadata(self, counts: dict[str, int]) -> dict[str, str]:
        """What a part's file tells of itself."""
        return {_KEY.decode(): json.dumps({**self._marks(), "counts": counts})}

    def _marks(self) -> dict[str, Any]:
        return {**self.fingerprint, _PARTS: self.count}

    def _finished(self, path: Path, force: bool) -> dict[str, int] | None:
        """What a part counted; None where it was another's, and deleted."""
        found = _read_metadata(path)
        if found is None:
            raise GenRecError(
                f"{path} is damaged or no part of recommendations, and would be read as one; delete it, or choose "
                "another output"
            )
        counts = found.pop("counts", {})
        marks = self._marks()
        differing = [name for name in marks if found.get(name) != marks[name]]
        if not differing:
            return counts
        if not force:
            raise GenRecError(
                f"{path} was made with other settings ({', '.join(differing)}); "
                "choose another output, or replace it with --force"
            )
        path.unlink(missing_ok=True)
        return None


def _read_metadata(path: Path) -> dict[str, Any] | None:
    try:
        text = (pq.read_metadata(path).metadata or {}).get(_KEY)
        found = json.loads(text) if text else None
    except (OSError, pa.ArrowException, ValueError):
        return None
    return found if isinstance(found, dict) else None

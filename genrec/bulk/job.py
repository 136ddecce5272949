"""What is to be recommended to whom."""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genrec.bulk.subjects import check_histories
from genrec.bulk.users_file import count_rows, quick_count
from genrec.data.catalogue import Catalogue
from genrec.errors import GenRecError
from genrec.files import sha256
from genrec.folders import BUNDLE, DATASET, RUN, require_kind
from genrec.ids import DATASET_FILE, MANIFEST_FILE, RUN_FILE
from genrec.recommend import check_k

END = sys.maxsize
"""The end of a file whose rows are not counted."""


@dataclass(frozen=True)
class Job:
    """Recommendations for many, described by paths, so that any machine that sees these can do a part.

    Attributes:
        model: Folder of a run or a bundle.
        users_file: A CSV, TSV or Parquet file with a column `user`, `history` or both. A history is a list, its
            JSON, or IDs separated by spaces, oldest first; it stands in place of the user's own. Unknown users
            and visitors get lists too. None: all users of the model or of `data`.
        data: A dataset that extends the model's, for newer histories.
        opening: What else `genrec.load` is to know (device).
        k: Length of the lists.
        include_seen: Whether items of the history may be recommended.
        allow: External IDs of the only items to recommend.
        deny: External IDs of items to leave out.
    """

    model: Path
    users_file: Path | None = None
    data: Path | None = None
    opening: Mapping[str, Any] = field(default_factory=dict)
    k: int = 10
    include_seen: bool = False
    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] | None = None

    @property
    def inputs(self) -> list[Path]:
        """All that is read."""
        return [path for path in (self.model, self.data, self.users_file) if path]

    def check(self) -> None:
        """Refuse what cannot work before anything large is opened.

        Raises:
            GenRecError: A folder or file is missing or of another kind, or k makes no sense.
        """
        check_k(self.k)
        require_kind(self.model, RUN, BUNDLE)
        if self.data is not None:
            require_kind(self.data, DATASET)
        if self.users_file is None:
            check_histories(self._source())
        elif not self.users_file.exists():
            raise GenRecError(f"the users file {self.users_file} does not exist")

    def count(self) -> int:
        """Rows of the input."""
        return self._source().user_count if self.users_file is None else count_rows(self.users_file)

    def quick_count(self) -> int | None:
        """Rows of the input where that is known without reading it."""
        return self._source().user_count if self.users_file is None else quick_count(self.users_file)

    def fingerprint(self) -> dict[str, Any]:
        """What the results depend on, by content: equal wherever the files lie."""
        model = self.model / (MANIFEST_FILE if (self.model / MANIFEST_FILE).is_file() else RUN_FILE)
        return {
            "model": sha256(model),
            "data": None if self.data is None else sha256(self.data / DATASET_FILE),
            "users": "all" if self.users_file is None else sha256(self.users_file),
            "k": self.k,
            "include_seen": self.include_seen,
            "allow": _digest(self.allow),
            "deny": _digest(self.deny),
        }

    def _source(self) -> Catalogue:
        return Catalogue(self.data or self.model)


def _digest(ids: tuple[str, ...] | None) -> str | None:
    return None if ids is None else hashlib.sha256(json.dumps(ids).encode()).hexdigest()

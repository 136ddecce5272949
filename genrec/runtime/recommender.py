"""A bundle's recommender: item indexes in, ranked item indexes and scores out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.errors import GenRecError
from genrec.files import read_json, verify_files
from genrec.folders import BUNDLE, require_kind
from genrec.ids import ITEMS_FILE, MANIFEST_FILE, RECOMMENDER_FILE, TABLE_FILES
from genrec.runtime.sessions import open_session

Rows = Sequence[Sequence[int] | NDArray[Any]]
"""Lists of item indexes, one per user."""

_NEEDED = ("files", "k", "item_count", "user_count")


class Recommender:
    """Runs a bundle's recommender.onnx.

    Args:
        bundle: Folder that `genrec export` wrote.
        device: "auto", "cpu" or "cuda".
        threads: Threads of an operator on the CPU; by default the cores that this process may use.
        verify: Whether to compare the graph and the tables with the manifest's checksums.

    Raises:
        GenRecError: The folder is no bundle, is damaged or of a newer genrec, or the device does not work.
    """

    backend = "onnxruntime"

    def __init__(
        self, bundle: Path | str, device: str = "auto", threads: int | None = None, verify: bool = True
    ) -> None:
        self.path = Path(bundle)
        self.manifest = read_manifest(self.path)
        if verify:
            verify_files(self.path, _used(self.manifest["files"]))
        self.k: int = self.manifest["k"]
        self.session, self.provider, self.trouble = open_session(self.path / RECOMMENDER_FILE, device, threads)

    def score(
        self,
        history: Rows,
        users: Sequence[int] | NDArray[Any],
        exclude_seen: bool = True,
        banned: Rows | None = None,
        allowed: Rows | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Recommend to a batch of users.

        Args:
            history: Per user item indexes, oldest first.
            users: Per user the index; 0 is an unknown user.
            exclude_seen: Whether to keep the items of the history out.
            banned: Per user items to keep out.
            allowed: Per user the only items to return; an empty list allows all.

        Returns:
            Items int64 and scores float32 (log-probabilities), both [batch, k], best first; (0, -inf) where
            fewer than k items are allowed.
        """
        batch = len(users)
        items, scores = self.session.run(
            ["items", "scores"],
            {
                "history": pad(history, batch),
                "user": np.asarray(users, dtype=np.int64),
                "exclude_seen": np.asarray(exclude_seen, dtype=np.bool_),
                "banned": pad(banned, batch),
                "allowed": pad(allowed, batch),
            },
        )
        return items, scores


def pad(rows: Rows | None, batch: int) -> NDArray[np.int64]:
    """Lists of item indexes as one matrix, int64 [batch, longest], filled up with zeros.

    >>> pad([[5], [6, 7]], 2).tolist()
    [[5, 0], [6, 7]]
    """
    rows = rows if rows is not None else [()] * batch
    if len(rows) != batch:
        raise GenRecError(f"{len(rows)} lists were given for {batch} users; give one list per user")
    matrix = np.zeros((batch, max(map(len, rows), default=0)), dtype=np.int64)
    for line, row in zip(matrix, rows, strict=True):
        line[: len(row)] = row
    return matrix


def read_manifest(bundle: Path) -> dict[str, Any]:
    """What a bundle says of itself.

    Raises:
        GenRecError: The folder is no bundle, or its manifest is damaged or of a newer genrec.
    """
    require_kind(bundle, BUNDLE)
    manifest = read_json(bundle / MANIFEST_FILE)
    missing = [name for name in _NEEDED if name not in manifest]
    if missing or not isinstance(manifest["files"], dict):
        raise GenRecError(
            f"{bundle / MANIFEST_FILE} is damaged: it lacks {', '.join(missing) or 'its list of files'}; "
            "export the bundle again"
        )
    for name in (RECOMMENDER_FILE, ITEMS_FILE):
        if name not in manifest["files"]:
            raise GenRecError(f"{bundle / MANIFEST_FILE} is damaged: it does not list {name}; export again")
    return manifest


def _used(files: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The entries of the files that are read: checking Optimum's graphs too would double the start-up time."""
    return {
        name: entry for name, entry in files.items() if name in TABLE_FILES or name.startswith(RECOMMENDER_FILE)
    }

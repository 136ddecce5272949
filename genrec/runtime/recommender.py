"""A bundle's recommender: item indexes in, ranked item indexes and scores out."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.errors import GenRecError
from genrec.files import read_json, verify_files, verify_sizes
from genrec.folders import BUNDLE, require_kind
from genrec.ids import ITEMS_FILE, MANIFEST_FILE, RECOMMENDER_FILE, TABLE_FILES
from genrec.placement import Placement
from genrec.runtime.binding import run_bound
from genrec.runtime.providers import CPU, TENSORRT
from genrec.runtime.sessions import open_session
from genrec.scoring import Ranked, Rows, nothing, pad

_QUICK_BYTES = 16_000_000
"""Size of a file whose checksum is a matter of milliseconds."""

_NUMBERS = ("k", "item_count", "user_count")


class Recommender:
    """Runs a bundle's recommender.onnx; a `genrec.scoring.Scorer`.

    Args:
        bundle: Folder that `genrec export` wrote.
        device: "auto", "cpu" or "cuda".
        provider: "auto", "tensorrt", "cuda" or "cpu"; TensorRT builds its engines at the first runs, for minutes,
            and keeps them in the user's cache, from where "auto" takes them later.
        threads: Threads of an operator on the CPU; by default the cores that this process may use.
        verify: Whether to compare the graph and the tables with the manifest's checksums.

    Attributes:
        manifest: What manifest.json says.
        k: Length of the longest list it can return.
        provider: The execution provider that really runs.
        trouble: Why that is not a better one, and what to do; None where nothing better was in reach.

    Raises:
        GenRecError: The folder is no bundle, is damaged or of a newer genrec, or the device or provider does not
            work.
    """

    backend = "onnxruntime"

    def __init__(
        self,
        bundle: Path | str,
        device: str = "auto",
        provider: str = "auto",
        threads: int | None = None,
        verify: bool = True,
    ) -> None:
        self.path = Path(bundle)
        self.manifest = read_manifest(self.path)
        if verify:
            _verify(self.path, self.manifest["files"])
        graph = self.path / RECOMMENDER_FILE
        checksum = self.manifest["files"][RECOMMENDER_FILE]["sha256"]
        self.session, self.provider, self.trouble = open_session(
            graph, Placement(device, provider, threads), checksum
        )
        self.k: int = self.manifest["k"]

    def __call__(
        self,
        history: Rows,
        users: Sequence[int] | NDArray[Any],
        exclude_seen: bool = True,
        banned: Rows | None = None,
        allowed: Rows | None = None,
        k: int | None = None,
    ) -> Ranked:
        """Recommend to a batch of users; arguments and result as in `genrec.scoring.Scorer.__call__`.

        Raises:
            GenRecError: `k` is larger than the bundle's own.
        """
        if k is not None and k > self.k:
            raise GenRecError(
                f"k is {k}, but {self.path} returns at most {self.k} items; "
                f"export the run again with --k {k}, or recommend from the run itself"
            )
        batch = len(users)
        if not batch:
            return nothing(k or self.k)
        lists = {"history": pad(history, batch), "banned": pad(banned, batch), "allowed": pad(allowed, batch)}
        if self.provider == TENSORRT:
            lists = {name: _few_widths(matrix) for name, matrix in lists.items()}
        feed = {
            **lists,
            "user": np.asarray(users, dtype=np.int64),
            "exclude_seen": np.asarray(exclude_seen, dtype=np.bool_),
        }
        # On the CPU there is nothing to copy, and binding costs 0.03 ms of a small model's 0.9.
        run = self.session.run if self.provider == CPU else partial(run_bound, self.session, "cuda")
        items, scores = run(["items", "scores"], feed)
        return items[:, :k], scores[:, :k]

    def warm_up(self, batch_sizes: Sequence[int] = (1,)) -> None:
        """Run each batch size with the shortest and the longest history, so that no request pays for a first run.

        A first run takes memory from the system; on TensorRT it builds engines, which then serve all sizes between
        the smallest and the largest of these.
        """
        for batch in batch_sizes:
            for length in (1, self.manifest["max_length"]):
                self(np.ones((batch, length), np.int64), np.zeros(batch, np.int64))


def _few_widths(matrix: NDArray[np.int64]) -> NDArray[np.int64]:
    """A matrix with zeros added up to a width that is a power of two: TensorRT builds an engine per new width."""
    width = 1 << max(0, matrix.shape[1] - 1).bit_length()
    return np.pad(matrix, ((0, 0), (0, width - matrix.shape[1])))


def read_manifest(bundle: Path) -> dict[str, Any]:
    """What a bundle says of itself.

    Raises:
        GenRecError: The folder is no bundle, or its manifest is damaged or of a newer genrec.
    """
    require_kind(bundle, BUNDLE)
    path = bundle / MANIFEST_FILE
    manifest = read_json(path)
    faults = [f"{name} is {manifest.get(name)!r}" for name in _NUMBERS if not isinstance(manifest.get(name), int)]
    files = manifest.get("files")
    if not isinstance(files, dict) or not {RECOMMENDER_FILE, ITEMS_FILE} <= set(files):
        faults.append(f"it does not list {RECOMMENDER_FILE} and {ITEMS_FILE}")
    elif not all(isinstance(entry, dict) and {"sha256", "bytes"} <= set(entry) for entry in files.values()):
        faults.append("a file's size or checksum is missing")
    if faults:
        raise GenRecError(f"{path} is damaged: {'; '.join(faults)}; export the bundle again")
    return manifest


def _verify(folder: Path, files: dict[str, dict[str, Any]]) -> None:
    """Check every file; a large one that is not read here (of Optimum's) by its size alone, to start quickly."""
    read = {name for name in files if name in TABLE_FILES or name.startswith(RECOMMENDER_FILE)}
    small = {name for name, entry in files.items() if entry["bytes"] <= _QUICK_BYTES}
    verify_files(folder, {name: files[name] for name in sorted(read | small)})
    verify_sizes(folder, files)

"""A bundle's recommender: item indexes in, ranked item indexes and scores out."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.batching import score_many
from genrec.errors import GenRecError
from genrec.ids import RECOMMENDER_FILE
from genrec.placement import Placement
from genrec.runtime.binding import run_bound
from genrec.runtime.integrity import check_graph, read_manifest, verify_bundle
from genrec.runtime.lanes import NARROW, Lanes
from genrec.runtime.providers import CPU, TENSORRT
from genrec.runtime.sessions import open_session
from genrec.runtime.threads import usable_cores
from genrec.scoring import Ranked, Rows, batch_users, item_batch_users, nothing, pad


class Recommender:
    """Runs a bundle's recommender.onnx; a `genrec.scoring.Scorer`.

    Args:
        bundle: Folder that `genrec export` wrote.
        device: "auto", "cpu" or "cuda".
        provider: "auto", "tensorrt", "cuda" or "cpu"; TensorRT builds its engines at the first runs, for minutes,
            and keeps them in the user's cache, from where "auto" takes them later.
        threads: Threads on the CPU, of an operator or of a narrow model's batch; by default the cores that this
            process may use.
        verify: Whether to compare the graph and the tables with the manifest's checksums.

    Attributes:
        manifest: What manifest.json says.
        k: Length of the longest list it can return.
        provider: The execution provider that really runs.
        trouble: Why that is not a better one, and what to do; None where nothing better was in reach.
        batch_users: Most users that it should be given together.

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
            verify_bundle(self.path, self.manifest)
        graph = self.path / RECOMMENDER_FILE
        checksum = self.manifest["files"][RECOMMENDER_FILE]["sha256"]
        narrow = self.manifest["d_model"] <= NARROW
        placement = Placement(device, provider, threads)
        self.session, self.provider, self.trouble = open_session(graph, placement, checksum, single=narrow)
        check_graph(self.session, self.manifest, graph)
        self._lanes = Lanes(self.session, (threads or usable_cores()) if narrow else 1)
        self.k: int = self.manifest["k"]
        self.batch_users = batch_users(self.provider == CPU, self.manifest["d_model"])
        if self.manifest["beams"] is None or self.manifest.get("item_share"):  # every item is scored
            self.batch_users = item_batch_users(self.manifest["item_count"], self.batch_users)

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
        run = self._lanes.run if self.provider == CPU else partial(run_bound, self.session, "cuda")
        items, scores = run(["items", "scores"], feed)
        return items[:, :k], scores[:, :k]

    def many(self, history: Rows, users: Sequence[int] | NDArray[Any], **rules: Any) -> Ranked:
        """Recommend to any number of users, in batches of similar length; `rules` as `__call__` takes them."""
        return score_many(self, history, users, **rules)

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

"""A bundle's recommender: item indexes in, ranked item indexes and scores out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.errors import GenRecError
from genrec.ids import RECOMMENDER_FILE
from genrec.runtime.integrity import check_graph, read_manifest, verify_bundle
from genrec.runtime.sessions import open_session
from genrec.scoring import Ranked, Rows, nothing, pad


class Recommender:
    """Runs a bundle's recommender.onnx; a `genrec.scoring.Scorer`.

    Args:
        bundle: Folder that `genrec export` wrote.
        device: "auto", "cpu" or "cuda".
        threads: Threads of an operator on the CPU; by default the cores that this process may use.
        verify: Whether to compare the graph and the tables with the manifest's checksums.

    Attributes:
        manifest: What manifest.json says.
        k: Length of the longest list it can return.
        provider: The execution provider that really runs.
        trouble: Why that is not a better one; None where nothing better was in reach.

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
            verify_bundle(self.path, self.manifest)
        graph = self.path / RECOMMENDER_FILE
        self.session, self.provider, self.trouble = open_session(graph, device, threads)
        check_graph(self.session, self.manifest, graph)
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
        feed = {
            "history": pad(history, batch),
            "user": np.asarray(users, dtype=np.int64),
            "exclude_seen": np.asarray(exclude_seen, dtype=np.bool_),
            "banned": pad(banned, batch),
            "allowed": pad(allowed, batch),
        }
        items, scores = self.session.run(["items", "scores"], feed)
        return items[:, :k], scores[:, :k]

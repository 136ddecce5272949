"""Narrow models on the CPU: a thread for each part of a batch, as an operator's would wait for each other."""

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

NARROW = 128
"""Greatest width (d_model) of such a model: on two cores, parts of a batch are a sixth faster there, and a single
request is as fast on one thread."""

LEAST_ROWS = 8
"""Fewest rows of a part."""


class Lanes:
    """Runs a session of one thread several times at once.

    Args:
        session: Of onnxruntime, with one thread.
        threads: Most parts of a batch.
    """

    def __init__(self, session: Any, threads: int) -> None:
        self.session, self.threads = session, threads

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.threads - 1, thread_name_prefix="genrec")

    def run(self, names: list[str], feed: dict[str, Any]) -> list[Any]:
        """As `InferenceSession.run`; what has no dimension goes to every part."""
        batch = len(feed["user"])
        parts = min(self.threads, batch // LEAST_ROWS)
        if parts < 2:
            return self.session.run(names, feed)
        edges = [batch * part // parts for part in range(parts + 1)]
        feeds = [
            {name: array[first:stop] if array.ndim else array for name, array in feed.items()}
            for first, stop in pairwise(edges)
        ]
        others = [self._pool.submit(self.session.run, names, part) for part in feeds[1:]]
        results = [self.session.run(names, feeds[0]), *(other.result() for other in others)]
        return [np.concatenate(columns) for columns in zip(*results, strict=True)]

"""Halves of a batch learned at once on the CPU, each by a thread with half of the cores.

Many operations of a step are too small to be divided among cores, or are not divided at all; two halves side by
side keep the cores busy. Each half draws its dropout from a seed of its own, so it matters not who was first.
"""

import ctypes
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from genrec.model.learning import seeded

LANES = 2
"""Two gradients have the same sum in either order, three have not."""

_LEAST_WIDTH = 96
"""Width of the model from which its operations are long enough for Python not to stand in the way."""

_LEAST_ROWS = 16
"""Examples of a batch that is worth halving."""

_M_ARENA_MAX = -8
"""Of glibc's malloc.h."""

Inputs = dict[str, Tensor]


def _share_one_heap() -> None:
    """Let threads allocate from one heap: with one each, glibc keeps twice as much memory."""
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        library.mallopt(_M_ARENA_MAX, 1)


class Lanes:
    """Runs halves of a batch.

    Args:
        threads: Of torch, to be shared out.
    """

    def __init__(self, threads: int) -> None:
        self.threads, self.each = threads, max(1, threads // LANES)
        _share_one_heap()
        self.pool = ThreadPoolExecutor(LANES, "lane", lambda: torch.set_num_threads(self.each))

    @staticmethod
    def pay(width: int, device: torch.device) -> bool:
        """Whether halves side by side are quicker than a whole batch."""
        return device.type == "cpu" and torch.get_num_threads() >= LANES and width >= _LEAST_WIDTH

    @staticmethod
    def fit(inputs: Inputs) -> bool:
        """Whether a batch is large enough."""
        return len(inputs["labels"]) >= _LEAST_ROWS

    def __call__(self, learn: Callable[[Inputs], Tensor], inputs: Inputs) -> Tensor:
        """Let `learn`, which adds to the gradients, have every half; the sum of its losses."""
        seeds = torch.randint(2**62, (LANES,)).tolist()

        def half(lane: int) -> Tensor:
            with seeded(seeds[lane]):
                return learn({name: values[lane::LANES] for name, values in inputs.items()})

        torch.set_num_threads(self.each)
        try:
            return torch.stack(list(self.pool.map(half, range(LANES)))).sum()
        finally:
            torch.set_num_threads(self.threads)

    def close(self) -> None:
        """End the threads."""
        self.pool.shutdown()

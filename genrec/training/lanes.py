"""Parts of a batch on the CPU: halves learned at once, each by a thread with half of the cores, and pieces.

Many operations of a step are too small to be divided among cores, or are not divided at all; two halves side by
side keep the cores busy. Each half draws its dropout from a seed of its own, so it matters not who was first.
Where the examples of a half differ much in length, it is cut into pieces that each have little padding. A narrow
model learns whole batches, but for long examples: they come in pieces that memory bears.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from genrec import ranks
from genrec.config import TrainConfig
from genrec.model.inputs import EncoderInputs
from genrec.model.learning import seeded
from genrec.training.heap import share_one_heap

LANES = 2
"""Two gradients have the same sum in either order, three have not."""

_LEAST_WIDTH = 96
"""Width of the model from which its operations are long enough for Python not to stand in the way of halves."""

_LEAST_ROWS = 16
"""Examples of a batch that is worth halving."""

Inputs = dict[str, Tensor]


class Cut(NamedTuple):
    """How rows are cut into pieces; each piece more sums up all gradients once more."""

    most: int
    """Positions of a piece, which bounds the memory that long examples need."""
    saved: int
    """Positions of padding that another piece must save; its operations cost about half as much to start."""


HALVES = Cut(2048, 128)
WHOLE = Cut(16384, 1024)
"""Of a narrow model's batch."""


class Lanes:
    """Runs parts of a batch.

    Args:
        threads: Of torch, to be shared out; with one there are no halves, but pieces.
        narrow: Whether the model is, so that there are but pieces, and those of long examples alone.
    """

    def __init__(self, threads: int, narrow: bool = False) -> None:
        self.cut = WHOLE if narrow else HALVES
        self.least = self.cut.most + 1 if narrow else 0
        self.count = 1 if narrow else min(LANES, threads)
        self.threads, self.each = threads, threads // self.count
        if self.count > 1:
            share_one_heap()
        self.pool = ThreadPoolExecutor(self.count, "lane", lambda: torch.set_num_threads(self.each))

    def fit(self, inputs: Inputs) -> bool:
        """Whether a batch is large enough."""
        return len(inputs["labels"]) >= _LEAST_ROWS and inputs["attention_mask"].numel() >= self.least

    def __call__(self, loss_of: Callable[[Inputs], Tensor], inputs: Inputs, weights: Sequence[Tensor]) -> Tensor:
        """Add the gradients of a batch; the sum of its losses.

        Args:
            loss_of: The loss of some rows, of which that of the batch is the sum.
            inputs: The batch.
            weights: Whatever learns.
        """
        seeds = torch.randint(2**62, (self.count,)).tolist()
        lengths = inputs["attention_mask"].sum(1)
        order = lengths.argsort(stable=True)
        parts = [pieces(order[lane :: self.count], lengths, self.cut) for lane in range(self.count)]
        whole = all(len(part) == 1 for part in parts)

        def half(lane: int) -> tuple[Tensor, list[Tensor | None]]:
            with seeded(seeds[lane]):
                rows = (_piece(inputs, part, lengths) for part in parts[lane])
                return _learn(loss_of, next(rows)) if whole else _sum_up(loss_of, rows, weights)

        torch.set_num_threads(self.each)
        try:
            found = list((self.pool.map if self.count > 1 else map)(half, range(self.count)))
        finally:
            torch.set_num_threads(self.threads)
        for _, gradients in found:
            for weight, gradient in zip(weights, gradients, strict=False):
                weight.grad = _added(weight.grad, gradient)
        return torch.stack([loss for loss, _ in found]).sum()

    def most_examples(self, length: int) -> int:
        """How many examples of a length are computed at once, at most."""
        return self.count * max(1, self.cut.most // length)

    def close(self) -> None:
        """End the threads."""
        self.pool.shutdown()


def _learn(loss_of: Callable[[Inputs], Tensor], rows: Inputs) -> tuple[Tensor, list[Tensor | None]]:
    """Add the gradients where they belong: whichever half is first, a sum of two is the same."""
    loss = loss_of(rows)
    loss.backward()
    return loss.detach(), []


def _sum_up(
    loss_of: Callable[[Inputs], Tensor], rows: Iterable[Inputs], weights: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor | None]]:
    """Losses and gradients of a half, piece by piece: a sum of three depends on the order."""
    losses: list[Tensor] = []
    gradients: list[Tensor | None] = [None] * len(weights)
    for piece in rows:
        loss = loss_of(piece)
        found = torch.autograd.grad(loss, weights, allow_unused=True)
        gradients = [_added(total, gradient) for total, gradient in zip(gradients, found, strict=True)]
        losses.append(loss.detach())
    return torch.stack(losses).sum(), gradients


def _added(total: Tensor | None, gradient: Tensor | None) -> Tensor | None:
    if total is None or gradient is None:
        return gradient if total is None else total
    return total + gradient if total.is_sparse or gradient.is_sparse else total.add_(gradient)


@contextmanager
def lanes_for(config: TrainConfig, width: int, device: torch.device) -> Iterator[Lanes | None]:
    """Lanes where batches are learned in parts, else None; their threads end with the block.

    Args:
        config: The run's settings.
        width: Of the model.
        device: Where it learns.
    """
    alone = ranks.world_size() == config.gradient_accumulation == 1
    whole = config.precision == "bf16" or config.torch_compile  # each lane would round or trace all anew
    if whole or not alone or not joins(config) or device.type != "cpu":
        yield None
        return
    lanes = Lanes(torch.get_num_threads(), narrow=width < _LEAST_WIDTH)
    try:
        yield lanes
    finally:
        lanes.close()


def joins(config: TrainConfig) -> bool:
    """Whether the pass of `genrec.model.learning` is taken: checkpointing looks into Hugging Face's layers."""
    return not config.gradient_checkpointing


def pieces(rows: Tensor, lengths: Tensor, cut: Cut = HALVES) -> list[Tensor]:
    """Cut rows (int64 [n], by ascending length) where that saves most padding, and into what memory bears."""
    sizes = lengths[rows]
    if len(rows) < 2:
        return [rows]
    saved = (sizes[-1] - sizes[:-1]) * torch.arange(1, len(rows))
    best = int(saved.argmax())
    if saved[best] < cut.saved:
        if len(rows) * int(sizes[-1]) <= cut.most:
            return [rows]
        best = len(rows) // 2 - 1
    return [*pieces(rows[: best + 1], lengths, cut), *pieces(rows[best + 1 :], lengths, cut)]


def _piece(inputs: Inputs, rows: Tensor, lengths: Tensor) -> Inputs:
    """Some rows of a batch, as long as the longest of them."""
    longest = int(lengths[rows[-1]])
    widths = dict.fromkeys(EncoderInputs._fields, longest)
    if inputs["labels"].dim() == 3:  # a label for each item, of which the input leaves the last out
        widths |= {"labels": longest - 1, "target_items": longest - 1}
    return {
        name: values[rows][:, : widths[name]] if name in widths else values[rows]
        for name, values in inputs.items()
    }

"""Batches of examples of similar length, shuffled anew each epoch, and their tensors."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from genrec.data.draws import uniform
from genrec.indexing.tokens import TokenScheme
from genrec.model.inputs import InputBuilder
from genrec.model.modeling import IGNORED
from genrec.training.examples import Examples, Ints, PrefixWindows

POOL_BATCHES = 50
"""Batches' worth of shuffled examples that are sorted by length together: little padding, much shuffling."""

LEAST_BATCH = 32
"""What batches are not halved below."""

Place = tuple[int, int]
"""(epoch, example); a filler, which stands where a batch has no example left, is ~example, a negative number."""


class Places(Dataset[Place]):
    """Hands each (epoch, example) on to the collator, which gathers a whole batch at once."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, place: Place) -> Place:
        return place

    def __getitems__(self, places: list[Place]) -> list[Place]:
        """A batch at once; see `torch.utils.data.Dataset`."""
        return places


class Share(NamedTuple):
    """How a step's examples are divided.

    Attributes:
        rank: This process.
        processes: Their number.
        parts: Parts that a process computes one after the other.
    """

    rank: int = 0
    processes: int = 1
    parts: int = 1


WHOLE = Share()
"""One process computes a step at once."""


def halved(batch_size: int, examples: int, least_steps: int) -> int:
    """Halve a batch until an epoch has its steps, though not below `LEAST_BATCH`.

    >>> halved(1024, 10_000, 100), halved(1024, 500, 100), halved(1024, 500, 0)
    (64, 32, 1024)
    """
    while batch_size // 2 >= LEAST_BATCH and -(-examples // batch_size) < least_steps:
        batch_size //= 2
    return batch_size


class LengthGroupedBatches(Sampler[list[Place]]):
    """Batches of (epoch, example); the order depends on seed and epoch alone.

    A step's batch is the same however it is divided among processes and parts. Where it cannot be divided evenly,
    its first example fills the gaps and has no label there: any other would show a row of the ID tables that the
    step does not learn, which an optimiser of sparse rows would move.

    Args:
        lengths: int64 [examples].
        batch_size: Examples in a step; fewer where an epoch would else lack steps.
        per_epoch: Most examples of an epoch, another sample each time; 0 takes all.
        seed: The run's seed.
        share: What of each step is this process's.
        least_steps: Of an epoch, for which batches are halved.
    """

    def __init__(
        self,
        lengths: Ints,
        batch_size: int,
        per_epoch: int,
        seed: int,
        share: Share = WHOLE,
        least_steps: int = 0,
    ) -> None:
        self.lengths, self.seed, self.share = lengths, seed, share
        self.size = min(per_epoch or len(lengths), len(lengths))
        self.batch_size = halved(batch_size, self.size, least_steps)
        self.epoch = 0

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return -(-self.size // self.batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration draws."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.steps * self.share.parts

    def __iter__(self) -> Iterator[list[Place]]:
        rank, processes, parts = self.share
        for batch in self.whole_batches(self.epoch):
            even = np.pad(batch, (0, -len(batch) % (processes * parts)), constant_values=~batch[0])
            for part in range(parts):
                yield [(self.epoch, int(example)) for example in even[rank * parts + part :: processes * parts]]

    def whole_batches(self, epoch: int) -> list[Ints]:
        """The examples of each step of an epoch."""
        rng = np.random.default_rng([self.seed, epoch])
        order = rng.permutation(len(self.lengths))[: self.size]
        pool = self.batch_size * POOL_BATCHES
        pools = [order[start : start + pool] for start in range(0, len(order), pool)]
        ranked = np.concatenate([part[np.argsort(self.lengths[part], kind="stable")] for part in pools])
        batches = [ranked[i : i + self.batch_size] for i in range(0, len(ranked), self.batch_size)]
        return [batches[number] for number in rng.permutation(len(batches))]


@dataclass(frozen=True)
class Collator:
    """Turns (epoch, example) pairs into the model's inputs and labels.

    Args:
        examples: Maker of examples.
        scheme: Tokens of items and users.
        builder: Joins them.
        unknown_share: Share of examples whose user is shown as unknown, so that visitors are served too.
        seed: The run's seed.
    """

    examples: Examples
    scheme: TokenScheme
    builder: InputBuilder
    unknown_share: float
    seed: int

    def __call__(self, places: list[Place]) -> dict[str, Tensor]:
        epoch, numbers, filler = read_places(places)
        items, users, targets = self.examples.rows(numbers, epoch)
        users = self.shown(users, numbers, epoch)
        targets[filler] = 0
        return self.gather(items, users, targets)

    def shown(self, users: Ints, numbers: Ints, epoch: int) -> Ints:
        """Users as the model sees them: some as unknown."""
        return np.where(uniform(self.seed, epoch, numbers) < self.unknown_share, 0, users)

    def gather(self, items: Ints, users: Ints, targets: Ints) -> dict[str, Tensor]:
        """The model's inputs and labels.

        Args:
            items: int64 [batch, n] item rows, zeros on the right.
            users: int64 [batch].
            targets: int64 [batch] or [batch, m] items to learn; 0 is none.
        """
        inputs = self.builder(torch.from_numpy(items), torch.from_numpy(users))
        width = int(inputs.attention_mask.sum(1).max())
        labels = torch.from_numpy(self.scheme.item_tokens[targets]).long()  # row 0 is padding alone
        return {
            **{name: values[:, :width] for name, values in inputs._asdict().items()},
            "labels": torch.where(labels == self.scheme.special.pad, IGNORED, labels),
            "target_items": torch.from_numpy(targets),
        }


@dataclass(frozen=True)
class PrefixCollator(Collator):
    """Turns (epoch, window) pairs into inputs of `learn_prefixes`: sequences, and labels for all their items."""

    examples: PrefixWindows  # type: ignore[assignment]

    def __call__(self, places: list[Place]) -> dict[str, Tensor]:
        """Sequences without their last item, which nothing is learned from."""
        epoch, numbers, filler = read_places(places)
        items, users, first = self.examples.windows(numbers)
        known = np.arange(items.shape[1]) < first[:, None]
        targets = np.where(known | filler[:, None], 0, items)
        return self.gather(items[:, :-1], self.shown(users, numbers, epoch), targets)


def read_places(places: list[Place]) -> tuple[int, Ints, NDArray[np.bool_]]:
    """The epoch, the examples' numbers, and which of them are fillers."""
    drawn = np.array([example for _, example in places], dtype=np.int64)
    filler = drawn < 0
    return places[0][0], np.where(filler, ~drawn, drawn), filler

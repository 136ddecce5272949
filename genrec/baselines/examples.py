"""Training examples of the reference models, and the tensors of a batch of them."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrec.data.draws import uniform
from genrec.data.tables import Sequences
from genrec.data.windows import windows
from genrec.model.modeling import IGNORED

Ints = NDArray[np.int64]


class ItemExamples(Protocol):
    """A maker of examples, numbered from 0; every draw depends on seed, epoch and example alone."""

    owners: Ints
    """int64 [examples], whose example each is: a user's index less 1."""

    def __len__(self) -> int:
        """The number of examples in an epoch."""

    def lengths(self) -> Ints:
        """int64 [examples]: items that each example shows."""

    @property
    def targets_each(self) -> float:
        """Items that an example teaches, on average."""

    def arrays(self, examples: Ints, epoch: int) -> dict[str, Ints]:
        """Make a batch of examples (int64 [batch]) as they are in an epoch.

        Returns:
            Arguments of the model's `loss`, each [batch, ...]; among them "labels", items to predict, where 0
            stands for nothing.
        """


class NextItems:
    """Each item of a user's training part is predicted from the items before it.

    A part that is longer than `max_length` gives several examples, so that each item but the first is a target
    once in an epoch, however long the histories are.

    Args:
        train: Training part of all sequences.
        max_length: Most items that an example shows.
    """

    def __init__(self, train: Sequences, max_length: int) -> None:
        self.train = train
        counts = -(-np.maximum(train.lengths - 1, 0) // max_length)
        self.owners = np.repeat(np.arange(len(counts)), counts)
        back = np.arange(len(self.owners)) - np.repeat(np.cumsum(counts) - counts, counts)
        self.ends = train.offsets[1:][self.owners] - back * max_length
        self.firsts = np.maximum(train.offsets[:-1][self.owners], self.ends - max_length - 1)

    def __len__(self) -> int:
        return len(self.owners)

    def lengths(self) -> Ints:
        """Items that each example shows."""
        return self.ends - self.firsts - 1

    @property
    def targets_each(self) -> float:
        """Each item but a user's first is a target."""
        return float(self.lengths().sum()) / max(1, len(self))

    def arrays(self, examples: Ints, epoch: int) -> dict[str, Ints]:
        """The same in every epoch: "items" and "labels", both [batch, n], oldest first, zeros on the right."""
        found = windows(self.train.items, self.firsts[examples], self.ends[examples])
        labels = found[:, 1:]
        return {"items": np.where(labels > 0, found[:, :-1], 0), "labels": labels}


class Prefixes:
    """Each item of a user's training part but the first is the target of an example of its own.

    Args:
        train: Training part of all sequences.
        max_length: Most items that an example shows; the newest are kept.
    """

    def __init__(self, train: Sequences, max_length: int) -> None:
        self.train = train
        owners = np.repeat(np.arange(len(train.lengths)), train.lengths)
        self.places = np.setdiff1d(np.arange(len(train.items)), train.offsets[:-1])
        self.owners = owners[self.places]
        self.firsts = np.maximum(train.offsets[:-1][self.owners], self.places - max_length)

    def __len__(self) -> int:
        return len(self.places)

    def lengths(self) -> Ints:
        """Items that each example shows."""
        return self.places - self.firsts

    @property
    def targets_each(self) -> float:
        """One item."""
        return 1.0

    def arrays(self, examples: Ints, epoch: int) -> dict[str, Ints]:
        """The same in every epoch: "items" and "labels", both [batch, n]; the newest item alone has a label."""
        items = windows(self.train.items, self.firsts[examples], self.places[examples])
        labels = np.zeros_like(items)
        newest = self.places[examples] - self.firsts[examples] - 1
        labels[np.arange(len(items)), newest] = self.train.items[self.places[examples]]
        return {"items": items, "labels": labels}


class Windows:
    """Each item of a user's training part but the first, and those after it, are predicted from those before it.

    Args:
        train: Training part of all sequences.
        max_length: Most items that an example shows; the newest are kept.
        ahead: Most items that an example teaches: the next ones.
    """

    def __init__(self, train: Sequences, max_length: int, ahead: int) -> None:
        self.prefixes = Prefixes(train, max_length)
        self.owners = self.prefixes.owners
        self.ends = np.minimum(self.prefixes.places + ahead, train.offsets[1:][self.owners])

    def __len__(self) -> int:
        return len(self.prefixes)

    def lengths(self) -> Ints:
        """Items that each example shows."""
        return self.prefixes.lengths()

    @property
    def targets_each(self) -> float:
        """Fewer at a sequence's end."""
        return float((self.ends - self.prefixes.places).sum()) / max(1, len(self))

    def arrays(self, examples: Ints, epoch: int) -> dict[str, Ints]:
        """The same in every epoch: "items" [batch, n], oldest first, zeros on the right; "users" [batch]; "labels"
        [batch, ahead], the next first."""
        train, firsts, places = self.prefixes.train, self.prefixes.firsts, self.prefixes.places[examples]
        return {
            "items": windows(train.items, firsts[examples], places),
            "labels": windows(train.items, places, self.ends[examples]),
            "users": self.owners[examples] + 1,
        }


class Cloze:
    """Hidden items of a user's training part are predicted from all others.

    Args:
        train: Training part of all sequences.
        max_length: Most items that an example shows or hides; a part that is longer gives several examples.
        share: Of the items that are hidden, at random; the newest if it would be none.
        newest: Share of examples that hide their newest item alone, as every prediction does.
        seed: The run's.
        prefixes: Whether every prefix is an example; otherwise only the whole part.
    """

    def __init__(
        self, train: Sequences, max_length: int, share: float, newest: float, seed: int, prefixes: bool
    ) -> None:
        self.train, self.share, self.newest, self.seed = train, share, newest, seed
        self.places = 2 * max_length + 1
        found = Prefixes(train, max_length - 1) if prefixes else NextItems(train, max_length - 1)
        self.owners, self.firsts = found.owners, found.firsts
        self.ends = found.places + 1 if isinstance(found, Prefixes) else found.ends

    def __len__(self) -> int:
        return len(self.ends)

    def lengths(self) -> Ints:
        """Items that each example shows or hides."""
        return self.ends - self.firsts

    @property
    def targets_each(self) -> float:
        """About as many as are hidden at random."""
        return 1 + (1 - self.newest) * self.share * (float(self.lengths().mean()) - 1) if len(self) else 0.0

    def arrays(self, examples: Ints, epoch: int) -> dict[str, Ints]:
        """Whole "items", which a model hides where "labels" has them: both [batch, n], zeros on the right."""
        items = windows(self.train.items, self.firsts[examples], self.ends[examples])
        place = np.arange(items.shape[1])
        newest = place == self.lengths()[examples][:, None] - 1
        hidden = self.drawn(examples, epoch, place) < self.share
        hidden &= self.drawn(examples, epoch, np.array([-1])) >= self.newest
        hidden &= items > 0
        hidden |= newest & ~hidden.any(1, keepdims=True)
        return {"items": items, "labels": np.where(hidden, items, 0)}

    def drawn(self, examples: Ints, epoch: int, places: Ints) -> NDArray[np.float64]:
        """Numbers in [0, 1) for places of examples, [batch, places]; places below 0 are an example's own."""
        return uniform(self.seed, epoch, examples[:, None] * self.places + places % self.places)


@dataclass(frozen=True)
class ItemCollator:
    """Turns (epoch, example) pairs of `genrec.training.batches` into a model's tensors."""

    examples: ItemExamples

    def __call__(self, places: list[tuple[int, int]]) -> dict[str, Tensor]:
        """A filler, which is ~example, has no label."""
        drawn = np.array([example for _, example in places], dtype=np.int64)
        filler = drawn < 0
        arrays = self.examples.arrays(np.where(filler, ~drawn, drawn), places[0][0])
        tensors = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in arrays.items()}
        labels = tensors["labels"].clone()
        labels[torch.from_numpy(filler)] = 0
        return {**tensors, "labels": torch.where(labels == 0, IGNORED, labels)}

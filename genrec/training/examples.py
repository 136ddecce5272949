"""Training examples: which items the encoder sees and which one it must generate.

Pretraining and finetuning differ in nothing but the maker of examples. Every draw depends on seed, epoch and
example alone, so a resumed run sees what an unbroken one would have seen.
"""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from genrec.data.dataset import Sequences
from genrec.data.windows import windows

Ints = NDArray[np.int64]


class Rows(NamedTuple):
    """A batch of examples.

    Attributes:
        items: int64 [batch, n] item rows with one [MASK] row each, oldest first, zeros on the right.
        users: int64 [batch].
        targets: int64 [batch] the masked item.
    """

    items: Ints
    users: Ints
    targets: Ints


class Examples(Protocol):
    """A maker of examples, numbered from 0."""

    owners: Ints
    """int64 [examples], whose example each is: a user's index less 1."""

    def __len__(self) -> int:
        """The number of examples in an epoch."""

    def lengths(self) -> Ints:
        """int64 [examples]: items that each example shows, [MASK] included."""

    def rows(self, examples: Ints, epoch: int) -> Rows:
        """Make a batch of examples (int64 [batch]) as they are in an epoch."""

    @property
    def targets_each(self) -> float:
        """Items that an example teaches, on average."""


class Windows(NamedTuple):
    """A batch of stretches of sequences, of which all items from some place on are targets.

    Attributes:
        items: int64 [batch, n] item indexes, oldest first, zeros on the right.
        users: int64 [batch].
        first: int64 [batch] place in the row of the first target.
    """

    items: Ints
    users: Ints
    first: Ints


class PrefixWindows:
    """All prefixes of a sequence at once, for a causal encoder: each item is learned from those before it.

    Every item of the training part is a target once. A part that is too long for one input gives several windows,
    each of which repeats the second half of the one before as history.

    Args:
        train: Training part of all sequences.
        max_items: Most items of a window.
    """

    def __init__(self, train: Sequences, max_items: int) -> None:
        self.train = train
        step = max(1, max_items // 2)
        counts = np.where(train.lengths > max_items, -(-(train.lengths - max_items) // step) + 1, 1)
        counts = np.where(train.lengths > 0, counts, 0)
        self.owners = np.repeat(np.arange(len(counts)), counts)
        number = np.arange(len(self.owners)) - np.repeat(np.cumsum(counts) - counts, counts)
        whole = train.lengths[self.owners]
        self.first = np.where(number > 0, max_items + (number - 1) * step, 0)
        self.ends = np.minimum(whole, max_items + number * step)
        self.starts = np.maximum(self.ends - max_items, 0)

    def __len__(self) -> int:
        return len(self.owners)

    def lengths(self) -> Ints:
        """Items of each window."""
        return self.ends - self.starts

    def windows(self, examples: Ints) -> Windows:
        """Some windows (int64 [batch]); the same in every epoch."""
        offsets = self.train.offsets[self.owners[examples]]
        starts = self.starts[examples]
        items = windows(self.train.items, offsets + starts, offsets + self.ends[examples])
        return Windows(items, self.owners[examples] + 1, self.first[examples] - starts)

    @property
    def targets_each(self) -> float:
        """Items that a window teaches, on average."""
        return len(self.train.items) / len(self)


class FinetuneExamples:
    """Next items: a prefix of the training part, the [MASK] appended, the item after the prefix as target.

    The empty prefix is an example too: `[BEG] user [MASK] [END]`.

    Args:
        train: Training part of all sequences.
        mask_item: Row number of the [MASK].
        max_items: Most rows of an example, [MASK] included; the newest are kept.
        every_prefix: All prefixes are examples; otherwise only each user's longest.
    """

    def __init__(self, train: Sequences, mask_item: int, max_items: int, every_prefix: bool) -> None:
        self.train, self.mask_item, self.max_items = train, mask_item, max_items
        owners = np.repeat(np.arange(len(train.lengths)), train.lengths)
        if every_prefix:
            self.places = np.arange(len(train.items))
        else:
            self.places = train.offsets[1:][train.lengths > 0] - 1
        self.owners = owners[self.places]

    def __len__(self) -> int:
        return len(self.places)

    def lengths(self) -> Ints:
        """Rows of each example."""
        return np.minimum(self.places - self.train.offsets[self.owners] + 1, self.max_items)

    @property
    def targets_each(self) -> float:
        """One item."""
        return 1.0

    def rows(self, examples: Ints, epoch: int) -> Rows:
        """The same in every epoch."""
        places, owners = self.places[examples], self.owners[examples]
        first = np.maximum(self.train.offsets[owners], places - self.max_items + 1)
        items = windows(self.train.items, first, places + 1)
        items[np.arange(len(items)), places - first] = self.mask_item
        return Rows(items, owners + 1, self.train.items[places].astype(np.int64))


class PretrainExamples:
    """The cloze task: one random item of each user's training part is masked, another one in each epoch.

    A part that is too long for one example gives as many as would cover it, each a random window around its own
    masked item, so that an epoch shows about every interaction once, however long the histories are.

    Args:
        train: Training part of all sequences.
        mask_item: Row number of the [MASK].
        max_items: Most rows of an example.
        seed: The run's seed.
    """

    def __init__(self, train: Sequences, mask_item: int, max_items: int, seed: int) -> None:
        self.train, self.mask_item, self.max_items, self.seed = train, mask_item, max_items, seed
        self.owners = np.repeat(np.arange(len(train.lengths)), -(-train.lengths // max_items))
        self._drawn = (-1, np.empty((2, 0)))

    def __len__(self) -> int:
        return len(self.owners)

    def lengths(self) -> Ints:
        """Rows of each example."""
        return np.minimum(self.train.lengths[self.owners], self.max_items)

    @property
    def targets_each(self) -> float:
        """One item."""
        return 1.0

    def rows(self, examples: Ints, epoch: int) -> Rows:
        """Another mask and window in each epoch."""
        if self._drawn[0] != epoch:
            self._drawn = epoch, np.random.default_rng([self.seed, epoch]).random((2, len(self)))
        mask_draw, window_draw = self._drawn[1][:, examples]
        owners = self.owners[examples]
        start, length = self.train.offsets[owners], self.train.lengths[owners]
        masked = start + (mask_draw * length).astype(np.int64)
        size = np.minimum(length, self.max_items)
        earliest = np.maximum(start, masked - size + 1)
        latest = np.minimum(masked, start + length - size)
        first = earliest + (window_draw * (latest - earliest + 1)).astype(np.int64)
        items = windows(self.train.items, first, first + size)
        items[np.arange(len(items)), masked - first] = self.mask_item
        return Rows(items, owners + 1, self.train.items[masked].astype(np.int64))

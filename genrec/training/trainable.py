"""What a training session asks of the model that it trains, whichever that is."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from genrec.data.tables import Sequences
from genrec.indexing.tokens import TokenScheme
from genrec.scoring import Scorer
from genrec.training.batches import Place
from genrec.training.examples import Ints
from genrec.training.lanes import Lanes
from genrec.training.settings import Settings


class Examples(Protocol):
    """What batches must know of a phase's examples."""

    def lengths(self) -> Ints:
        """int64 [examples]: items that each example shows."""

    @property
    def owners(self) -> Ints:
        """int64 [examples], whose example each is: a user's index less 1."""

    @property
    def targets_each(self) -> float:
        """Items that an example teaches, on average."""


class BatchMaker(Protocol):
    """Turns (epoch, example) pairs into the model's inputs, "labels" among them."""

    @property
    def examples(self) -> Examples:
        """What it makes batches of."""

    def __call__(self, places: list[Place]) -> dict[str, Tensor]:
        """Make a batch."""


class Trainable(Protocol):
    """A model before and while it is trained."""

    model: Any
    """A torch module: called with a batch it returns something with a `loss`; it has a `device` and
    `save_pretrained`."""

    @property
    def config(self) -> Settings:
        """The settings."""

    @property
    def scheme(self) -> TokenScheme | None:
        """Tokens of items and users, where the model has any."""

    def collator(self, phase: str, train: Sequences) -> BatchMaker:
        """Maker of a phase's batches from the training part of all sequences."""

    def learning_rate(self, phase: str) -> float:
        """The peak of a phase."""

    def scorer(self) -> Scorer:
        """The model as it is, for validation."""

    def lanes(self, device: torch.device) -> AbstractContextManager[Lanes | None]:
        """What computes a batch in parts, where the model can be computed so and that is quicker."""

    def load_model(self, folder: Path) -> None:
        """Take up the weights that a phase left (by `save_pretrained`)."""

    def save_extras(self, folder: Path) -> None:
        """Write what belongs to the run besides weights, tokens and tables."""

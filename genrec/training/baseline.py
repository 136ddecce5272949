"""A reference model before its training."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

from genrec.baselines.base import ItemModel, ItemRanker, load_item_model, model_class
from genrec.baselines.examples import ItemCollator
from genrec.baselines.scorer import ItemScorer
from genrec.baselines.settings import BaselineConfig, P5Config, TransitionsConfig
from genrec.baselines.transitions import Transitions
from genrec.data.dataset import Dataset, Sequences
from genrec.evaluation.followers import choose_reach
from genrec.model.checkpoint import quiet_libraries
from genrec.training.trainable import Trainable


def build_baseline(config: BaselineConfig, data: Dataset) -> Trainable:
    """A reference model before its training.

    Raises:
        GenRecError: The dataset lacks what the model reads, or pretrained weights cannot be had.
    """
    if isinstance(config, P5Config):
        from genrec.training.p5 import BuiltP5

        return BuiltP5(config, data)
    return BuiltBaseline(config, data)


class BuiltBaseline:
    """A reference model that scores items; a `genrec.training.trainable.Trainable`.

    The same seed gives the same weights.
    """

    scheme = None

    def __init__(self, config: BaselineConfig, data: Dataset) -> None:
        quiet_libraries()
        torch.manual_seed(config.seed)
        self.config = config
        self.model = _model(config, data)

    def collator(self, phase: str, train: Sequences) -> ItemCollator:
        """Maker of a phase's batches, of the examples that the model names."""
        assert isinstance(self.model, ItemModel)  # what only counts has no phases
        return ItemCollator(self.model.examples(phase, train))

    def learning_rate(self, phase: str) -> float:
        """The peak; the same in all phases."""
        return self.config.learning_rate

    def scorer(self) -> ItemScorer:
        """The model as it is."""
        return ItemScorer(self.model)

    def lanes(self, device: torch.device) -> AbstractContextManager[None]:
        """Batches are computed whole."""
        return nullcontext()

    def load_model(self, folder: Path) -> None:
        """Take up the weights that a phase left."""
        self.model = load_item_model(folder)

    def save_extras(self, folder: Path) -> None:
        """There is nothing else."""


def _model(config: BaselineConfig, data: Dataset) -> ItemRanker[Any]:
    if isinstance(config, TransitionsConfig):
        return Transitions.of(config, data, choose_reach(data.sequences, data.item_count))
    return model_class(config.model).of(config, data)

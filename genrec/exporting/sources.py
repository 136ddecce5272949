"""What an export needs of a run, whichever model it holds."""

import shutil
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from genrec.baselines.base import ItemRanker, load_item_model
from genrec.baselines.p5.recommender import P5Recommender, P5Run, P5Scorer, load_p5
from genrec.baselines.scorer import ItemRecommender, ItemScorer
from genrec.baselines.settings import P5
from genrec.config import GENREC
from genrec.decoding.recommender import RecommenderModule
from genrec.decoding.scorer import TorchScorer
from genrec.exporting.onnx_config import SPLIT_FILES, export_split
from genrec.files import read_json
from genrec.ids import CONFIG_FILE, ITEM_TOKENS_FILE, RUN_FILE
from genrec.indexing.tokens import USER_TOKENS_FILE
from genrec.model.checkpoint import Run, load_run, model_of, open_finished
from genrec.scoring import Scorer

_BESIDE = (CONFIG_FILE, ITEM_TOKENS_FILE, USER_TOKENS_FILE)
"""What Optimum's graphs need: configuration and tokens."""


class Source(Protocol):
    """A finished run on the CPU."""

    path: Path
    info: dict[str, Any]
    """What run.json says."""
    only_fp32: str | None
    """Why its numbers cannot be smaller; None where they can."""

    def make_module(self, k: int) -> nn.Module:
        """What is traced, in evaluation mode; for lists of `k` items."""

    def scorer(self) -> Scorer:
        """The same on torch."""

    def write_beside(self, folder: Path, opset: int) -> list[str]:
        """Write what else belongs to the model in a bundle; the names of the files.

        Raises:
            GenRecError: A graph differs from torch.
        """

    def facts(self) -> dict[str, Any]:
        """What the manifest says of the model; "beams" and "depth" are None where every item is scored."""


class GenRecSource:
    """A run of GenRec.

    Args:
        run: On the CPU.
        beams: Beams of the search.
    """

    only_fp32: str | None = None

    def __init__(self, run: Run, beams: int) -> None:
        self.run, self.beams = run, beams
        self.path, self.info = run.path, run.info

    def make_module(self, k: int) -> nn.Module:
        """Encoder and beam search."""
        return RecommenderModule(self.run.model, self.run.scheme, self.beams, k, self.run.prior).eval()

    def scorer(self) -> Scorer:
        """With as many beams."""
        return TorchScorer(self.run.model, self.run.scheme, self.beams, self.run.prior)

    def write_beside(self, folder: Path, opset: int) -> list[str]:
        """Encoder and decoder in Optimum's layout, and what belongs to them."""
        export_split(self.run.model, folder, opset)
        for name in _BESIDE:
            shutil.copyfile(self.path / name, folder / name)
        return [*SPLIT_FILES, *_BESIDE]

    def facts(self) -> dict[str, Any]:
        """Sizes of the model, and of its search."""
        config, scheme = self.run.model.config, self.run.scheme
        return {
            "model_type": config.model_type,
            "beams": self.beams,
            "depth": scheme.depth,
            "max_length": self.run.config.max_length,
            "d_model": config.d_model,
            "user_count": config.user_count,
            "item_count": scheme.item_count,
            "indexing": scheme.indexing,
            "leaky": scheme.indexing == "leaky-sequential",
            "item_share": config.item_share,
            "prior": {"transitions": self.run.prior.weight} if self.run.prior else {},
        }


class P5Source:
    """A run of P5.

    Args:
        run: On the CPU.
        beams: Beams of the search.
    """

    only_fp32: str | None = "the parts to quantise are told by layer normalisations, of which T5 has none"

    def __init__(self, run: P5Run, beams: int) -> None:
        self.run, self.beams = run, beams
        self.path, self.info = run.path, run.info

    def make_module(self, k: int) -> nn.Module:
        """Prompts, encoder and beam search."""
        return P5Recommender(self.run.model, self.run.scheme, self.beams, k).eval()

    def scorer(self) -> Scorer:
        """With as many beams."""
        return P5Scorer(self.run.model, self.run.scheme, self.beams)

    def write_beside(self, folder: Path, opset: int) -> list[str]:
        """Nothing: in Optimum's layout, nobody would make prompts for the encoder."""
        return []

    def facts(self) -> dict[str, Any]:
        """Sizes of the model, and of its search."""
        config, scheme = self.run.model.config, self.run.scheme
        return {
            "model_type": P5,
            "beams": self.beams,
            "depth": scheme.depth,
            "max_length": config.max_items,
            "d_model": config.d_model,
            "user_count": config.user_count,
            "item_count": scheme.item_count,
            "indexing": scheme.indexing,
            "leaky": scheme.indexing == "leaky-sequential",
            "item_share": 0.0,
            "prior": {},
        }


class ItemSource:
    """A run of a reference model that scores items.

    Args:
        path: The run.
        info: What run.json says.
        model: On the CPU, in evaluation mode.
    """

    only_fp32: str | None = "nearly all of it is the table that scores are made with"

    def __init__(self, path: Path, info: dict[str, Any], model: ItemRanker[Any]) -> None:
        self.path, self.info, self.model = path, info, model

    def make_module(self, k: int) -> nn.Module:
        """A softmax over the catalogue and the best of it."""
        return ItemRecommender(self.model, k).eval()

    def scorer(self) -> Scorer:
        """As evaluation has it."""
        return ItemScorer(self.model)

    def write_beside(self, folder: Path, opset: int) -> list[str]:
        """Nothing: Optimum's layout is of encoders and decoders."""
        return []

    def facts(self) -> dict[str, Any]:
        """Sizes of the model; it searches nothing and has no item tokens."""
        settings = self.model.settings
        return {
            "model_type": settings.model,
            "beams": None,
            "depth": None,
            "max_length": settings.max_length,
            "d_model": getattr(settings, "d_model", 1),  # what only counts has a number an item
            "user_count": self.model.user_count,
            "item_count": self.model.item_count,
            "indexing": None,
            "leaky": False,
            "item_share": 0.0,
            "prior": {},
        }


def open_source(path: Path, beams: int) -> GenRecSource | P5Source | ItemSource:
    """Load a finished run.

    Args:
        path: The run.
        beams: Beams of the search.

    Raises:
        GenRecError: The folder is no run, is unfinished, damaged, or of a newer genrec.
    """
    name = model_of(read_json(path / RUN_FILE))
    if name == GENREC:
        return GenRecSource(load_run(path), beams)
    if name == P5:
        return P5Source(load_p5(path), beams)
    return ItemSource(path, open_finished(path), load_item_model(path).eval())

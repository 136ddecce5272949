"""P5 before its training: from scratch, or from pretrained T5; and its batches."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import T5Config

from genrec.baselines.examples import Prefixes
from genrec.baselines.p5.model import P5Model, P5ModelConfig
from genrec.baselines.p5.prompts import TRAINED, Prompter, most_words
from genrec.baselines.p5.recommender import P5Scorer
from genrec.baselines.p5.tokens import Language, own_language, pretrained_language
from genrec.baselines.settings import P5Config
from genrec.config import SHAPE
from genrec.data.dataset import Dataset, Sequences
from genrec.data.draws import uniform
from genrec.data.windows import windows
from genrec.errors import GenRecError
from genrec.indexing.tokens import TokenScheme
from genrec.model.checkpoint import load_strictly, quiet_libraries
from genrec.model.modeling import IGNORED
from genrec.training.batches import Place, read_places
from genrec.training.pretrained import contradictions, fetch_weights, load_weights, open_weights

_T5_NAMES = ("d_model", "num_layers", "num_decoder_layers", "num_heads", "d_ff")
"""What T5 calls the settings of SHAPE."""


@dataclass(frozen=True)
class PromptCollator:
    """Turns (epoch, example) pairs into prompts and labels.

    Args:
        examples: Histories and targets.
        scheme: Tokens of items and users.
        prompter: Joins them to the prompts that training draws from.
        unknown_share: Share of examples whose user is shown as unknown.
        seed: The run's seed.
    """

    examples: Prefixes
    scheme: TokenScheme
    prompter: Prompter
    unknown_share: float
    seed: int

    def __call__(self, places: list[Place]) -> dict[str, Tensor]:
        """Make a batch; what is drawn depends on seed, epoch and example alone."""
        epoch, numbers, filler = read_places(places)
        train, ends = self.examples.train, self.examples.places[numbers]
        items = windows(train.items, self.examples.firsts[numbers], ends)
        unknown = uniform(self.seed, epoch, 2 * numbers) < self.unknown_share
        users = np.where(unknown, 0, self.examples.owners[numbers] + 1)
        prompts = (uniform(self.seed, epoch, 2 * numbers + 1) * self.prompter.count).astype(np.int64)
        inputs = self.prompter(*map(torch.from_numpy, (items, users, prompts)))
        width = int(inputs.attention_mask.sum(1).max())
        targets = np.where(filler, 0, train.items[ends])
        labels = torch.from_numpy(self.scheme.item_tokens[targets]).long()  # row 0 is padding alone
        return {
            **{name: values[:, :width] for name, values in inputs._asdict().items()},
            "labels": torch.where(labels == self.scheme.special.pad, IGNORED, labels),
        }


class BuiltP5:
    """P5; a `genrec.training.trainable.Trainable`. The same seed gives the same weights.

    Raises:
        GenRecError: Pretrained weights cannot be had or contradict the settings.
    """

    def __init__(self, config: P5Config, data: Dataset) -> None:
        quiet_libraries()
        torch.manual_seed(config.seed)
        made = (
            _from_scratch(config, data) if config.weights is None else _from_weights(config, data, config.weights)
        )
        self.config, self.scheme, self.model, self.tokenizer = made
        self.model.begin_whole_words()

    def collator(self, phase: str, train: Sequences) -> PromptCollator:
        """Maker of batches: the next items, each after a prompt with all before it."""
        prompter = Prompter(self.scheme, self.model.config, range(TRAINED))
        examples = Prefixes(train, self.config.max_length)
        return PromptCollator(examples, self.scheme, prompter, self.config.user_dropout, self.config.seed)

    def learning_rate(self, phase: str) -> float:
        """The peak."""
        return self.config.learning_rate

    def scorer(self) -> P5Scorer:
        """The model as it is, with the beams of validation."""
        return P5Scorer(self.model, self.scheme, self.config.beams)

    def lanes(self, device: torch.device) -> AbstractContextManager[None]:
        """Batches are computed whole."""
        return nullcontext()

    def load_model(self, folder: Path) -> None:
        """Take up the weights that a phase left."""
        self.model = load_strictly(P5Model, folder)

    def save_extras(self, folder: Path) -> None:
        """Write the tokenizer, if there is one."""
        if self.tokenizer is not None:
            self.tokenizer.save_pretrained(folder)


Made = tuple[P5Config, TokenScheme, P5Model, Any]
"""Settings with the shape that weights decided, tokens, model, and the pretrained tokenizer or None."""


def _from_scratch(config: P5Config, data: Dataset) -> Made:
    language = own_language(config, data)
    shape = {name: getattr(config, key) for key, name in zip(SHAPE, _T5_NAMES, strict=True)}
    shape |= {"d_kv": shape["d_model"] // shape["num_heads"], "vocab_size": language[0].vocabulary}
    return config, language[0], P5Model(_model_config(shape, config, data, language)), None


def _from_weights(config: P5Config, data: Dataset, weights: str) -> Made:
    folder = fetch_weights(weights)
    tokenizer, t5 = open_weights(folder, T5Config, "T5")
    found = {key: getattr(t5, name) for key, name in zip(SHAPE, _T5_NAMES, strict=True)}
    if faults := contradictions(config, found):
        raise GenRecError(f"the settings contradict the weights {weights}: {', '.join(faults)}")
    language = pretrained_language(config, data, tokenizer, t5.vocab_size)
    model = load_weights(folder, P5Model, _model_config(t5.to_dict(), config, data, language), "T5")
    if language[0].vocabulary > t5.vocab_size:
        model.resize_token_embeddings(language[0].vocabulary)
    return config.model_copy(update=found), language[0], model, tokenizer


def _model_config(base: dict[str, Any], config: P5Config, data: Dataset, language: Language) -> P5ModelConfig:
    """T5's configuration with what P5 adds."""
    scheme, prompts, separator = language
    before, behind = most_words(prompts, config.max_length, bool(separator))
    own = {
        "user_count": data.user_count,
        "item_count": data.item_count,
        "words_before": before,
        "words_behind": behind,
        "max_items": config.max_length,
        "prompts": prompts,
        "separator": separator,
        "prompt": config.prompt - 1,
        "dropout_rate": config.dropout,
        "pad_token_id": scheme.special.pad,
        "eos_token_id": scheme.special.end,
        "decoder_start_token_id": scheme.special.pad,
    }
    base = {key: value for key, value in base.items() if key not in ("model_type", "architectures")}
    return P5ModelConfig(**{**base, **own})

"""A model and its tokens before training: from scratch, or from pretrained BART."""

from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BartConfig

from genrec.config import TrainConfig
from genrec.data.dataset import Dataset, Sequences
from genrec.data.split import train_part
from genrec.decoding.prior import TransitionPrior
from genrec.decoding.scorer import TorchScorer
from genrec.errors import GenRecError
from genrec.ids import PRETRAIN
from genrec.indexing.evidence import find_descriptions, read_descriptions
from genrec.indexing.scheme import TEXT, own_scheme, text_scheme
from genrec.indexing.semantic import NO_TERMS, Terms, describing_terms
from genrec.indexing.tokens import TokenScheme
from genrec.model.checkpoint import Run, load_model, quiet_libraries
from genrec.model.configuration import GenRecConfig
from genrec.model.inputs import InputBuilder
from genrec.model.modeling import GenRecForConditionalGeneration
from genrec.training.batches import Collator, PrefixCollator
from genrec.training.examples import FinetuneExamples, PrefixWindows, PretrainExamples
from genrec.training.lanes import Lanes, lanes_for
from genrec.training.pretrained import contradictions, fetch_weights, load_tokenizer, load_weights, open_weights

_BART_NAMES = {
    "d_model": ("d_model",),
    "encoder_layers": ("encoder_layers",),
    "decoder_layers": ("decoder_layers",),
    "heads": ("encoder_attention_heads", "decoder_attention_heads"),
    "ffn_dim": ("encoder_ffn_dim", "decoder_ffn_dim"),
}
"""What BART calls the settings that shape a model."""


class Built:
    """What training starts from; a `genrec.training.trainable.Trainable`.

    Attributes:
        config: The settings, with the shape that pretrained weights decided.
        scheme: Tokens of items and users.
        model: On the CPU.
        tokenizer: In text mode, else None.
        prior: Mixed with the model, once its weight is chosen.
    """

    def __init__(
        self, config: TrainConfig, scheme: TokenScheme, model: GenRecForConditionalGeneration, tokenizer: Any
    ) -> None:
        self.config, self.scheme, self.model, self.tokenizer = config, scheme, model, tokenizer
        self.builder = InputBuilder(scheme, model.config)
        self.prior: TransitionPrior | None = None

    def collator(self, phase: str, train: Sequences) -> Collator:
        """Maker of a phase's batches: the cloze task, or next items."""
        config, mask, most = self.config, self.builder.mask_item, self.builder.max_items
        how = (self.scheme, self.builder, config.user_dropout, config.seed)
        if phase == PRETRAIN:
            return Collator(PretrainExamples(train, mask, most, config.seed), *how)
        if config.learns_prefixes:
            return PrefixCollator(PrefixWindows(train, most), *how)
        return Collator(FinetuneExamples(train, mask, most, config.prefixes == "all"), *how)

    def learning_rate(self, phase: str) -> float:
        """The peak of a phase."""
        if phase == PRETRAIN and self.config.pretrain_learning_rate:
            return self.config.pretrain_learning_rate
        return self.config.learning_rate

    def scorer(self) -> TorchScorer:
        """The model as it is, with the beams of validation."""
        return TorchScorer(self.model, self.scheme, self.config.beams, self.prior)

    def lanes(self, device: torch.device) -> AbstractContextManager[Lanes | None]:
        """Lanes where they are quicker than a whole batch."""
        return lanes_for(self.config, self.model.config.d_model, device)

    def load_model(self, folder: Path) -> None:
        """Take up the weights that a phase left."""
        self.model = load_model(folder)

    def save_extras(self, folder: Path) -> None:
        """Write the tokenizer, if there is one."""
        if self.tokenizer is not None:
            self.tokenizer.save_pretrained(folder)


def build(config: TrainConfig, dataset: Dataset) -> Built:
    """Make tokens and model; the same seed gives the same weights.

    Raises:
        GenRecError: Pretrained weights cannot be had or contradict the settings.
    """
    quiet_libraries()
    torch.manual_seed(config.seed)
    known = np.bincount(train_part(dataset.sequences).items, minlength=dataset.item_count + 1) > 0
    terms = _item_terms(config, dataset, known)
    if config.weights is None:
        built = _from_scratch(config, dataset, terms)
    else:
        built = _from_weights(config, dataset, terms, config.weights)
    starts = np.searchsorted(terms.items + 1, np.arange(dataset.item_count + 1))
    built.model.model.encoder.describe_items(*map(torch.from_numpy, (terms.terms, terms.weights, starts)))
    built.model.forget_items(torch.from_numpy(np.flatnonzero(~known)))
    return built


def build_from(pretrained: Run, config: TrainConfig) -> Built:
    """Take up a pretrained run, to finetune it with other settings than those of its structure."""
    tokenizer = load_tokenizer(str(pretrained.path)) if config.indexing == TEXT else None
    model = pretrained.model
    model.config.label_smoothing = config.label_smoothing
    model.config.item_loss = config.item_loss
    model.config.item_share = first_item_share(config)
    model.config.mask_token = pretrained.scheme.special.mask  # which earlier versions did not note
    model.use_repeats(config.head_repeats)
    model.use_sparse_ids(config.sparse_ids)
    model.use_dropout(config.dropout, config.attention_dropout)
    return Built(config, pretrained.scheme, model, tokenizer)


def _item_terms(config: TrainConfig, dataset: Dataset, known: NDArray[np.bool_]) -> Terms:
    """What describes the items that training shows; nothing unless it is wanted and anything is said."""
    said = find_descriptions(dataset.path) if config.item_descriptions else None
    if said is None:
        return NO_TERMS
    found = describing_terms(said, config.text_encoder, config.seed)
    kept = known[found.items + 1]
    used, terms = np.unique(found.terms[kept], return_inverse=True)
    return Terms(found.items[kept], terms, found.weights[kept], len(used))


def _from_scratch(config: TrainConfig, dataset: Dataset, terms: Terms) -> Built:
    scheme = _scheme(config, dataset)
    shape = {name: getattr(config, key) for key, names in _BART_NAMES.items() for name in names}
    settings = GenRecConfig(
        **shape,
        **_common(config, dataset, scheme, terms),
        max_position_embeddings=config.max_length,
        vocab_size=scheme.vocabulary,
    )
    return Built(config, scheme, GenRecForConditionalGeneration(settings), None)


def _from_weights(config: TrainConfig, dataset: Dataset, terms: Terms, weights: str) -> Built:
    folder = fetch_weights(weights)
    tokenizer, bart = open_weights(folder, BartConfig, "BART")
    found = {key: getattr(bart, names[0]) for key, names in _BART_NAMES.items()}
    _check_shape(config, bart, found, weights)
    config = config.model_copy(update=found)
    scheme = _scheme(config, dataset, tokenizer)
    text = config.indexing == TEXT
    if text and scheme.vocabulary > bart.vocab_size:
        raise GenRecError(
            f"the tokenizer of {weights} has {scheme.vocabulary} tokens, its weights only {bart.vocab_size}"
        )
    vocabulary = bart.vocab_size if text else scheme.vocabulary
    base = {key: value for key, value in bart.to_dict().items() if key not in ("model_type", "architectures")}
    settings = GenRecConfig(**{**base, **_common(config, dataset, scheme, terms), "vocab_size": vocabulary})
    model = load_weights(folder, GenRecForConditionalGeneration, settings, "BART", reshaped=not text)
    return Built(config, scheme, model, tokenizer if text else None)


def _scheme(config: TrainConfig, dataset: Dataset, tokenizer: Any = None) -> TokenScheme:
    if config.indexing == TEXT:
        return text_scheme(dataset.user_count, dataset.item_count, config.seed, tokenizer)
    return own_scheme(
        dataset.sequences,
        dataset.item_count,
        config.indexing,
        config.seed,
        config.item_depth,
        describe=partial(read_descriptions, dataset.path),
        text_encoder=config.text_encoder,
    )


def _common(config: TrainConfig, dataset: Dataset, scheme: TokenScheme, terms: Terms) -> dict[str, Any]:
    """What both kinds of model are told."""
    told = {} if config.attention_dropout is None else {"attention_dropout": config.attention_dropout}
    return told | {
        "user_count": dataset.user_count,
        "item_count": dataset.item_count,
        "label_smoothing": config.label_smoothing,
        "item_terms": terms.distinct,
        "item_term_entries": len(terms.terms),
        "item_loss": config.item_loss,
        "item_share": first_item_share(config),
        "repeats": config.head_repeats,
        "mask_token": scheme.special.mask,
        "input_length": config.max_length,
        "merged_tokens": {"none": 0, "item": scheme.encoder_tokens.shape[1], "id": 1}[config.encoder_merge],
        "ids_alone": config.encoder_merge == "id",
        "distances": config.distances,
        "newest_first": config.item_order == "newest",
        "causal_encoder": config.encoder_attention == "causal",
        "user_buckets": config.user_buckets,
        "sparse_ids": config.sparse_ids,
        "dropout": config.dropout,
        "pad_token_id": scheme.special.pad,
        "bos_token_id": scheme.special.begin,
        "eos_token_id": scheme.special.end,
        "decoder_start_token_id": scheme.special.end,
        "forced_eos_token_id": None,
        "forced_bos_token_id": None,
    }


def first_item_share(config: TrainConfig) -> float:
    """The share of the item head until validation chooses another, at the end of the training; it is near what is
    chosen, so that the best epoch is the mixture's."""
    return 0.9 if config.item_loss else 0.0


def _check_shape(config: TrainConfig, bart: BartConfig, found: dict[str, int], weights: str) -> None:
    faults = contradictions(config, found)
    if config.max_length > bart.max_position_embeddings:
        faults.append(f"max_length {config.max_length} (the weights reach {bart.max_position_embeddings})")
    if faults:
        raise GenRecError(f"the settings contradict the weights {weights}: {', '.join(faults)}")

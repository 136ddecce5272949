"""The models that inference.py measures: random weights on a real catalogue."""

from pathlib import Path
from typing import Any

import torch

from genrec.data.dataset import Dataset, load_dataset
from genrec.data.tables import Sequences
from genrec.indexing.scheme import own_scheme
from genrec.indexing.tokens import SpecialTokens, TokenScheme, pad_rows
from genrec.model.checkpoint import finish_run, start_run
from genrec.model.configuration import GenRecConfig
from genrec.model.modeling import GenRecForConditionalGeneration
from genrec.settings import make_config, preset_settings

WIDE, BART_BASE = "128-wide", "bart-base"
"""A model 128 wide with tokens of its own, 2+2 layers, a position per token; and the paper's."""

WIDE_SETTINGS: dict[str, Any] = {
    "preset": "tiny",
    "d_model": 128,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "heads": 4,
    "ffn_dim": 512,
    "max_length": 128,
    "batch_size": 256,
    "learning_rate": 2e-3,
    "dropout": 0.1,
    "epoch_examples": 40000,
}

_BART = SpecialTokens(pad=1, begin=0, end=2, mask=50264)
_BART_VOCABULARY = 50265
_BART_SHAPE = {"d_model": 768, "encoder_layers": 6, "decoder_layers": 6, "heads": 12, "ffn_dim": 3072}
_ITEM, _USER, _UNDERSCORE, _PIECES = 6880, 12105, 1215, 134
"""Numbers that stand for pieces of text; pieces of a number follow the last."""


def make_run(name: str, data: Path, folder: Path, seed: int = 0) -> Path:
    """A finished run of random weights, spread wide enough that lists differ from user to user.

    Args:
        name: `WIDE` or `BART_BASE`.
        data: Folder of the dataset.
        folder: The run to write.
        seed: Of the weights.
    """
    dataset = load_dataset(data)
    text = name == BART_BASE
    settings = preset_settings(name) if text else WIDE_SETTINGS
    shape = _BART_SHAPE if text else {key: settings[key] for key in _BART_SHAPE}
    scheme = text_scheme(dataset) if text else own_scheme(dataset.sequences, dataset.item_count, "random", seed)
    config = make_config(settings | {"weights": "random", "indexing": scheme.indexing, **shape})
    folder.mkdir(parents=True)
    start_run(folder, dataset, config, scheme)
    finish_run(folder, make_model(shape, scheme, dataset.user_count, config.max_length, seed))
    return folder


def make_model(
    shape: dict[str, int], scheme: TokenScheme, users: int, max_length: int, seed: int = 0
) -> GenRecForConditionalGeneration:
    """Random weights, several times as spread as BART starts with: the scores differ clearly."""
    torch.manual_seed(seed)
    model = GenRecForConditionalGeneration(
        GenRecConfig(
            user_count=users,
            item_count=scheme.item_count,
            vocab_size=scheme.vocabulary,
            d_model=shape["d_model"],
            encoder_layers=shape["encoder_layers"],
            decoder_layers=shape["decoder_layers"],
            encoder_attention_heads=shape["heads"],
            decoder_attention_heads=shape["heads"],
            encoder_ffn_dim=shape["ffn_dim"],
            decoder_ffn_dim=shape["ffn_dim"],
            max_position_embeddings=max_length,
            pad_token_id=scheme.special.pad,
            bos_token_id=scheme.special.begin,
            eos_token_id=scheme.special.end,
            decoder_start_token_id=scheme.special.end,
            forced_eos_token_id=None,
        )
    ).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() == 2:
                weight.mul_(4.0)
    return model


def text_scheme(dataset: Dataset) -> TokenScheme:
    """Tokens as BART's tokenizer makes them of "item_1234": two that all share, two digits each, then [END]."""
    items = [[_ITEM, _UNDERSCORE, *_number(n), _BART.end] for n in range(1, dataset.item_count + 1)]
    users = [[_USER, _UNDERSCORE, *_number(n)] for n in range(dataset.user_count + 1)]
    return TokenScheme(
        indexing="text",
        item_tokens=pad_rows([[], *items], _BART.pad),
        user_tokens=pad_rows(users, _BART.pad),
        special=_BART,
        vocabulary=_BART_VOCABULARY,
    )


def _number(number: int) -> list[int]:
    """A number's digits two by two: 100 pieces with both digits, 10 more for a last single one."""
    digits = str(number)
    pairs = [digits[start : start + 2] for start in range(0, len(digits), 2)]
    return [_PIECES + int(pair) + (100 if len(pair) == 1 else 0) for pair in pairs]


def histories(sequences: Sequences, count: int) -> tuple[list[list[int]], list[int]]:
    """Whole histories of users evenly spread over the dataset, and those users."""
    users = [1 + place * len(sequences.lengths) // count for place in range(count)]
    return [sequences.of(user).tolist() for user in users], users

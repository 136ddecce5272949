"""`text`: the paper's item tokens, "item_1234" split by a pretrained tokenizer."""

from typing import Any

import numpy as np

from genrec.errors import GenRecError
from genrec.indexing.codes import Ints
from genrec.indexing.tokens import SpecialTokens, TokenScheme, pad_rows

TEXT = "text"


def text_scheme(
    user_count: int, item_count: int, seed: int, tokenizer: Any, special: SpecialTokens | None = None
) -> TokenScheme:
    """The paper's scheme: "user_12" and "item_1234" split by a pretrained tokenizer.

    The numbers are shuffled with the seed: those of public files tell the order of first appearance.

    Args:
        user_count: Number of users, U.
        item_count: Number of items, I.
        seed: The run's seed.
        tokenizer: A Hugging Face tokenizer.
        special: What stands for its special tokens; by default its own pad, bos, eos and mask.

    Raises:
        GenRecError: The tokenizer lacks a special token.
    """
    special = special or _special(tokenizer)
    numbers = item_numbers(item_count, seed)
    items = _tokenise(tokenizer, [f" item_{number}" for number in numbers])
    if len({len(tokens) for tokens in items}) > 1:
        items = [[*tokens, special.end] for tokens in items]
    users = _tokenise(tokenizer, [f"user_{number}" for number in range(user_count + 1)])
    return TokenScheme(
        indexing=TEXT,
        item_tokens=pad_rows([[], *items], special.pad),
        user_tokens=pad_rows(users, special.pad),
        special=special,
        vocabulary=len(tokenizer),
    )


def item_numbers(item_count: int, seed: int) -> Ints:
    """int64 [items]: the number of each item in its text, from 1."""
    return np.random.default_rng(seed).permutation(item_count) + 1


def _tokenise(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    return tokenizer(texts, add_special_tokens=False)["input_ids"]


def _special(tokenizer: Any) -> SpecialTokens:
    tokens = {
        "pad": tokenizer.pad_token_id,
        "begin": tokenizer.bos_token_id,
        "end": tokenizer.eos_token_id,
        "mask": tokenizer.mask_token_id,
    }
    missing = [name for name, token in tokens.items() if token is None]
    if missing:
        raise GenRecError(
            f"the tokenizer has no {', '.join(missing)} token; use BART's or one with all of "
            "pad, bos (begin), eos (end) and mask"
        )
    return SpecialTokens(**tokens)

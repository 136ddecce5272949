"""Makes the token scheme of a run: tokens of our own from an order of the items, or text through a tokenizer."""

from typing import Any

import numpy as np

from genrec.data.dataset import Sequences
from genrec.errors import GenRecError
from genrec.indexing.rules import RULES, digits, random_order
from genrec.indexing.tokens import SpecialTokens, TokenScheme, pad_rows

TEXT = "text"
INDEXINGS = (TEXT, *RULES)

OWN = SpecialTokens(pad=0, begin=1, end=2, mask=3)
USER_TOKEN = 4
"""All users share it without text tokens; the ID embedding tells them apart."""
FIRST_CODE = 5


def own_scheme(sequences: Sequences, item_count: int, indexing: str, seed: int, depth: int = 0) -> TokenScheme:
    """A scheme with a vocabulary of its own: at each depth another set of codes, so a token knows its depth.

    Args:
        sequences: Whole sequences; every rule but the leaky one reads their training part only.
        item_count: Number of items, I.
        indexing: A name of `RULES`.
        seed: The run's seed.
        depth: Tokens of an item; 0 chooses by the catalogue's size.
    """
    codes = digits(RULES[indexing](sequences, item_count, seed), depth)
    sizes = codes.max(axis=0) + 1
    offsets = FIRST_CODE + np.cumsum(sizes) - sizes
    tokens = (codes + offsets).astype(np.int32)
    tokens[0] = OWN.pad
    return TokenScheme(
        indexing=indexing,
        item_tokens=tokens,
        user_tokens=np.array([[USER_TOKEN]], dtype=np.int32),
        special=OWN,
        vocabulary=int(FIRST_CODE + sizes.sum()),
    )


def text_scheme(sequences: Sequences, user_count: int, item_count: int, seed: int, tokenizer: Any) -> TokenScheme:
    """The paper's scheme: "user_12" and "item_1234" split by a pretrained tokenizer.

    The numbers are shuffled with the seed: those of public files tell the order of first appearance.

    Args:
        sequences: Only handed to the shuffle, which looks at nothing.
        user_count: Number of users, U.
        item_count: Number of items, I.
        seed: The run's seed.
        tokenizer: A Hugging Face tokenizer with pad, bos, eos and mask tokens.

    Raises:
        GenRecError: The tokenizer lacks a special token.
    """
    special = _special(tokenizer)
    numbers = np.empty(item_count + 1, dtype=np.int64)
    numbers[random_order(sequences, item_count, seed)] = np.arange(1, item_count + 1)
    items = _tokenise(tokenizer, [f" item_{number}" for number in numbers[1:]])
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

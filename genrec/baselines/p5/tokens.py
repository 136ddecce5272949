"""P5's tokens: of a pretrained tokenizer, or of our own."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from genrec.baselines.p5.prompts import TEMPLATES, Prompt, Word, spell, words_of_templates
from genrec.baselines.settings import P5Config
from genrec.data.dataset import Dataset
from genrec.data.split import train_part
from genrec.errors import GenRecError
from genrec.indexing.codes import digits
from genrec.indexing.evidence import read_descriptions
from genrec.indexing.scheme import FIRST_CODE, OWN, TEXT, USER_TOKEN, own_scheme, text_scheme
from genrec.indexing.tokens import SpecialTokens, TokenMatrix, TokenScheme

Language = tuple[TokenScheme, list[Prompt], Word]
"""Tokens of items and users; the prompts; what stands between two items."""


def own_language(config: P5Config, data: Dataset) -> Language:
    """Tokens of our own: the items' by a rule, the users' in the same way without any, one for each word."""
    scheme = _own_items(config, data)
    users = _user_tokens(data.user_count, config.seed, scheme.vocabulary)
    first = int(users.max()) + 1
    words = {word: [first + number] for number, word in enumerate(words_of_templates())}
    scheme = replace(scheme, user_tokens=_learned(users, data), vocabulary=first + len(words))
    return scheme, _prompts(words.__getitem__), []


def pretrained_language(config: P5Config, data: Dataset, tokenizer: Any, vocabulary: int) -> Language:
    """A pretrained tokenizer's words; the items' tokens too, or new ones by a rule, behind the vocabulary.

    Args:
        config: The settings.
        data: The dataset.
        tokenizer: T5's, or another with padding and an end.
        vocabulary: Number of tokens that the weights know.

    Raises:
        GenRecError: The tokenizer lacks a special token, or does not fit the weights.
    """
    pad, end = tokenizer.pad_token_id, tokenizer.eos_token_id
    if pad is None or end is None or len(tokenizer) > vocabulary:
        raise GenRecError(
            f"the tokenizer has {len(tokenizer)} tokens, of which the weights know {vocabulary}, and must have "
            "padding and an end (</s>); give weights with T5's tokenizer"
        )
    special = SpecialTokens(pad, begin=pad, end=end, mask=pad)  # T5 begins with padding and has no mask
    scheme = text_scheme(data.user_count, data.item_count, config.seed, tokenizer, special)
    scheme = replace(scheme, user_tokens=_learned(scheme.user_tokens, data), vocabulary=vocabulary)
    if config.indexing != TEXT:
        own = _own_items(config, data)
        moved = np.where(own.item_tokens == OWN.pad, pad, own.item_tokens - FIRST_CODE + vocabulary)
        scheme = replace(
            scheme,
            indexing=own.indexing,
            item_tokens=moved.astype(np.int32),
            vocabulary=vocabulary + own.vocabulary - FIRST_CODE,
        )

    def tokens_of(word: str) -> Word:
        return list(tokenizer(word, add_special_tokens=False)["input_ids"])

    return scheme, _prompts(tokens_of), tokens_of(",")


def _own_items(config: P5Config, data: Dataset) -> TokenScheme:
    describe = partial(read_descriptions, data.path)
    return own_scheme(
        data.sequences, data.item_count, config.indexing, config.seed, config.item_depth, describe=describe
    )


def _user_tokens(count: int, seed: int, first: int) -> TokenMatrix:
    """int32 [users + 1, n]: the token of users, then codes in an order that means nothing; user 0 has none."""
    codes = digits(np.random.default_rng([seed, 2]).permutation(count) + 1, 0)
    sizes = codes.max(axis=0) + 1
    tokens = codes + first + np.cumsum(sizes) - sizes
    tokens[0] = OWN.pad
    return np.insert(tokens, 0, USER_TOKEN, axis=1).astype(np.int32)


def _learned(users: TokenMatrix, data: Dataset) -> TokenMatrix:
    """The same with the unknown user's tokens for those users who have no example to learn from."""
    learned = np.concatenate([[True], train_part(data.sequences).lengths > 1])
    return np.where(learned[:, None], users, users[0])


def _prompts(tokens_of: Callable[[str], Word]) -> list[Prompt]:
    return [spell(template, tokens_of) for template in TEMPLATES]

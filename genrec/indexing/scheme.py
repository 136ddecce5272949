"""Makes the token scheme of a run from a rule's codes; `genrec.indexing.text` makes the other kind."""

from collections.abc import Callable

import numpy as np

from genrec.data.dataset import Sequences
from genrec.data.split import train_part
from genrec.indexing.evidence import Descriptions, Evidence, no_descriptions, relabelled
from genrec.indexing.rules import LEAKY_SEQUENTIAL, RULES
from genrec.indexing.text import TEXT, text_scheme
from genrec.indexing.tokens import SpecialTokens, TokenScheme

__all__ = ["INDEXINGS", "TEXT", "own_scheme", "text_scheme"]

INDEXINGS = (TEXT, *RULES)

OWN = SpecialTokens(pad=0, begin=1, end=2, mask=3)
USER_TOKEN = 4
"""All users share it without text tokens; the ID embedding tells them apart."""
FIRST_CODE = 5


def own_scheme(
    sequences: Sequences,
    item_count: int,
    indexing: str,
    seed: int,
    depth: int = 0,
    describe: Callable[[], Descriptions] = no_descriptions,
    text_encoder: str | None = None,
) -> TokenScheme:
    """A scheme with a vocabulary of its own: at each depth another set of codes, so a token knows its depth.

    Args:
        sequences: Whole sequences; every rule but the leaky one is given their training part only.
        item_count: Number of items, I.
        indexing: A name of `RULES`.
        seed: The run's seed.
        depth: Tokens of an item; 0 chooses by the catalogue's size.
        describe: Reads the items' titles and attributes, in index order.
        text_encoder: A sentence-transformers model for the rules that read those.

    Raises:
        GenRecError: The rule reads descriptions, and there are none; or the text encoder cannot be had.
    """
    train = train_part(sequences)
    visible = sequences if indexing == LEAKY_SEQUENTIAL else train
    evidence, labels = relabelled(
        Evidence(visible, item_count, depth, describe, text_encoder), seen=train, seed=seed
    )
    codes = RULES[indexing](evidence, seed)[labels]
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

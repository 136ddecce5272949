"""Item indexing: the rules that give each item its codes, from the training part alone.

Every rule numbers or orders the items; `digits` turns an order into balanced, unique codes. The source's own
numbering never reaches a rule: `shuffled` numbers come first, because public files number items by first
appearance over whole sequences, test items included.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from genrec.data.dataset import Sequences
from genrec.data.split import train_part
from genrec.indexing.collaborative import similarity_order

Order = NDArray[np.int64]
"""int64 [items]: item indexes (1..I) in the order in which they get their codes."""

Rule = Callable[[Sequences, int, int], Order]
"""(whole sequences, item count, seed) -> order."""

BITS_PER_TOKEN = 8
"""A token chooses among at most 2**8 codes, so a step looks at no more than 256 children per beam."""


def random_order(sequences: Sequences, item_count: int, seed: int) -> Order:
    """Items in a random order: codes mean nothing, the embeddings must learn everything."""
    return np.random.default_rng(seed).permutation(item_count) + 1


def sequential_order(sequences: Sequences, item_count: int, seed: int) -> Order:
    """Items by first appearance in the training part; those that it never shows follow, shuffled."""
    return _by_first_appearance(train_part(sequences), item_count, seed)


def leaky_sequential_order(sequences: Sequences, item_count: int, seed: int) -> Order:
    """Items by first appearance over whole sequences: the published protocol, which leaks the test item."""
    return _by_first_appearance(sequences, item_count, seed)


def collaborative_order(sequences: Sequences, item_count: int, seed: int) -> Order:
    """Items such that neighbours are used by the same people in the training part."""
    return similarity_order(train_part(sequences), item_count, seed)


RULES: dict[str, Rule] = {
    "random": random_order,
    "sequential": sequential_order,
    "collaborative": collaborative_order,
    "leaky-sequential": leaky_sequential_order,
}


def _by_first_appearance(sequences: Sequences, item_count: int, seed: int) -> Order:
    items, first = np.unique(sequences.items, return_index=True)
    seen = items[np.argsort(first)].astype(np.int64)
    unseen = np.setdiff1d(random_order(sequences, item_count, seed), seen)
    return np.concatenate([seen, np.random.default_rng(seed).permutation(unseen)])


def digits(order: Order, depth: int) -> NDArray[np.int64]:
    """Codes of the items: the digits of each item's place in the order, in the smallest base that fits.

    Args:
        order: Item indexes in order.
        depth: Number of digits; 0 chooses the fewest that keep a digit within 2**BITS_PER_TOKEN, at least 2.

    Returns:
        int64 [items + 1, depth]; row i holds item i's digits, row 0 is zero.

    >>> digits(np.array([2, 1, 3]), depth=2).tolist()
    [[0, 0], [0, 1], [0, 0], [1, 0]]
    """
    count = len(order)
    if not depth:
        depth = 2
        while count > 2 ** (BITS_PER_TOKEN * depth):
            depth += 1
    base = 1
    while base**depth < count:
        base += 1
    codes = np.zeros((count + 1, depth), dtype=np.int64)
    place = np.arange(count)
    for column in reversed(range(depth)):
        codes[order, column] = place % base
        place = place // base
    return codes

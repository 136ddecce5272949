"""Codes from an order of the items: unique, balanced, of bounded depth, whatever made the order."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

BITS_PER_TOKEN = 8
"""A token chooses among at most 2**8 codes, so a step looks at no more than 256 children per beam."""


def fan_out(count: int, depth: int = 0) -> tuple[int, int]:
    """How deep and how wide the tree of `count` items is.

    Args:
        count: Number of items.
        depth: Codes of an item; 0 chooses the fewest that keep a code within 2**BITS_PER_TOKEN, at least 2.

    Returns:
        The depth, and the smallest number of children per node that fits.

    >>> fan_out(12_101), fan_out(1_000_000), fan_out(8, depth=3)
    ((2, 111), (3, 100), (3, 2))
    """
    if not depth:
        depth = 2
        while count > 2 ** (BITS_PER_TOKEN * depth):
            depth += 1
    base = 1
    while base**depth < count:
        base += 1
    return depth, base


def part_sizes(count: int, parts: int) -> Ints:
    """int64 [parts]: sizes that differ by one at most, the larger ones first.

    >>> part_sizes(7, 3).tolist()
    [3, 2, 2]
    """
    return count // parts + (np.arange(parts) < count % parts)


def digits(order: Ints, depth: int) -> Ints:
    """Codes of the items: the order is cut into equal parts, each of these again, and so on.

    Two nodes of one level have numbers of items below them that differ by one at most, and the children of every
    node are coded 0, 1, 2, ... without gaps.

    Args:
        order: int64 [items], item indexes in order.
        depth: Codes of an item; 0 chooses, see `fan_out`.

    Returns:
        int64 [items + 1, depth]; row i holds item i's codes, row 0 is zero.

    >>> digits(np.array([2, 1, 3]), depth=2).tolist()
    [[0, 0], [0, 1], [0, 0], [1, 0]]
    """
    depth, base = fan_out(len(order), depth)
    codes = np.zeros((len(order) + 1, depth), dtype=np.int64)
    place = np.arange(len(order))  # within the item's node
    size = np.full(len(order), len(order))  # of that node
    for column in range(depth):
        least, larger = np.divmod(size, base)
        border = larger * (least + 1)
        code = np.where(place < border, place // (least + 1), larger + (place - border) // np.maximum(least, 1))
        place = place - np.where(place < border, code * (least + 1), border + (code - larger) * least)
        size = least + (code < larger)
        codes[order, column] = code
    return codes

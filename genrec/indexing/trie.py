"""The prefix tree of all items' tokens as flat arrays, a CSR level by level."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec.indexing.tokens import TokenMatrix

Array = NDArray[np.int32]


@dataclass(frozen=True)
class Level:
    """The step from the nodes at one depth (parents) to those at the next (children, in parents' order).

    Attributes:
        start: [parents + 1] number of each parent's first child, whose siblings follow; the last entry is the
            number of children.
        token: [children] place of each child's token in `vocabulary`.
        leaves: [children] number of items below each child.
        vocabulary: Tokens that occur at this depth, ascending.
        node_of_item: [items + 1] the child on each item's path; -1 for row 0.
    """

    start: Array
    token: Array
    leaves: Array
    vocabulary: Array
    node_of_item: Array

    @property
    def widest(self) -> int:
        """Most children of a parent."""
        return int(np.diff(self.start).max())

    @property
    def aligned(self) -> bool:
        """Whether every parent's n-th child has the n-th token of the vocabulary, as balanced codes have it."""
        parent = np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))
        return bool((self.token == np.arange(len(self.token)) - self.start[parent]).all())


@dataclass(frozen=True)
class Trie:
    """All levels at which there is a choice; the children of the last are the items.

    Attributes:
        prefix: Tokens that all items begin with.
        levels: One per token after those, up to the last that tells items apart: what follows is sure.
        item_of_leaf: [items] item index of each node at the last depth.
    """

    prefix: Array
    levels: tuple[Level, ...]
    item_of_leaf: Array


def build_trie(item_tokens: TokenMatrix) -> Trie:
    """Build the tree of the rows 1.. of a token matrix; memory and time grow linearly (but for one sort).

    Items of different lengths end with [END] and are filled up with padding: below an ended item stands a
    chain of single children, along which a search keeps its place and its score.

    Args:
        item_tokens: int32 [items + 1, depth], rows distinct.
    """
    tokens = item_tokens[1:]
    order = np.lexsort(tokens.T[::-1])
    ranked = tokens[order]
    parent = np.zeros(len(ranked), dtype=np.int64)  # node of each ranked item at the depth reached so far
    levels = []
    for depth in range(tokens.shape[1]):
        changes = np.ones(len(ranked), dtype=bool)
        changes[1:] = (parent[1:] != parent[:-1]) | (ranked[1:, depth] != ranked[:-1, depth])
        child = np.cumsum(changes) - 1
        levels.append(_level(parent, child, ranked[:, depth], changes, order))
        parent = child
    while len(levels) > 1 and levels[-1].widest == 1:
        levels.pop()
    shared = 0
    while shared + 1 < len(levels) and len(levels[shared].token) == 1:
        shared += 1
    return Trie(ranked[0, :shared], tuple(levels[shared:]), (order + 1).astype(np.int32))


def _level(
    parent: NDArray[np.int64],
    child: NDArray[np.int64],
    token: Array,
    first: NDArray[np.bool_],
    order: NDArray[np.int64],
) -> Level:
    count = np.bincount(parent[first])
    vocabulary, place = np.unique(token[first], return_inverse=True)
    node_of_item = np.full(len(order) + 1, -1, dtype=np.int32)
    node_of_item[order + 1] = child
    return Level(
        start=np.concatenate([[0], np.cumsum(count)]).astype(np.int32),
        token=place.astype(np.int32),
        leaves=np.bincount(child).astype(np.int32),
        vocabulary=vocabulary.astype(np.int32),
        node_of_item=node_of_item,
    )

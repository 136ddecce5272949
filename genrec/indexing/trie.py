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
        start: [parents] number of each parent's first child; its children are consecutive.
        count: [parents] number of its children.
        token: [children] place of each child's token in `vocabulary`.
        leaves: [children] number of items below each child.
        vocabulary: Tokens that occur at this depth, ascending.
        node_of_item: [items + 1] the child on each item's path; -1 for row 0.
        slot_of_item: [items + 1] that child's place among its parent's children; 0 for row 0.
    """

    start: Array
    count: Array
    token: Array
    leaves: Array
    vocabulary: Array
    node_of_item: Array
    slot_of_item: Array


@dataclass(frozen=True)
class Trie:
    """All levels; the nodes at the last depth are the items.

    Attributes:
        levels: One per token.
        item_of_leaf: [items] item index of each node at the last depth.
    """

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
    return Trie(levels=tuple(levels), item_of_leaf=(order + 1).astype(np.int32))


def _level(
    parent: NDArray[np.int64],
    child: NDArray[np.int64],
    token: Array,
    first: NDArray[np.bool_],
    order: NDArray[np.int64],
) -> Level:
    parent_of_child = parent[first]
    count = np.bincount(parent_of_child)
    start = np.cumsum(count) - count
    vocabulary, place = np.unique(token[first], return_inverse=True)
    node_of_item = np.full(len(order) + 1, -1, dtype=np.int32)
    slot_of_item = np.zeros(len(order) + 1, dtype=np.int32)
    node_of_item[order + 1] = child
    slot_of_item[order + 1] = child - start[parent]
    return Level(
        start=start.astype(np.int32),
        count=count.astype(np.int32),
        token=place.astype(np.int32),
        leaves=np.bincount(child).astype(np.int32),
        vocabulary=vocabulary.astype(np.int32),
        node_of_item=node_of_item,
        slot_of_item=slot_of_item,
    )

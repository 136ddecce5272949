"""`collaborative`: items that people use one soon after the other share first codes."""

import numpy as np
from numpy.typing import NDArray

from genrec.data.tables import Sequences
from genrec.indexing.clusters import cluster_order
from genrec.indexing.codes import Ints, digits
from genrec.indexing.evidence import Evidence
from genrec.indexing.vectors import Vectors, row_vectors

Floats = NDArray[np.float64]

WINDOW = 5
"""How far apart two items of a history may stand to count as a pair. A decomposition of whole histories clusters
worse: the last item's cluster predicts the next item 0.1 to 0.2 bits worse (Beauty, Sports, Yelp; the measure of
benchmarks/indexing.py)."""


def collaborative_codes(evidence: Evidence, seed: int) -> Ints:
    """int64 [items + 1, depth]: codes of a balanced tree over co-occurrence vectors."""
    order = cluster_order(item_vectors(evidence.train, evidence.item_count, seed), evidence.depth, seed)
    return digits(order, evidence.depth)


def item_vectors(train: Sequences, item_count: int, seed: int) -> Vectors:
    """Truncated SVD of the items' co-occurrence; items without any are zero.

    A pair at distance d within a history counts 1 / d, in both directions; weights are divided by the root of both
    items' sums, so that popularity alone makes no two items similar.

    Args:
        train: The training part of all sequences.
        item_count: Number of items, I.
        seed: Of the decomposition's random start.
    """
    rows, columns, weights = _pairs(train, item_count)
    sums = np.bincount(rows, weights, minlength=item_count)
    weights = weights / np.sqrt(sums[rows] * sums[columns])
    return row_vectors(rows, columns, weights, (item_count, item_count), seed)


def _pairs(train: Sequences, item_count: int) -> tuple[Ints, Ints, Floats]:
    """The symmetric matrix of co-occurrence, items from 0: rows, columns, weights, each place once."""
    users = np.repeat(np.arange(len(train.lengths)), train.lengths)
    items = train.items.astype(np.int64) - 1
    keys: Ints = np.empty(0, np.int64)
    weights: Floats = np.empty(0)
    for distance in range(1, WINDOW + 1):
        together = users[distance:] == users[:-distance]
        first, second = items[:-distance][together], items[distance:][together]
        low, high = np.minimum(first, second), np.maximum(first, second)
        different = low != high
        found = low[different] * item_count + high[different]
        keys, place = np.unique(np.concatenate([keys, found]), return_inverse=True)
        sums = np.bincount(place, np.concatenate([weights, np.full(len(found), 1 / distance)]), len(keys))
        weights = sums.astype(np.float64)
    low, high = np.divmod(keys, item_count)
    return np.concatenate([low, high]), np.concatenate([high, low]), np.concatenate([weights, weights])

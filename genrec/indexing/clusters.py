"""A balanced tree over the items' vectors, made from the root down by k-means with a capacity per cluster.

Residual k-means, the usual way to semantic IDs (TIGER, arXiv 2305.05065), lets clusters grow as they like and
gives colliding codes, which TIGER tells apart by one more code. The clusters of a catalogue are very unequal, and
so would be the trie's branches. Here every cluster has a capacity, as in balanced k-means (Malinen and Fränti
2014, doi 10.1007/978-3-662-44415-3_4): siblings differ by one item at most, the last code only numbers the items
of a leaf, and codes are unique without an additional one.

The items of each node get centroids of their own. Sharing those of residuals among the nodes of a level, as
residual k-means does, describes a node's items worse: of three codes the first two predicted the next item 0.1 to
0.2 bits worse (Beauty, Sports, Yelp; the measure of benchmarks/indexing.py). The decoder has read the prefix when
it chooses the next code, so it can follow codes whose meaning depends on the prefix.

Items are compared with a node's centroids in chunks, and centroids come from a sample where a node has many items:
what a catalogue of millions needs besides its vectors does not grow with it.
"""

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrec.indexing.codes import Ints, fan_out, part_sizes
from genrec.indexing.vectors import Vectors

SAMPLE = 65_536
"""Items of a node that its centroids are made of; at most 256 centroids have 256 each."""
_ROUNDS = 3
"""Of assigning and averaging; more make no better clusters, for they begin as a tree of median cuts."""
_PRICE_ROUNDS = 20
"""Of adjusting the clusters' prices to the demand (Sinkhorn's algorithm; Cuturi 2013, arXiv 1306.0895)."""
_SOFTNESS = 0.05
"""Temperature of the demand, in standard deviations of the distances."""
_DEMAND = 32_768
"""Rows that tell the demand; they stand in a random order, as labels do."""
_CHUNK = 8_192
"""Rows of a matrix of distances."""


def cluster_order(vectors: Vectors, depth: int, seed: int) -> Ints:
    """Order the items so that `genrec.indexing.codes.digits` cuts the order into clusters of similar items.

    Args:
        vectors: float32 [items, rank]; a row of zeros is an item of which nothing is known; it fills
            what is free.
        depth: That `digits` will be given.
        seed: Of the samples and the places of unknown items.

    Returns:
        int64 [items] item indexes, from 1.
    """
    rng = np.random.default_rng(seed)
    unknown = np.flatnonzero(~vectors.any(axis=1))
    vectors = vectors.copy()
    vectors[unknown] = rng.standard_normal((len(unknown), vectors.shape[1])) * 1e-3
    depth, base = fan_out(len(vectors), depth)
    order = np.arange(len(vectors))
    bounds = np.array([0, len(vectors)])
    for _ in range(depth - 1):
        inner = [bounds[:1]]
        for start, end in pairwise(bounds):
            members = order[start:end]
            if len(members) > base:  # below, every item is a child of its own
                label = balanced_clusters(torch.from_numpy(vectors[members]), base, rng)
                order[start:end] = members[np.argsort(label, kind="stable")]
            inner.append(start + np.cumsum(part_sizes(len(members), base)))
        bounds = np.unique(np.concatenate(inner))
    return order + 1


def balanced_clusters(vectors: Tensor, count: int, rng: np.random.Generator) -> Ints:
    """Divide rows among clusters of `part_sizes`.

    Args:
        vectors: float32 [rows, rank]; rows > count.
        count: Number of clusters.
        rng: Draws the sample.

    Returns:
        int64 [rows]: the cluster of each row, from 0.
    """
    sample = vectors
    if len(vectors) > SAMPLE:
        sample = vectors[torch.from_numpy(np.sort(rng.choice(len(vectors), SAMPLE, replace=False)))]
    label = np.empty(len(sample), np.int64)
    for cluster, members in enumerate(_median_cuts(sample.numpy(), np.arange(len(sample)), count)):
        label[members] = cluster
    for _ in range(_ROUNDS):
        centroids = _means(sample, label, count)
        prices = _prices(sample, centroids, part_sizes(len(sample), count))
        label = _assign(sample, centroids, prices)
    return label if sample is vectors else _assign(vectors, centroids, prices)


def _median_cuts(vectors: Vectors, members: Ints, count: int) -> list[Ints]:
    """Cut across the widest direction, in proportion to the clusters on either side, again and again."""
    if count == 1:
        return [members]
    centred = vectors[members] - vectors[members].mean(axis=0)
    direction = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    direction *= np.sign(direction[np.abs(direction).argmax()])  # the sign of an eigenvector is arbitrary
    ranked = members[np.argsort(centred @ direction, kind="stable")]
    left = (count + 1) // 2
    border = part_sizes(len(members), count)[:left].sum()
    return _median_cuts(vectors, ranked[:border], left) + _median_cuts(vectors, ranked[border:], count - left)


def _means(vectors: Tensor, label: Ints, count: int) -> Tensor:
    """float32 [count, rank]: the mean of each cluster, none of which is empty."""
    places = torch.from_numpy(label)
    sums = torch.zeros(count, vectors.shape[1]).index_add_(0, places, vectors)
    return sums / torch.bincount(places, minlength=count).unsqueeze(1)


def _distances(vectors: Tensor, centroids: Tensor) -> Tensor:
    """float32 [rows, count]: squared distances, but for what a row has in common with all clusters."""
    return (centroids**2).sum(1) - 2 * vectors @ centroids.T


def _prices(vectors: Tensor, centroids: Tensor, sizes: Ints) -> Tensor:
    """float32 [count]: what to add to the distances so that about `sizes` rows prefer each cluster."""
    distances = _distances(vectors[:_DEMAND], centroids)
    softness = _SOFTNESS * float(distances.std())
    wanted = torch.from_numpy(sizes / sizes.sum()).float()
    favour = torch.zeros(len(centroids))
    for _ in range(_PRICE_ROUNDS if softness > 0 else 0):
        demand = (favour - distances / softness).softmax(1).mean(0)
        favour += (wanted / demand.clamp_min(1e-9)).log()
    return -softness * favour


def _assign(vectors: Tensor, centroids: Tensor, prices: Tensor) -> Ints:
    """The best cluster with room for each row; where too many want one, those go on who lose least by it.

    Every round places all rows or fills a cluster, so there are no more rounds than clusters; with good prices few
    rows are left after the first.
    """
    label = np.empty(len(vectors), np.int64)
    room = part_sizes(len(vectors), len(centroids))
    left = np.arange(len(vectors))
    while len(left):
        closed = torch.from_numpy(np.where(room > 0, 0.0, np.inf)).float()
        choice, loss = _choices(vectors, left, centroids, prices + closed)
        rank = np.lexsort((-loss, choice))
        wanted = choice[rank]
        placed = np.arange(len(left)) - np.searchsorted(wanted, wanted) < room[wanted]
        label[left[rank[placed]]] = wanted[placed]
        room -= np.bincount(wanted[placed], minlength=len(room))
        left = np.sort(left[rank[~placed]])
    return label


def _choices(vectors: Tensor, rows: Ints, centroids: Tensor, prices: Tensor) -> tuple[Ints, NDArray[np.float32]]:
    """Each row's cheapest cluster, int64 [rows], and how much more the second cheapest costs, float32 [rows]."""
    found = []
    for start in range(0, len(rows), _CHUNK):
        chunk = vectors[torch.from_numpy(rows[start : start + _CHUNK])]
        found.append((_distances(chunk, centroids) + prices).topk(2, dim=1, largest=False))
    costs = torch.cat([values for values, _ in found])
    return torch.cat([places[:, 0] for _, places in found]).numpy(), (costs[:, 1] - costs[:, 0]).numpy()

"""An order of the items in which neighbours are similar: a balanced tree over co-occurrence vectors."""

import numpy as np
import torch
from numpy.typing import NDArray

from genrec.data.dataset import Sequences

RANK = 64
"""Length of an item's vector; enough for a tree, little enough for a catalogue of millions."""


def similarity_order(train: Sequences, item_count: int, seed: int) -> NDArray[np.int64]:
    """Order the items by recursive bisection of their vectors.

    Args:
        train: The training part of all sequences.
        item_count: Number of items, I.
        seed: Makes the sketch of the decomposition and the place of unseen items repeatable.

    Returns:
        int64 [I] item indexes; every dyadic stretch of the order is a cluster of similar items.
    """
    rng = np.random.default_rng(seed)
    vectors = item_vectors(train, item_count, seed)
    unseen = np.flatnonzero(~vectors.any(axis=1))
    vectors[unseen] = rng.standard_normal((len(unseen), vectors.shape[1])) * 1e-3
    return _bisect(vectors, np.arange(item_count)) + 1


def item_vectors(train: Sequences, item_count: int, seed: int) -> NDArray[np.float32]:
    """Truncated SVD of the user-item matrix, degrees normalised: float32 [I, rank]; unseen items are zero."""
    users = np.repeat(np.arange(len(train.lengths)), train.lengths)
    pairs = np.unique(np.stack([users, train.items - 1]), axis=1)
    user_degree = np.bincount(pairs[0], minlength=len(train.lengths))
    item_degree = np.bincount(pairs[1], minlength=item_count)
    weights = 1.0 / np.sqrt(user_degree[pairs[0]] * item_degree[pairs[1]])
    shape = (len(train.lengths), item_count)
    matrix = torch.sparse_coo_tensor(
        torch.from_numpy(pairs), torch.from_numpy(weights).float(), shape, check_invariants=False
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _, values, items = torch.svd_lowrank(matrix, q=min(RANK, *shape), niter=4)
    vectors = items * values
    # The first direction is popularity; lengths are dropped for the same reason: only taste should matter.
    vectors = vectors[:, 1:] if vectors.shape[1] > 1 else vectors
    seen = torch.from_numpy(item_degree > 0).unsqueeze(1)
    return (torch.nn.functional.normalize(vectors) * seen).numpy()


def _bisect(vectors: NDArray[np.float32], members: NDArray[np.int64]) -> NDArray[np.int64]:
    """Split at the median of the widest direction, again and again; the left part is the larger by one."""
    if len(members) <= 2:
        return members
    centred = vectors[members] - vectors[members].mean(axis=0)
    covariance = centred.T @ centred
    direction = np.linalg.eigh(covariance)[1][:, -1]
    direction *= np.sign(direction[np.abs(direction).argmax()])  # the sign of an eigenvector is arbitrary
    ranked = members[np.argsort(centred @ direction, kind="stable")]
    half = (len(ranked) + 1) // 2
    return np.concatenate([_bisect(vectors, ranked[:half]), _bisect(vectors, ranked[half:])])

"""Balanced clusters of vectors: sizes are exact, what is close stays together."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.indexing import clusters
from genrec.indexing.clusters import balanced_clusters, cluster_order
from genrec.indexing.codes import digits, part_sizes


def clouds(groups: int, size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Shuffled unit vectors around `groups` directions, and the group of each."""
    rng = np.random.default_rng(seed)
    group = rng.permutation(np.repeat(np.arange(groups), size))
    vectors = rng.standard_normal((groups, 16))[group] + 0.1 * rng.standard_normal((len(group), 16))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), group


@pytest.mark.parametrize("sample", [10**6, 64])
def test_planted_clusters_are_found(monkeypatch, sample):
    """With all items, and with centroids of a sample."""
    monkeypatch.setattr(clusters, "SAMPLE", sample)
    vectors, group = clouds(groups=8, size=20)
    label = balanced_clusters(torch.from_numpy(vectors), 8, np.random.default_rng(0))
    assert len({*zip(label.tolist(), group.tolist(), strict=True)}) == 8


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(2, 200),
    count=st.integers(2, 20),
    kind=st.sampled_from(["spread", "all equal", "two points"]),
    seed=st.integers(0, 5),
)
def test_sizes_are_exact_whatever_the_vectors(rows, count, kind, seed):
    if rows <= count:
        return
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((rows, 5)).astype(np.float32)
    if kind != "spread":
        vectors[:] = vectors[rng.integers(0, 1 if kind == "all equal" else 2, rows)]
    label = balanced_clusters(torch.from_numpy(vectors), count, rng)
    assert np.bincount(label, minlength=count).tolist() == part_sizes(rows, count).tolist()


def test_both_levels_of_a_tree_are_clusters():
    """27 items in 3 groups of 3 groups: the first code tells the outer group, the second the inner one."""
    rng = np.random.default_rng(0)
    outer, inner = np.repeat(np.arange(3), 9), np.repeat(np.arange(9), 3)
    vectors = np.zeros((27, 12))
    vectors[np.arange(27), outer] = 1.0
    vectors[np.arange(27), 3 + inner] = 0.5
    vectors += 0.01 * rng.standard_normal(vectors.shape)
    codes = digits(cluster_order(vectors.astype(np.float32), 3, seed=0), 3)[1:]
    assert len({*zip(codes[:, 0].tolist(), outer.tolist(), strict=True)}) == 3
    assert len({*zip(codes[:, 0].tolist(), codes[:, 1].tolist(), inner.tolist(), strict=True)}) == 9


def test_unknown_items_do_not_part_what_belongs_together():
    vectors, group = clouds(groups=4, size=15)
    vectors = np.vstack([vectors, np.zeros((4, 16), np.float32)])
    codes = digits(cluster_order(vectors, 2, seed=0), 2)[1:]
    # 8 first codes of 8 items each, so a group of 15 fills two codes but for one place; chance would mix 3.
    mixed = [len(set(group[codes[:60, 0] == code].tolist())) for code in range(8)]
    assert sum(mixed) <= 12


def test_vectors_are_left_alone():
    vectors = np.zeros((10, 3), np.float32)
    cluster_order(vectors, 2, seed=0)
    assert not vectors.any()

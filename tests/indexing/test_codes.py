"""Codes of an order: equal parts of equal parts."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genrec.indexing.codes import digits, fan_out, part_sizes
from genrec.indexing.trie import build_trie


@given(count=st.integers(1, 3000), depth=st.integers(0, 4))
def test_digits_are_unique_balanced_and_bounded(count, depth):
    order = np.random.default_rng(count).permutation(count) + 1
    codes = digits(order, depth)[1:]
    assert len(np.unique(codes, axis=0)) == count
    assert codes.shape[1] == (depth or 2)
    assert codes.max(initial=0) + 1 <= np.ceil(count ** (1 / codes.shape[1])) + 1
    ordered = codes[order - 1]
    assert (np.lexsort(ordered.T[::-1]) == np.arange(count)).all(), "codes ascend along the order"
    for level in range(1, codes.shape[1] + 1):
        _, below = np.unique(codes[:, :level], axis=0, return_counts=True)
        assert below.max() - below.min() <= 1
    assert all(level.aligned for level in build_trie((digits(order, depth) + 1).astype(np.int32)).levels)


def test_parts_are_those_of_part_sizes():
    codes = digits(np.arange(1, 12), depth=2)[1:]
    base = fan_out(11, 2)[1]
    assert base == 4
    assert np.bincount(codes[:, 0]).tolist() == part_sizes(11, base).tolist() == [3, 3, 3, 2]


def test_a_code_chooses_among_256_at_most():
    assert [fan_out(2**bits)[0] for bits in (0, 8, 16, 17, 24, 25)] == [2, 2, 2, 3, 3, 4]
    assert all(fan_out(count)[1] <= 256 for count in (1, 65_536, 65_537, 10**6, 2**24, 2**24 + 1))

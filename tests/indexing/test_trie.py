"""The trie's flat arrays against a dictionary of prefixes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genrec.indexing.trie import build_trie
from tests.helpers import text_like_scheme


def check(tokens: np.ndarray) -> None:
    trie = build_trie(tokens)
    rows = [tuple(row) for row in tokens[1:].tolist()]
    shared = len(trie.prefix)
    assert all(row[:shared] == tuple(trie.prefix) for row in rows)
    rows = [row[shared : shared + len(trie.levels)] for row in rows]
    assert len(set(rows)) == len(rows)
    for depth, level in enumerate(trie.levels):
        for item, row in enumerate(rows, start=1):
            child = level.node_of_item[item]
            below = [other for other in rows if other[: depth + 1] == row[: depth + 1]]
            assert level.leaves[child] == len(below)
            assert level.vocabulary[level.token[child]] == row[depth]
            parent = trie.levels[depth - 1].node_of_item[item] if depth else 0
            siblings = {other[depth] for other in rows if other[:depth] == row[:depth]}
            assert level.start[parent + 1] - level.start[parent] == len(siblings)
            assert level.start[parent] + sorted(siblings).index(row[depth]) == child
        whole = [sorted({other[depth] for other in rows if other[:depth] == row[:depth]}) for row in rows]
        assert level.aligned == all(list(level.vocabulary[: len(tokens)]) == tokens for tokens in whole)
    for leaf, item in enumerate(trie.item_of_leaf):
        assert trie.levels[-1].node_of_item[item] == leaf


def test_tokens_of_different_lengths():
    check(text_like_scheme(items=25).item_tokens)


@given(st.sets(st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=30))
def test_random_trees(rows):
    check(np.array([(0, 0, 0), *rows], dtype=np.int32))

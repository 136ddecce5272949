"""Co-occurrence within a window of the training part."""

import numpy as np

from genrec.data.split import train_part
from genrec.data.tables import Sequences
from genrec.indexing.collaborative import _pairs, item_vectors
from genrec.indexing.scheme import own_scheme
from tests.indexing.helpers import community_sequences, renumber


def test_communities_share_no_code():
    sequences = community_sequences(groups=4, size=16)
    tokens = own_scheme(sequences, 64, "collaborative", seed=0).item_tokens[1:]
    community = np.arange(64) // 16
    for code in np.unique(tokens[:, 0]):
        assert len(set(community[tokens[:, 0] == code].tolist())) == 1


def test_renumbered_items_are_divided_as_before():
    """The very same partition, unseen items aside, which go anywhere."""
    sequences = community_sequences(groups=4, size=16)
    numbers = np.concatenate([[0], np.random.default_rng(1).permutation(64) + 1])
    before = own_scheme(sequences, 64, "collaborative", seed=0).item_tokens
    after = own_scheme(renumber(sequences, numbers), 64, "collaborative", seed=0).item_tokens[numbers]
    np.testing.assert_array_equal(before, after)


def test_pairs_count_by_their_distance():
    train = Sequences(np.array([1, 2, 3, 1, 2], np.int32), np.array([0, 3, 5]))
    rows, columns, weights = _pairs(train, 3)
    matrix = np.zeros((3, 3))
    matrix[rows, columns] = weights
    # 1-2 stand side by side twice, 2-3 once, 1-3 two apart.
    np.testing.assert_allclose(matrix, [[0, 2, 0.5], [2, 0, 1], [0.5, 1, 0]])
    assert len(rows) == 6


def test_pairs_end_with_the_window_and_the_user():
    train = Sequences(np.arange(1, 11, dtype=np.int32), np.array([0, 7, 10]))
    rows, columns, _ = _pairs(train, 10)
    found = set(zip(rows.tolist(), columns.tolist(), strict=True))
    assert (0, 5) in found
    assert (0, 6) not in found
    assert (6, 7) not in found


def test_items_without_company_have_no_vector():
    train = train_part(Sequences(np.array([1, 1, 1, 2, 3, 4, 5, 6], np.int32), np.array([0, 3, 8])))
    vectors = item_vectors(train, 6, seed=0)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [0, 1, 1, 1, 0, 0], atol=1e-6)

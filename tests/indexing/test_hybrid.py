"""Both signals, each as much as it is worth for the item."""

import numpy as np

from genrec.data.split import train_part
from genrec.data.tables import Sequences
from genrec.indexing.evidence import Evidence
from genrec.indexing.hybrid import USE, _expected_use, hybrid_vectors
from genrec.indexing.scheme import own_scheme
from tests.indexing.helpers import community_sequences, describe, descriptions


def test_use_and_description_have_fixed_shares():
    train = Sequences(np.array([1, 2] * 3 + [2, 3], np.int32), np.array([0, 2, 4, 6, 8]))
    said = descriptions(["a b", "a b", None, None], [None] * 4)
    vectors = hybrid_vectors(Evidence(train, 4, describe=lambda: said), seed=0)
    squares = np.stack([(vectors[:, :-2] ** 2).sum(1), (vectors[:, -2:] ** 2).sum(1)], axis=1)  # two terms
    np.testing.assert_allclose(squares, [[USE, 1 - USE], [USE, 1 - USE], [USE, 0], [0, 0]], atol=1e-5)


def test_the_use_of_an_unseen_item_is_what_its_description_lets_expect():
    used = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 0], [0, 0]], np.float32)
    described = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 0], [0, 0]], np.float32)
    expected = _expected_use(used, described, np.ones((6, 1)))
    np.testing.assert_allclose(expected[4], [1, 0], atol=1e-6)
    np.testing.assert_allclose(expected[5], [0, 0], atol=1e-6)


def test_unseen_items_go_where_their_description_belongs():
    """Four communities, each with a kind of its own; one item in four is never used."""
    sequences = community_sequences(groups=4, size=16)
    kinds = np.arange(64) // 16
    kept = sequences.items % 4 != 0
    lengths = np.add.reduceat(kept, sequences.offsets[:-1])
    hidden = Sequences(sequences.items[kept], np.concatenate([[0], np.cumsum(lengths)]))
    assert set(range(4, 65, 4)).isdisjoint(train_part(hidden).items.tolist())
    codes = own_scheme(hidden, 64, "hybrid", 0, describe=lambda: describe(kinds)).item_tokens[1:, 0]
    for code in np.unique(codes):
        assert len(set(kinds[codes == code].tolist())) == 1

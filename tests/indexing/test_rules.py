"""Item indexing: unique codes, and no rule but the leaky one looks at validation or test items."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.data.tables import Sequences
from genrec.indexing.rules import RULES, digits
from genrec.indexing.scheme import own_scheme

ITEMS = 60


def make_sequences(seed: int = 0, users: int = 50) -> Sequences:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 12, users)
    items = rng.integers(1, ITEMS - 5, lengths.sum()).astype(np.int32)  # some items never occur
    return Sequences(items, np.concatenate([[0], np.cumsum(lengths)]))


def other_targets(sequences: Sequences) -> Sequences:
    """The same training parts with other validation and test items."""
    items = sequences.items.copy()
    for start, end in zip(sequences.offsets[:-1], sequences.offsets[1:], strict=True):
        held_out = 2 if end - start >= 3 else int(end - start == 2)
        items[end - held_out : end] = ITEMS
    return Sequences(items, sequences.offsets)


@pytest.mark.parametrize("name", RULES)
def test_every_item_gets_its_own_tokens(name):
    scheme = own_scheme(make_sequences(), ITEMS, name, seed=0)
    rows = {tuple(row) for row in scheme.item_tokens[1:].tolist()}
    assert len(rows) == ITEMS
    assert not scheme.item_tokens[0].any()


@pytest.mark.parametrize("name", [name for name in RULES if name != "leaky-sequential"])
def test_honest_rules_see_the_training_part_alone(name):
    sequences = make_sequences()
    before = own_scheme(sequences, ITEMS, name, seed=3).item_tokens
    after = own_scheme(other_targets(sequences), ITEMS, name, seed=3).item_tokens
    np.testing.assert_array_equal(before, after)


def test_the_leaky_rule_does_leak():
    sequences = make_sequences()
    before = RULES["leaky-sequential"](sequences, ITEMS, 3)
    assert not np.array_equal(before, RULES["leaky-sequential"](other_targets(sequences), ITEMS, 3))


@pytest.mark.parametrize("name", RULES)
def test_the_same_seed_gives_the_same_order(name):
    sequences = make_sequences()
    first, again = (RULES[name](sequences, ITEMS, 1) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert sorted(first.tolist()) == list(range(1, ITEMS + 1))


def test_collaborative_order_keeps_communities_together():
    """Two groups of users with items of their own; the order must not mix the groups' items."""
    rng = np.random.default_rng(0)
    left, right = np.arange(1, 17), np.arange(17, 33)
    rows = [rng.permutation(group)[:10] for _ in range(40) for group in (left, right)]
    sequences = Sequences(np.concatenate(rows).astype(np.int32), np.arange(0, 801, 10))
    order = RULES["collaborative"](sequences, 32, 0)
    assert set(order[:16].tolist()) in (set(left.tolist()), set(right.tolist()))


@given(count=st.integers(1, 3000), depth=st.integers(0, 4))
def test_digits_are_unique_balanced_and_bounded(count, depth):
    codes = digits(np.random.default_rng(count).permutation(count) + 1, depth)[1:]
    assert len(np.unique(codes, axis=0)) == count
    assert codes.shape[1] == (depth or 2)
    assert (codes.max(initial=0) + 1) <= np.ceil(count ** (1 / codes.shape[1])) + 1

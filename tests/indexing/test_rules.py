"""Every rule: unique, balanced, bounded, repeatable codes, made of nothing that a rule should not see."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.data.split import train_part
from genrec.data.tables import Sequences
from genrec.indexing.evidence import Descriptions
from genrec.indexing.rules import LEAKY_SEQUENTIAL, RULES
from genrec.indexing.scheme import FIRST_CODE, own_scheme
from tests.indexing.helpers import (
    ITEMS,
    community_sequences,
    describe,
    make_sequences,
    other_targets,
    renumber,
    some_descriptions,
)

HONEST = [name for name in RULES if name != LEAKY_SEQUENTIAL]


def tokens_of(sequences: Sequences, name: str, seed: int = 3, items: int = ITEMS, **options) -> np.ndarray:
    options.setdefault("describe", some_descriptions)
    return own_scheme(sequences, items, name, seed, **options).item_tokens


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_every_item_gets_its_own_tokens(name, depth):
    tokens = tokens_of(make_sequences(), name, depth=depth)
    assert len(np.unique(tokens[1:], axis=0)) == ITEMS
    assert not tokens[0].any()
    assert tokens.shape[1] == (depth or 2)
    assert tokens[1:].min() == FIRST_CODE


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=25, deadline=None)
@given(items=st.integers(1, 3) | st.integers(4, 400), depth=st.integers(0, 4), seed=st.integers(0, 9))
def test_siblings_are_balanced_whatever_the_size(name, items, depth, seed):
    rng = np.random.default_rng(seed)
    sequences = make_sequences(seed, users=30, items=max(1, items - 3))
    kinds = rng.integers(0, 5, items)
    tokens = tokens_of(sequences, name, seed, items, depth=depth, describe=lambda: describe(kinds))[1:]
    for level in range(1, tokens.shape[1] + 1):
        _, below = np.unique(tokens[:, :level], axis=0, return_counts=True)
        assert below.max() - below.min() <= 1
        _, frequency = np.unique(tokens[:, level - 1], return_counts=True)
        assert frequency.max() <= 2 * items / len(frequency) + 1
    assert below.max() == 1


@pytest.mark.parametrize("name", HONEST)
def test_validation_and_test_items_change_nothing(name):
    sequences = make_sequences()
    before = tokens_of(sequences, name)
    for planted in (1, 7, ITEMS):
        np.testing.assert_array_equal(before, tokens_of(other_targets(sequences, planted), name))
    train = train_part(sequences)
    reversed_targets = Sequences(sequences.items.copy(), sequences.offsets)
    hidden = np.setdiff1d(np.arange(len(sequences.items)), _places(train, sequences))
    reversed_targets.items[hidden] = sequences.items[hidden][::-1]
    np.testing.assert_array_equal(before, tokens_of(reversed_targets, name))


def _places(train: Sequences, whole: Sequences) -> np.ndarray:
    """Where the training part's events stand among all."""
    pairs = zip(whole.offsets[:-1], train.lengths, strict=True)
    return np.concatenate([np.arange(start, start + length) for start, length in pairs])


def test_the_leaky_rule_does_leak():
    sequences = make_sequences()
    before = tokens_of(sequences, LEAKY_SEQUENTIAL)
    assert not np.array_equal(before, tokens_of(other_targets(sequences), LEAKY_SEQUENTIAL))


@pytest.mark.parametrize("name", RULES)
def test_the_seed_decides(name):
    sequences = make_sequences()
    np.testing.assert_array_equal(tokens_of(sequences, name, 1), tokens_of(sequences, name, 1))
    assert not np.array_equal(tokens_of(sequences, name, 1), tokens_of(sequences, name, 2))


@pytest.mark.parametrize("name", HONEST)
def test_other_numbers_for_the_same_items_change_nothing(name):
    """Exactly, as long as training shows every item; the source's numbering then has no influence at all."""
    items = 40
    sequences = make_sequences(users=120, items=items)
    assert len(np.unique(train_part(sequences).items)) == items
    numbers = np.concatenate([[0], np.random.default_rng(8).permutation(items) + 1])
    kinds = np.arange(items) % 4
    renumbered_kinds = np.empty_like(kinds)
    renumbered_kinds[numbers[1:] - 1] = kinds
    before = tokens_of(sequences, name, items=items, describe=lambda: _plain(kinds))
    after = tokens_of(renumber(sequences, numbers), name, items=items, describe=lambda: _plain(renumbered_kinds))
    np.testing.assert_array_equal(before, after[numbers])


@pytest.mark.parametrize("name", HONEST)
def test_other_numbers_change_no_quality_where_items_are_unseen_too(name):
    """Labels of unseen items do go by their numbers, which only rules notice that read what is said of those."""
    groups, size, unseen = 6, 12, 12
    items = groups * size + unseen
    sequences = community_sequences(groups, size, users=20)
    group = np.arange(items) // size
    group[-unseen:] = np.arange(unseen) % groups

    def tokens_under(permutation, seed):
        """Of the used items, as they are numbered here."""
        numbers = np.concatenate([[0], np.random.default_rng(permutation).permutation(items) + 1])
        kinds = np.empty_like(group)
        kinds[numbers[1:] - 1] = group
        told = renumber(sequences, numbers)
        tokens = tokens_of(told, name, seed, items, depth=2, describe=lambda: _plain(kinds))[numbers]
        return tokens[1 : groups * size + 1]

    def quality(tokens):
        """How often two items with one first code are of one group."""
        pairs = np.triu(tokens[:, :1] == tokens[:, 0], 1)
        return (group[: groups * size, None] == group[: groups * size])[pairs].mean()

    by_number = [tokens_under(permutation, 3) for permutation in range(6)]
    if name in ("semantic", "hybrid"):
        by_seed = [quality(tokens_under(0, seed)) for seed in range(12)]
        found = [quality(tokens) for tokens in by_number]
        assert min(by_seed) <= np.mean(found) <= max(by_seed)
        assert np.ptp(found) <= np.ptp(by_seed)
    else:
        for tokens in by_number:
            np.testing.assert_array_equal(tokens, by_number[0])


def _plain(kinds: np.ndarray) -> Descriptions:
    """Items of one kind are described by the same words, so that nothing but a label could tell them apart."""
    found = describe(kinds)
    return Descriptions(found.titles.take([0] * len(kinds)), found.attributes)


@pytest.mark.parametrize("name", HONEST)
def test_unseen_items_are_placed_by_chance_not_by_their_numbers(name):
    """An item that training does not show has every code alike often, whatever its number."""
    sequences = Sequences(np.array([1, 2, 3, 4, 9, 10], np.int32), np.array([0, 6]))
    runs = [
        tokens_of(sequences, name, seed, 16, depth=2, describe=lambda: _plain(np.zeros(16, int)))
        for seed in range(200)
    ]
    lower = np.mean([tuple(tokens[5]) < tuple(tokens[8]) for tokens in runs])
    assert 0.35 < lower < 0.65


def test_sequential_follows_first_appearance_in_training():
    sequences = Sequences(np.array([5, 3, 5, 1, 2, 4, 3, 1, 6], np.int32), np.array([0, 5, 9]))
    tokens = tokens_of(sequences, "sequential", items=6, depth=1)[1:, 0] - FIRST_CODE
    assert tokens[[4, 2, 3]].tolist() == [0, 1, 2]  # 5, 3 and 4; 1, 2 and 6 are validation or test items

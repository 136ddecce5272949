"""Examples against plain loops, and the draws' dependence on seed, epoch and example alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.data.split import train_part
from genrec.data.tables import Sequences
from genrec.training.batches import LengthGroupedBatches
from genrec.training.examples import FinetuneExamples, PretrainExamples

MASK = 99


def sequences_of(rows: list[list[int]]) -> Sequences:
    flat = np.concatenate([np.asarray(row, np.int32) for row in rows])
    return Sequences(flat, np.cumsum([0, *map(len, rows)]).astype(np.int64))


histories = st.lists(st.lists(st.integers(1, 50), min_size=1, max_size=15), min_size=1, max_size=6)


def plain(row: np.ndarray) -> list[int]:
    return [int(item) for item in row if item]


@settings(deadline=None)
@given(rows=histories, max_items=st.integers(1, 8), every=st.booleans())
def test_finetuning_predicts_each_item_from_those_before(rows, max_items, every):
    train = train_part(sequences_of(rows))
    examples = FinetuneExamples(train, MASK, max_items, every)
    expected = []
    for user in range(1, len(rows) + 1):
        part = train.of(user).tolist()
        for place in range(len(part)) if every else [len(part) - 1]:
            shown = part[:place][max(0, place - max_items + 1) :]
            expected.append(([*shown, MASK], user, part[place]))
    made = examples.rows(np.arange(len(examples)), epoch=0)
    found = [
        (plain(row), int(user), int(target))
        for row, user, target in zip(made.items, made.users, made.targets, strict=True)
    ]
    assert found == expected
    assert examples.lengths().tolist() == [len(row) for row, _, _ in expected]


def test_the_empty_prefix_is_an_example():
    train = train_part(sequences_of([[4, 5, 6, 7]]))
    made = FinetuneExamples(train, MASK, 5, every_prefix=True).rows(np.array([0, 1]), epoch=0)
    assert made.items.tolist() == [[MASK, 0], [4, MASK]]
    assert made.targets.tolist() == [4, 5]


@settings(deadline=None)
@given(rows=histories, max_items=st.integers(1, 8), epoch=st.integers(0, 3))
def test_pretraining_masks_one_item_of_a_window_of_the_training_part(rows, max_items, epoch):
    train = train_part(sequences_of(rows))
    examples = PretrainExamples(train, MASK, max_items, seed=1)
    made = examples.rows(np.arange(len(examples)), epoch)
    assert len(examples) == sum(-(-len(train.of(user)) // max_items) for user in range(1, len(rows) + 1))
    for row, user, target, length in zip(made.items, made.users, made.targets, examples.lengths(), strict=True):
        part = train.of(int(user)).tolist()
        shown = [int(target) if item == MASK else item for item in plain(row)]
        assert plain(row).count(MASK) == 1
        assert len(shown) == length == min(len(part), max_items)
        assert any(part[start : start + len(shown)] == shown for start in range(len(part)))


def test_masks_are_drawn_anew_each_epoch_and_repeat_with_the_seed():
    train = train_part(sequences_of([list(range(1, 40))] * 20))
    everything = np.arange(20)
    draws = [
        PretrainExamples(train, MASK, 50, seed).rows(everything, epoch).targets.tolist()
        for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0))
    ]
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]
    assert draws[0] != draws[3]


def test_a_draw_does_not_depend_on_the_batch():
    train = train_part(sequences_of([list(range(1, 40))] * 20))
    whole = PretrainExamples(train, MASK, 50, 0).rows(np.arange(20), 3)
    one = PretrainExamples(train, MASK, 50, 0).rows(np.array([7]), 3)
    assert one.targets[0] == whole.targets[7]


@pytest.mark.parametrize(("per_epoch", "size"), [(0, 103), (40, 40), (500, 103)])
def test_an_epoch_shows_each_example_at_most_once(per_epoch, size):
    batches = LengthGroupedBatches(np.arange(103) % 7, batch_size=8, per_epoch=per_epoch, seed=0)
    shown = [[example for _, example in batch] for batch in batches]
    flat = [example for batch in shown for example in batch]
    assert len(flat) == len(set(flat)) == size
    assert len(shown) == len(batches) == -(-size // 8)


def test_epochs_differ_and_repeat():
    def epoch(number: int, seed: int = 0) -> list[list[tuple[int, int]]]:
        batches = LengthGroupedBatches(np.arange(300) % 9, batch_size=8, per_epoch=100, seed=seed)
        batches.set_epoch(number)
        return list(batches)

    assert epoch(1) == epoch(1)
    assert {example for batch in epoch(1) for _, example in batch} != {
        example for batch in epoch(2) for _, example in batch
    }
    assert epoch(1) != epoch(1, seed=5)


def test_batches_hold_examples_of_similar_length():
    lengths = np.random.default_rng(0).integers(1, 100, 3000)
    spans = [
        np.ptp(lengths[[example for _, example in batch]])
        for batch in LengthGroupedBatches(lengths, batch_size=30, per_epoch=0, seed=0)
    ]
    assert np.median(spans) < 10

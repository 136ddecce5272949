"""Examples of the reference models against plain loops."""

import numpy as np
import pytest
import torch

from genrec.baselines.examples import ItemCollator, NextItems, Prefixes
from genrec.data.tables import Sequences


@pytest.mark.parametrize("max_length", [1, 2, 3, 50])
def test_every_item_but_the_first_is_a_target_once_after_the_items_before_it(max_length):
    rows = [[1, 2, 3, 4, 5, 6, 7], [8], [], [9, 10], [11, 12, 13, 14]]
    offsets = np.cumsum([0, *map(len, rows)])
    examples = NextItems(Sequences(np.concatenate(rows).astype(np.int32), offsets), max_length)
    everything = np.arange(len(examples))
    made = examples.arrays(everything, epoch=0)
    assert made["items"].shape == made["labels"].shape
    assert made["items"].shape[1] <= max_length
    assert (examples.lengths() == (made["labels"] > 0).sum(1)).all()
    assert examples.targets_each * len(examples) == pytest.approx(10)
    targets = []
    for user, items, labels in zip(examples.owners + 1, made["items"], made["labels"], strict=True):
        row = rows[user - 1]
        shown = items[items > 0].tolist()
        assert labels[labels > 0].tolist() == [row[row.index(item) + 1] for item in shown]
        assert shown == row[row.index(shown[0]) :][: len(shown)]
        targets += labels[labels > 0].tolist()
    assert sorted(targets) == [2, 3, 4, 5, 6, 7, 10, 12, 13, 14]


@pytest.mark.parametrize("max_length", [1, 3, 50])
def test_every_prefix_has_one_target(max_length):
    rows = [[1, 2, 3, 4, 5], [6], [], [7, 8]]
    offsets = np.cumsum([0, *map(len, rows)])
    examples = Prefixes(Sequences(np.concatenate(rows).astype(np.int32), offsets), max_length)
    made = examples.arrays(np.arange(len(examples)), epoch=0)
    expected = [(u, row[:n][-max_length:], row[n]) for u, row in enumerate(rows) for n in range(1, len(row))]
    assert len(examples) == len(expected)
    for number, (owner, shown, target) in enumerate(expected):
        assert examples.owners[number] == owner
        assert examples.lengths()[number] == len(shown)
        rest = [0] * (made["items"].shape[1] - len(shown))
        assert made["items"][number].tolist() == shown + rest
        assert made["labels"][number].tolist() == [0] * (len(shown) - 1) + [target] + rest


def test_a_filler_has_no_label():
    examples = NextItems(Sequences(np.array([1, 2, 3], np.int32), np.array([0, 3])), 5)
    batch = ItemCollator(examples)([(0, 0), (0, ~0)])
    assert batch["items"].tolist() == [[1, 2], [1, 2]]
    assert torch.equal(batch["labels"], torch.tensor([[2, 3], [-100, -100]]))

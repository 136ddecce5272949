"""The loss over the whole catalogue against torch's."""

import pytest
import torch
from torch.nn import functional

from genrec.model.losses import full_cross_entropy
from genrec.model.repeats import Seen


@pytest.mark.parametrize("rows", [0, 1, 256, 600])
@pytest.mark.parametrize("length", [None, 5])
def test_value_and_gradients_are_those_of_torch(rows, length):
    torch.manual_seed(0)
    states, table = torch.randn(rows, 8).requires_grad_(), torch.randn(31, 8).requires_grad_()
    bias = torch.zeros(31)
    bias[[0, 7]] = -torch.inf
    targets = torch.randint(8, 31, (rows,))
    learned = [states, table]
    logits = functional.linear(states, table, bias)
    seen = None
    if length:
        seen = Seen(torch.randint(0, 31, (rows, length)), torch.randn(rows, length).requires_grad_())
        learned.append(seen.logits)
        each = functional.one_hot(seen.items, 31).float() * seen.logits.unsqueeze(2)
        logits = logits + each.sum(1)
    ours = full_cross_entropy(states, table, bias, targets, seen)
    found = torch.autograd.grad(ours / 3, learned)
    theirs = functional.cross_entropy(logits, targets, reduction="sum")
    expected = torch.autograd.grad(theirs / 3, learned)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(found, expected)
    assert not found[1][[0, 7]].any()

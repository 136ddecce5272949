"""The loss over the whole catalogue against torch's."""

import pytest
import torch
from torch.nn import functional

from genrec.model.losses import full_cross_entropy


@pytest.mark.parametrize("rows", [1, 256, 600])
def test_value_and_gradients_are_those_of_torch(rows):
    torch.manual_seed(0)
    states, table = torch.randn(rows, 8).requires_grad_(), torch.randn(31, 8).requires_grad_()
    bias = torch.zeros(31)
    bias[[0, 7]] = -torch.inf
    targets = torch.randint(8, 31, (rows,))
    ours = full_cross_entropy(states, table, bias, targets)
    found = torch.autograd.grad(ours / 3, (states, table))
    theirs = functional.cross_entropy(functional.linear(states, table, bias), targets, reduction="sum")
    expected = torch.autograd.grad(theirs / 3, (states, table))
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(found, expected)
    assert not found[1][[0, 7]].any()

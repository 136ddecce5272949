"""Attention of training against torch's, which is its reference."""

import pytest
import torch
from torch.nn import functional

from genrec.model.attention import attend


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def random(*shape):
    return torch.randn(*shape, dtype=torch.double).requires_grad_()


@pytest.mark.parametrize(("asking", "asked"), [(2, 5), (3, 15), (1, 16), (32, 40), (33, 7)])
@pytest.mark.parametrize("learned", [False, True])
def test_values_and_gradients_are_those_of_torch(asking, asked, learned):
    torch.manual_seed(0)
    query, key, value = random(3, 2, asking, 8), random(3, 2, asked, 8), random(3, 2, asked, 8)
    hidden = torch.zeros(3, 1, 1, asked, dtype=torch.double)
    hidden[0, ..., asked - 2 :] = -torch.inf
    bias = random(2, asking, asked)
    mask = hidden + bias if learned else hidden
    inputs = [query, key, value, *([bias] if learned else [])]
    ours = attend(query, key, value, mask)
    theirs = functional.scaled_dot_product_attention(query, key, value, mask)
    torch.testing.assert_close(ours, theirs)
    weights = torch.randn_like(ours)
    found, expected = (torch.autograd.grad((x * weights).sum(), inputs) for x in (ours, theirs))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("length", [1, 4, 20, 40])
def test_a_causal_row_sees_nothing_later(length):
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 2, length, 4) for _ in range(3))
    ours = attend(query, key, value, None, causal=True)
    torch.testing.assert_close(ours, functional.scaled_dot_product_attention(query, key, value, is_causal=True))


def test_logits_may_be_as_large_as_numbers_go():
    query, key = torch.tensor([[[[1e19, 0.0]]]]), torch.tensor([[[[1e19, 0.0], [-1e19, 0.0]]]])
    found = attend(query, key, torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), torch.zeros(1, 1, 1, 2))
    assert found.tolist() == [[[[1.0, 2.0]]]]


def test_half_precision_is_left_to_the_maps_around_it():
    torch.manual_seed(0)
    query, key, value = (torch.randn(3, 2, 5, 8).requires_grad_() for _ in range(3))
    mask = torch.randn(2, 5, 5).requires_grad_()
    inputs = [query, key, value, mask]
    expected = attend(query, key, value, mask)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = [tensor.bfloat16() for tensor in inputs[:3]]
        found = attend(*rounded, mask)
    torch.testing.assert_close(found.float(), expected, atol=0.05, rtol=0.05)
    weights = torch.randn_like(expected)
    for ours, theirs in zip(
        torch.autograd.grad((found * weights).sum(), inputs),
        torch.autograd.grad((expected * weights).sum(), inputs),
        strict=True,
    ):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, theirs, atol=0.05, rtol=0.05)

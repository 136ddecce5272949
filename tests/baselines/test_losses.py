"""Losses against drawn items, by hand."""

import math

import pytest
import torch
from torch.nn import functional

from genrec.baselines.losses import sampled_loss, with_bias


def test_sampled_losses_are_their_formulas():
    positive, negative = torch.tensor([0.5, -1.0]), torch.tensor([[0.2, 1.0], [0.3, -2.0]])
    wrong = torch.tensor([[True, True], [True, False]])
    pairs = [(0.5, 0.2), (0.5, 1.0), (-1.0, 0.3)]

    def sigmoid(value):
        return 1 / (1 + math.exp(-value))

    expected = {
        "bce": -math.log(sigmoid(0.5))
        - math.log(sigmoid(-1.0))
        - sum(math.log(sigmoid(-n)) for _, n in pairs) / 2,
        "bpr": -sum(math.log(sigmoid(p - n)) for p, n in pairs) / 2,
        "top1": sum(sigmoid(n - p) + sigmoid(n * n) for p, n in pairs) / 2,
    }
    first, second = (math.exp(n) / (math.exp(0.2) + math.exp(1.0)) for n in (0.2, 1.0))
    better = first * sigmoid(0.3) + second * sigmoid(-0.5)
    penalty = first * 0.04 + second + 0.09
    expected["bpr-max"] = -math.log(better) - math.log(sigmoid(-1.3)) + penalty
    for name, value in expected.items():
        assert float(sampled_loss(name, positive, negative, wrong)) == pytest.approx(value, rel=1e-5), name


def test_a_bias_is_a_column():
    states, table, bias = torch.randn(3, 4), torch.randn(6, 4), torch.randn(6)
    wider, rows = with_bias(states, table, bias)
    torch.testing.assert_close(functional.linear(wider, rows), functional.linear(states, table, bias))

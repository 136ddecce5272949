"""The loss over the whole catalogue, in little memory."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

_ROWS = 256
"""Targets whose logits are held at once: their matrix stays in the cache, where a whole batch's would not."""


def full_cross_entropy(states: Tensor, table: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """The sum of the cross-entropies of targets under a softmax over all items.

    On the CPU, logits are made a few rows at a time and become gradients where they stand; the results are those
    of `torch.nn.functional.cross_entropy`.

    Args:
        states: float [n, width].
        table: float [items + 1, width].
        bias: float [items + 1], constant; -inf keeps an item out.
        targets: int64 [n].
    """
    plain = torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling()
    if states.device.type == "cpu" and not plain:
        return _ByRows.apply(states, table, bias, targets)
    logits = functional.linear(states, table).float() + bias
    return functional.cross_entropy(logits, targets, reduction="sum")


class _ByRows(torch.autograd.Function):
    """Cross-entropy whose forward pass computes the gradients too."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, table: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        to_states, to_table = torch.empty_like(states), torch.zeros_like(table)
        total = states.new_zeros(())
        for first in range(0, len(states), _ROWS):
            rows = slice(first, first + _ROWS)
            part, target = states[rows], targets[rows].unsqueeze(1)
            values = torch.addmm(bias, part, table.t())  # [rows, items + 1]: logits, then probabilities
            values.sub_(values.amax(1, keepdim=True))
            own = values.gather(1, target)
            whole = values.exp_().sum(1, keepdim=True)
            total += (whole.log() - own).sum()
            values.div_(whole).scatter_add_(1, target, torch.full_like(own, -1.0))
            torch.mm(values, table, out=to_states[rows])
            to_table.addmm_(values.t(), part)
        ctx.save_for_backward(to_states)
        ctx.to_table = to_table  # as large whatever the batch, so that it is no activation of an example
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        (to_states,) = ctx.saved_tensors
        (gradient,) = gradients
        return gradient * to_states, gradient * ctx.to_table, None, None

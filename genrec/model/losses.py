"""The loss over the whole catalogue, in little memory."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from genrec.model.repeats import Seen

_ROWS = 64
"""Targets whose logits are held at once: that matrix stays in the cache, and its product is a quarter quicker than
that of a whole batch."""


def full_cross_entropy(
    states: Tensor, table: Tensor, bias: Tensor, targets: Tensor, seen: Seen | None = None
) -> Tensor:
    """The sum of the cross-entropies of targets under a softmax over all items.

    On the CPU, logits are made a few rows at a time and become gradients where they stand; the results are those
    of `torch.nn.functional.cross_entropy`.

    Args:
        states: float [n, width].
        table: float [items + 1, width].
        bias: float [items + 1], constant: 0, or -inf, which keeps an item out.
        targets: int64 [n].
        seen: Of n histories: logits that are added to those of their items.
    """
    plain = torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling()
    if states.device.type == "cpu" and not plain:
        nothing = Seen(targets.new_zeros(len(targets), 0), states.new_zeros(len(targets), 0))
        return _ByRows.apply(states, table, bias, targets, *(seen or nothing))
    logits = functional.linear(states, table).float() + bias
    if seen is not None:
        logits = logits.scatter_add_(1, seen.items, seen.logits.float())
    return functional.cross_entropy(logits, targets, reduction="sum")


class _ByRows(torch.autograd.Function):
    """Cross-entropy whose forward pass computes the gradients too."""

    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        table: Tensor,
        bias: Tensor,
        targets: Tensor,
        seen: Tensor,
        added: Tensor,
    ) -> Tensor:
        to_states, to_table, to_added = map(torch.empty_like, (states, table, added))
        left_out = bias.isinf().nonzero()[:, 0]
        total = states.new_zeros(())
        room = states.new_empty(min(_ROWS, len(states)), len(table))
        for first in range(0, max(1, len(states)), _ROWS):
            rows = slice(first, first + _ROWS)
            part, target = states[rows], targets[rows].unsqueeze(1)
            values = torch.mm(part, table.t(), out=room[: len(part)])  # [rows, items + 1], logits
            values.index_fill_(1, left_out, -torch.inf).scatter_add_(1, seen[rows], added[rows])
            most, own = values.amax(1, keepdim=True), values.gather(1, target)
            torch.softmax(values, 1, out=values)
            total += (most - values.amax(1, keepdim=True).log() - own).sum()
            values.scatter_add_(1, target, torch.full_like(own, -1.0))
            to_added[rows] = values.gather(1, seen[rows])
            torch.mm(values, table, out=to_states[rows])
            if first:
                to_table.addmm_(values.t(), part)
            else:
                torch.mm(values.t(), part, out=to_table)
        ctx.save_for_backward(to_states, to_added)
        ctx.to_table = to_table  # as large whatever the batch, so that it is no activation of an example
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None, None, Tensor]:
        (to_states, to_added), (gradient,) = ctx.saved_tensors, gradients
        to_table = ctx.to_table
        del ctx.to_table  # nobody else has it, so it can be scaled where it stands, once
        return gradient * to_states, to_table.mul_(gradient), None, None, None, gradient * to_added

"""Attention in training: torch's, or plain products where those are quicker on the CPU."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from genrec.model.encoder import causal_mask

_FEW = 32
"""Positions that ask, up to which torch's kernel loses more by sharing them out among threads than it saves: with
two threads it takes two to four times as long as plain products."""

_SHORT = 16
"""Numbers in a vector register (AVX-512): torch's softmax takes rows that are shorter number by number."""


def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float = 0.0, causal: bool = False
) -> Tensor:
    """Scaled dot-product attention, [batch, heads, n, head size].

    Args:
        query: float [batch, heads, n, head size].
        key: float [batch, heads, m, head size].
        value: As `key`.
        mask: Added to the logits, broadcast to [batch, heads, n, m]; each row sees something.
        dropout: Share of the weights that is dropped.
        causal: Whether a position sees none later than itself; there is no mask then.
    """
    plain = query.device.type == "cpu" and not dropout and not torch.compiler.is_compiling()
    if plain and (_few(query) or (mask is not None and mask.requires_grad)):
        return _plainly(query, key, value, causal_mask(query.shape[2], query) if causal else mask)
    return functional.scaled_dot_product_attention(query, key, value, mask, dropout, causal)


def _few(query: Tensor) -> bool:
    return query.shape[2] <= _FEW and torch.get_num_threads() > 1


def _plainly(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """Attention as products of matrices.

    A mask that learns is nothing for torch's quick kernels for the CPU. What torch does in their place looks for
    rows that see nothing, of which there are none here, and takes twice as long.
    """
    products, scale = query @ key.transpose(2, 3), query.shape[-1] ** -0.5
    scores = products * scale if mask is None else torch.add(mask, products, alpha=scale)
    return (_ShortSoftmax.apply(scores) if scores.shape[-1] < _SHORT else scores.softmax(-1)) @ value


class _ShortSoftmax(torch.autograd.Function):
    """Softmax of the last dimension, three to five times as quick as torch's where that is short."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> Tensor:
        weights = (scores - scores.amax(-1, keepdim=True)).exp_()
        weights /= weights.sum(-1, keepdim=True)
        ctx.save_for_backward(weights)
        return weights

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (weights,), (gradient,) = ctx.saved_tensors, gradients
        parts = weights * gradient
        return parts.sub_(weights * parts.sum(-1, keepdim=True))

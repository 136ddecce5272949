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
        return _Products.apply(query, key, value, causal_mask(query.shape[2], query) if causal else mask)
    return functional.scaled_dot_product_attention(query, key, value, mask, dropout, causal)


def _few(query: Tensor) -> bool:
    return query.shape[2] <= _FEW and torch.get_num_threads() > 1


class _Products(torch.autograd.Function):
    """Attention as products of matrices.

    A mask that learns is nothing for torch's quick kernels for the CPU. What torch does in their place looks for
    rows that see nothing, of which there are none here, and takes twice as long.
    """

    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        scaled = torch.mul(query, query.shape[-1] ** -0.5, out=torch.empty(query.shape, dtype=query.dtype))
        queries, keys, values = scaled.flatten(0, 1), key.flatten(0, 1), value.flatten(0, 1)
        if mask is None:
            weights = queries @ keys.mT
        else:
            weights = query.new_empty(*query.shape[:3], key.shape[2]).copy_(mask).flatten(0, 1)
            weights.baddbmm_(queries, keys.mT)
        _softmax_(weights)
        ctx.save_for_backward(queries, keys, values, weights)
        return (weights @ values).view_as(query)

    @staticmethod
    @torch.amp.custom_bwd(device_type="cpu")
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        queries, keys, values, weights = ctx.saved_tensors
        shape = gradients[0].shape
        gradient = gradients[0].flatten(0, 1)
        to_scores = (gradient @ values.mT).mul_(weights)
        to_scores -= weights * to_scores.sum(-1, keepdim=True)
        to_query = (to_scores @ keys).mul_(shape[-1] ** -0.5).view(shape)
        to_key = (to_scores.mT @ queries).unflatten(0, shape[:2])
        to_value = (weights.mT @ gradient).unflatten(0, shape[:2])
        to_mask = to_scores.unflatten(0, shape[:2]) if ctx.needs_input_grad[3] else None
        return to_query, to_key, to_value, to_mask


def _softmax_(scores: Tensor) -> None:
    """Softmax of the last dimension in place; torch's takes three to five times as long where that is short."""
    if scores.shape[-1] >= _SHORT:
        torch.softmax(scores, -1, out=scores)
        return
    scores -= scores.amax(-1, keepdim=True)
    scores.exp_()
    scores /= scores.sum(-1, keepdim=True)

"""The best of scores, in torch and in every runtime that a graph is exported for."""

import torch
from torch import Tensor

_NONE = -1e30
"""Stands for -inf in a graph: onnxruntime's TopK on CUDA fills short rows up with the lowest finite number, which
would come before -inf, and points past the row."""


def top(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k highest scores of each row, descending, and their places; any places where only -inf is left.

    Args:
        scores: float32 [batch, n]; -inf, or more than -1e30.
        k: At most n.
    """
    if not torch.onnx.is_in_onnx_export():
        return scores.topk(k, dim=1)
    best, places = scores.clamp(min=_NONE).topk(k, dim=1)
    return torch.where(best > _NONE, best, -torch.inf), places


def in_order(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Each row descending, and the places; of equal scores the first comes first.

    Args:
        scores: As above.
    """
    # The exporter does not know torch's word for that; ONNX's TopK is defined so.
    if torch.onnx.is_in_onnx_export():
        return top(scores, scores.shape[1])
    return scores.sort(dim=1, descending=True, stable=True)

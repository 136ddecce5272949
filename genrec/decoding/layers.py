"""Layers as serving wants them: rows flat, maps of the same input joined, no dropout.

The weights are those of the Hugging Face layers; a joined map holds a copy of them as they are when it is made.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.models.bart.modeling_bart import BartAttention, BartDecoderLayer, BartEncoderLayer


class Projection(nn.Module):
    """Linear maps of one input as a single matrix product, cut into heads.

    Args:
        maps: With the same input; each has `heads` heads; all have a bias, or none has.
        scales: What each map's result is multiplied with.
        heads: Number of attention heads.
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(self, maps: Sequence[nn.Linear], scales: Sequence[float], heads: int) -> None:
        super().__init__()
        self.heads, self.parts = heads, len(maps)
        self.size = maps[0].out_features // heads
        pairs = list(zip(maps, scales, strict=True))
        with torch.no_grad():
            weight = torch.cat([one.weight * scale for one, scale in pairs])
            biases = [one.bias * scale for one, scale in pairs if one.bias is not None]
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("bias", torch.cat(biases) if biases else None, persistent=False)

    def forward(self, rows: Tensor, batch: int, count: int) -> Sequence[Tensor]:
        """Project.

        Args:
            rows: [batch * count, d_model].
            batch: Number of users, or -1.
            count: Rows of a user.

        Returns:
            Per map [batch, heads, count, head size].
        """
        joined = functional.linear(rows, self.weight, self.bias)
        cut = joined.view(batch, count, self.parts * self.heads, self.size).transpose(1, 2)
        return cut.split(self.heads, dim=1) if self.parts > 1 else [cut]


def project_self(attention: BartAttention) -> Projection:
    """Queries (scaled), keys and values of self-attention."""
    maps = [attention.q_proj, attention.k_proj, attention.v_proj]
    return Projection(maps, [attention.scaling, 1.0, 1.0], attention.num_heads)


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, output: nn.Linear) -> Tensor:
    """What each query finds, heads joined and mapped: [batch * n, d_model].

    Args:
        query: [batch, heads, n, head size], scaled.
        key: [batch, heads, m, head size].
        value: As `key`.
        mask: Broadcasts to [batch, heads, n, m]; 0, or -inf where a query must not look.
        output: The map of the joined heads.
    """
    weights = torch.softmax(query @ key.transpose(2, 3) + mask, dim=-1)
    mixed = (weights @ value).transpose(1, 2)  # [batch, n, heads, head size]
    return output(mixed.reshape(-1, output.in_features))


def feed_forward(layer: BartEncoderLayer | BartDecoderLayer, rows: Tensor) -> Tensor:
    """The layer's last part, for rows [n, d_model]."""
    inner = layer.activation_fn(layer.fc1(rows))
    return layer.final_layer_norm(rows + layer.fc2(inner))

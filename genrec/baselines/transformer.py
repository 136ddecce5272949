"""The Transformer of the reference models that have one (Vaswani and others 2017).

Positions are counted back from the newest, as padding on the left would have them: each prediction is made from
place 0, however long the history is.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from genrec.baselines.settings.attention import TransformerConfig
from genrec.model.learning import dropout


class Block(nn.Module):
    """Self-attention and a feed-forward network, each as LayerNorm(x + Dropout(g(x)))."""

    def __init__(self, settings: TransformerConfig) -> None:
        super().__init__()
        width = settings.d_model
        self.heads, self.share = settings.heads, settings.dropout
        told = settings.attention_dropout
        self.attention_share = settings.dropout if told is None else told
        self.project, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.inner, self.outer = nn.Linear(width, settings.ffn_dim), nn.Linear(settings.ffn_dim, width)
        self.attention_norm, self.outer_norm = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, states: Tensor, mask: Tensor | None) -> Tensor:
        """New states of [batch, n, d_model].

        Args:
            states: float [batch, n, d_model].
            mask: float [batch, 1, 1, n], -inf where nothing may be seen; None shows each position itself and those
                before it.
        """
        parts = self.project(states).unflatten(-1, (3, self.heads, -1))
        query, key, value = parts.transpose(1, 3).unbind(2)  # each [batch, heads, n, d_model / heads]
        share = self.attention_share if self.training else 0.0
        found = functional.scaled_dot_product_attention(query, key, value, mask, share, is_causal=mask is None)
        found = self.output(found.transpose(1, 2).flatten(2))
        states = self.attention_norm(self._add(states, found))
        return self.outer_norm(self._add(states, self.outer(functional.gelu(self.inner(states)))))

    def _add(self, states: Tensor, values: Tensor) -> Tensor:
        return dropout(values, self.share, states) if self.training else states + values


class Encoder(nn.Module):
    """Adds positions, and reads a sequence in blocks.

    Args:
        settings: The shape.
        length: Most positions of a sequence.
    """

    def __init__(self, settings: TransformerConfig, length: int) -> None:
        super().__init__()
        self.share = settings.dropout
        self.positions = nn.Embedding(length, settings.d_model)
        self.blocks = nn.ModuleList(Block(settings) for _ in range(settings.layers))
        self.norm = nn.LayerNorm(settings.d_model)

    def forward(self, embedded: Tensor, count: Tensor, causal: bool = True) -> Tensor:
        """States [batch, n, d_model].

        Args:
            embedded: float [batch, n, d_model], padding on the right.
            count: int64 [batch, 1], positions of each row that are none.
            causal: Whether a position sees itself and those before it only; else all that are no padding.
        """
        place = torch.arange(embedded.shape[1], device=embedded.device)
        states = self.norm(embedded + self.positions((count - 1 - place).clamp(min=0)))
        states = dropout(states, self.share) if self.training else states
        mask = None
        if not causal:
            mask = torch.zeros_like(states[:, :, 0]).masked_fill(place >= count, -torch.inf)[:, None, None]
        for block in self.blocks:
            states = block(states, mask)
        return states


@torch.no_grad()
def let_through(encoder: Encoder) -> None:
    """Let attention begin with the mean of what it sees: values and outputs become identities, but for noise.

    With small random maps, little of an item would reach other places at first (cf. mimetic initialisation,
    Trockman and Kolter 2023, arXiv 2305.09828).
    """
    for block in encoder.blocks:
        assert isinstance(block, Block)
        same = torch.eye(block.output.in_features)
        block.project.weight[-len(same) :] += same  # the values' part
        block.output.weight += same


def initialise(module: nn.Module) -> None:
    """Small normal weights, as BERT's; for `nn.Module.apply`."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        nn.init.zeros_(module.weight[module.padding_idx])

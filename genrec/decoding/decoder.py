"""BART's decoder, one token at a time for many beams of one user.

The weights are those of the Hugging Face decoder; only the order of the work differs: beams are folded into the
query axis of the cross-attention, so a user's keys and values exist once, however many beams there are.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers.models.bart.modeling_bart import BartDecoder, BartDecoderLayer

Cache = list[tuple[Tensor, Tensor]]
"""Per layer the keys and values of the tokens so far, each [batch * beams, heads, steps, head size]."""


class Memory(NamedTuple):
    """What cross-attention reads, the same for every step.

    Attributes:
        keys: Per layer [batch, heads, head size, length], scaled.
        values: Per layer [batch, heads, length, head size].
        mask: [batch, 1, 1, length]; 0 where a token stands, very negative on padding.
    """

    keys: list[Tensor]
    values: list[Tensor]
    mask: Tensor


class BeamDecoder(nn.Module):
    """Steps a `BartDecoder` over beams; tested against the decoder's own forward."""

    def __init__(self, decoder: BartDecoder) -> None:
        super().__init__()
        self.decoder = decoder
        self.heads = decoder.config.decoder_attention_heads
        self.position_offset = decoder.embed_positions.offset

    @property
    def layers(self) -> list[BartDecoderLayer]:
        """The decoder's layers."""
        return list(self.decoder.layers)

    def remember(self, states: Tensor, attention_mask: Tensor) -> Memory:
        """Project the encoder's states once for all beams and steps.

        Args:
            states: [batch, length, d_model] encoder states.
            attention_mask: int64 [batch, length], 1 where a token stands.
        """
        keys, values = [], []
        for layer in self.layers:
            attention = layer.encoder_attn
            key = attention.k_proj(states) * attention.scaling
            keys.append(self._split(key).transpose(2, 3))
            values.append(self._split(attention.v_proj(states)))
        blocked = (1 - attention_mask).to(states.dtype) * torch.finfo(states.dtype).min
        return Memory(keys, values, blocked[:, None, None, :])

    def step(self, tokens: Tensor, position: int, memory: Memory, cache: Cache) -> tuple[Tensor, Cache]:
        """Feed one token per beam.

        Args:
            tokens: int64 [batch, beams].
            position: Place of the token in the decoder's input, from 0.
            memory: Of `remember`.
            cache: Of the step before; empty at position 0.

        Returns:
            Hidden states [batch, beams, d_model] and the cache with this token.
        """
        place = self.decoder.embed_positions.weight[position + self.position_offset]
        hidden = self.decoder.layernorm_embedding(self.decoder.embed_tokens(tokens) + place)
        new_cache: Cache = []
        for number, layer in enumerate(self.layers):
            attended, entry = self._self_attention(layer, hidden, cache[number] if cache else None)
            new_cache.append(entry)
            hidden = layer.self_attn_layer_norm(hidden + attended)
            attended = self._cross_attention(layer, hidden, memory, number)
            hidden = layer.encoder_attn_layer_norm(hidden + attended)
            inner = layer.activation_fn(layer.fc1(hidden))
            hidden = layer.final_layer_norm(hidden + layer.fc2(inner))
        return hidden, new_cache

    def _self_attention(
        self, layer: BartDecoderLayer, hidden: Tensor, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        attention = layer.self_attn
        flat = hidden.flatten(0, 1).unsqueeze(1)  # [batch * beams, 1, d_model]
        query = self._split(attention.q_proj(flat)) * attention.scaling
        key, value = self._split(attention.k_proj(flat)), self._split(attention.v_proj(flat))
        if past is not None:
            key, value = torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2)
        weights = torch.softmax(query @ key.transpose(2, 3), dim=-1)  # [batch * beams, heads, 1, steps]
        mixed = (weights @ value).transpose(1, 2).reshape(hidden.shape)
        return attention.out_proj(mixed), (key, value)

    def _cross_attention(self, layer: BartDecoderLayer, hidden: Tensor, memory: Memory, number: int) -> Tensor:
        attention = layer.encoder_attn
        query = self._split(attention.q_proj(hidden))  # [batch, heads, beams, head size]
        weights = torch.softmax(query @ memory.keys[number] + memory.mask, dim=-1)
        mixed = (weights @ memory.values[number]).transpose(1, 2).reshape(hidden.shape)
        return attention.out_proj(mixed)

    def _split(self, states: Tensor) -> Tensor:
        """[batch, n, d_model] -> [batch, heads, n, head size]."""
        batch, length, width = states.shape
        return states.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

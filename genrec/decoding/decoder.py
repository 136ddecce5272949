"""BART's decoder, some tokens at a time for many beams of one user.

The weights are those of the Hugging Face decoder; only the order of the work differs. Beams are folded into the
query axis of both attentions, so a user's keys and values exist once, however many beams there are: those of the
encoder's states, and those of all tokens that the user's beams were fed so far. Which of them are its own line of
descent, a beam is told by a mask, so that nothing is ever copied when beams are chosen.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers.models.bart.modeling_bart import BartAttention, BartDecoder, BartDecoderLayer


class Memory(NamedTuple):
    """What attention reads, one entry per layer.

    Attributes:
        keys: Each [batch, heads, head size, length], scaled.
        values: Each [batch, heads, length, head size].
    """

    keys: list[Tensor]
    values: list[Tensor]


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

    def remember(self, states: Tensor) -> Memory:
        """Project the encoder's states ([batch, length, d_model]) once for all beams and steps."""
        pairs = [self._project(layer.encoder_attn, states) for layer in self.layers]
        return Memory([key for key, _ in pairs], [value for _, value in pairs])

    def step(
        self, tokens: Tensor, places: Tensor, encoded: Memory, padding: Tensor, past: Memory | None, sight: Tensor
    ) -> tuple[Tensor, Memory]:
        """Feed tokens.

        Args:
            tokens: int64 [batch, n], or [1, n] where all users have the same.
            places: int64 [n] or [1]: the tokens' places in the decoder's input, from 0.
            encoded: Of `remember`.
            padding: [batch, 1, 1, length]; 0 where the encoder had a token, -inf on padding.
            past: Of the step before; None at the start.
            sight: [batch, 1, n, all tokens so far]; 0 on a token's own line of descent, itself included, -inf
                elsewhere. Or with 1 for the batch.

        Returns:
            Hidden states [batch, n, d_model] and the past with these tokens.
        """
        place = self.decoder.embed_positions.weight[places + self.position_offset]
        hidden = self.decoder.layernorm_embedding(self.decoder.embed_tokens(tokens) + place)
        own = Memory([], [])
        for number, layer in enumerate(self.layers):
            key, value = self._project(layer.self_attn, hidden)
            if past is not None:
                key, value = _join(past.keys[number], key, 3), _join(past.values[number], value, 2)
            own.keys.append(key)
            own.values.append(value)
            hidden = layer.self_attn_layer_norm(hidden + self._attend(layer.self_attn, hidden, key, value, sight))
            attended = self._attend(
                layer.encoder_attn, hidden, encoded.keys[number], encoded.values[number], padding
            )
            hidden = layer.encoder_attn_layer_norm(hidden + attended)
            inner = layer.activation_fn(layer.fc1(hidden))
            hidden = layer.final_layer_norm(hidden + layer.fc2(inner))
        return hidden, own

    def _project(self, attention: BartAttention, states: Tensor) -> tuple[Tensor, Tensor]:
        """Keys [batch, heads, head size, n], scaled, and values [batch, heads, n, head size]."""
        key = attention.k_proj(states) * attention.scaling
        return self._split(key).transpose(2, 3), self._split(attention.v_proj(states))

    def _attend(
        self, attention: BartAttention, hidden: Tensor, key: Tensor, value: Tensor, mask: Tensor
    ) -> Tensor:
        """[batch, n, d_model]: what each of the n hidden states finds."""
        query = self._split(attention.q_proj(hidden))  # [batch, heads, n, head size]
        weights = torch.softmax(query @ key + mask, dim=-1)
        mixed = (weights @ value).transpose(1, 2)  # [batch, n, heads, head size]
        return attention.out_proj(mixed.flatten(2))

    def _split(self, states: Tensor) -> Tensor:
        """[batch, n, d_model] -> [batch, heads, n, head size]."""
        batch, count, width = states.shape
        return states.view(batch, count, self.heads, width // self.heads).transpose(1, 2)


def _join(past: Tensor, new: Tensor, dimension: int) -> Tensor:
    """The past, which may be the same for all users, and after it the new."""
    return torch.cat([past.expand(new.shape[0], -1, -1, -1), new], dim=dimension)

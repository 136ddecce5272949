"""A decoder, some tokens at a time for many beams of one user: what a search asks for, and BART's.

Beams are folded into the query axis of both attentions, so a user's keys and values exist once, however many
beams there are: those of the encoder's states, and those of all tokens that the user's beams were fed so far.
Which of them are its own line of descent, a beam is told by a mask: nothing is copied when beams are chosen.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers.models.bart.modeling_bart import BartDecoder

from genrec.decoding.layers import Projection, attend, feed_forward, project_self
from genrec.model.modeling import GenRecForConditionalGeneration


class Memory(NamedTuple):
    """What attention reads.

    Attributes:
        keys: One entry per layer, each [batch, heads, n, head size].
        values: As `keys`.
        places: Of n tokens of the decoder's input, where a decoder must know them.
    """

    keys: Sequence[Tensor]
    values: Sequence[Tensor]
    places: tuple[int, ...] = ()


class StepDecoder(nn.Module, ABC):
    """Steps over beams."""

    own: nn.ModuleList
    """The maps of each layer's self-attention."""
    remembered: Projection
    """The maps of the encoder's states: all layers' keys, then all their values."""

    def remember(self, states: Tensor, padding: Tensor) -> Memory:
        """Project the encoder's states once for all beams, steps and layers.

        Args:
            states: [batch * length, d_model].
            padding: [batch, 1, 1, length]; 0 where the encoder had a token, -inf on padding.
        """
        both = self.remembered(states, padding.shape[0], padding.shape[3])
        return Memory(both[: len(self.own)], both[len(self.own) :])

    @abstractmethod
    def step(
        self, embedded: Tensor, encoded: Memory, padding: Tensor, past: Memory | None, sight: Tensor
    ) -> tuple[Tensor, Memory]:
        """Feed tokens: at the start some that follow each other, then those of all beams, one place further on.

        Args:
            embedded: [batch, n, d_model] of `embed`; n is a number that every batch shares.
            encoded: Of `remember`.
            padding: As in `remember`.
            past: Of the step before; None at the start.
            sight: [batch, 1, n, all tokens so far]; 0 on a token's own line of descent, itself included, -inf
                elsewhere. Or with 1 for the batch.

        Returns:
            Hidden states [batch * n, d_model] and the past with these tokens.
        """

    @abstractmethod
    def embed(self, tokens: Tensor, first: int, count: int = 1) -> Tensor:
        """Embed tokens.

        Args:
            tokens: int64 [batch, n].
            first: The place in the decoder's input, from 0, of all tokens, or of the first of `count`.
            count: 1 for beams, n for tokens that follow each other.

        Returns:
            [batch, n, d_model].
        """


class Generator(NamedTuple):
    """What a search asks of a model.

    Attributes:
        decoder: Makes hidden states.
        weight: [vocabulary, d_model], the map from these to logits.
        bias: [vocabulary] of the logits.
        start: The token that the decoder's input begins with.
    """

    decoder: StepDecoder
    weight: Tensor
    bias: Tensor
    start: int


def generator_of(model: GenRecForConditionalGeneration) -> Generator:
    """GenRec's."""
    start = int(model.config.decoder_start_token_id)
    return Generator(
        BeamDecoder(model.model.decoder), model.lm_head.weight.detach(), model.final_logits_bias[0], start
    )


class BeamDecoder(StepDecoder):
    """Steps a `BartDecoder` over beams; tested against the decoder's own forward."""

    def __init__(self, decoder: BartDecoder) -> None:
        super().__init__()
        self.decoder = decoder
        crosses = [layer.encoder_attn for layer in decoder.layers]
        heads = decoder.config.decoder_attention_heads
        maps = [cross.k_proj for cross in crosses] + [cross.v_proj for cross in crosses]
        self.remembered = Projection(maps, [1.0] * len(maps), heads)
        self.asked = nn.ModuleList(Projection([cross.q_proj], [cross.scaling], heads) for cross in crosses)
        self.own = nn.ModuleList(project_self(layer.self_attn) for layer in decoder.layers)

    def step(
        self, embedded: Tensor, encoded: Memory, padding: Tensor, past: Memory | None, sight: Tensor
    ) -> tuple[Tensor, Memory]:
        """As `StepDecoder.step`."""
        rows, count = embedded.flatten(0, 1), int(sight.shape[2])
        keys, values = [], []
        for number, layer in enumerate(self.decoder.layers):
            query, key, value = self.own[number](rows, -1, count)
            if past is not None:
                key, value = (
                    torch.cat(pair, 2) for pair in ((past.keys[number], key), (past.values[number], value))
                )
            keys.append(key)
            values.append(value)
            attended = attend(query, key, value, sight, layer.self_attn.out_proj)
            rows = layer.self_attn_layer_norm(rows + attended)
            (query,) = self.asked[number](rows, -1, count)
            memory = encoded.keys[number], encoded.values[number]
            found = attend(query, *memory, padding, layer.encoder_attn.out_proj)
            rows = layer.encoder_attn_layer_norm(rows + found)
            rows = feed_forward(layer, rows)
        return rows, Memory(keys, values)

    def embed(self, tokens: Tensor, first: int, count: int = 1) -> Tensor:
        """As `StepDecoder.embed`."""
        first += self.decoder.embed_positions.offset
        place = self.decoder.embed_positions.weight[first : first + count]
        return self.decoder.layernorm_embedding(self.decoder.embed_tokens(tokens) + place)

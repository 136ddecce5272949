"""T5's encoder and decoder for serving; tested against Hugging Face's own.

T5 has no positions but a bias of attention by distance, which the first layer holds for all; it normalises before
each part, without a mean, and scales no queries.
"""

import torch
from torch import Tensor, nn
from transformers import T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5Attention, T5Stack

from genrec.decoding.decoder import Generator, Memory, StepDecoder
from genrec.decoding.layers import Projection, attend


class DistanceBias(nn.Module):
    """The bias of attention by distance.

    Args:
        attention: Of the first layer.
    """

    table: Tensor
    """[heads, 2 * most + 1], by the key's place less the query's."""

    def __init__(self, attention: T5Attention) -> None:
        super().__init__()
        self.most = attention.relative_attention_max_distance  # from there on the bias stays the same
        distances = torch.arange(-self.most, self.most + 1)
        buckets = attention._relative_position_bucket(
            distances, not attention.is_decoder, attention.relative_attention_num_buckets, self.most
        )
        table = attention.relative_attention_bias.weight.detach()[buckets].t()
        self.register_buffer("table", table, persistent=False)

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Between places, int64 [n] and [m]: [heads, n, m]."""
        distance = (keys - queries.unsqueeze(1)).clamp(-self.most, self.most)
        return self.table[:, distance + self.most]


class T5EncoderPass(nn.Module):
    """Encodes once."""

    def __init__(self, encoder: T5Stack) -> None:
        super().__init__()
        self.blocks, self.norm = encoder.block, encoder.final_layer_norm
        self.own = nn.ModuleList(_project_self(block.layer[0].SelfAttention) for block in encoder.block)
        self.bias = DistanceBias(encoder.block[0].layer[0].SelfAttention)

    def forward(self, embedded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Encode.

        Args:
            embedded: [batch, length, d_model].
            mask: [batch, length], 1 where a token stands and 0 on padding.

        Returns:
            States [batch * length, d_model], and a mask [batch, 1, 1, length]: 0, or -inf on padding.
        """
        batch, length = mask.shape
        rows = embedded.flatten(0, 1)
        padding = torch.where(mask > 0, 0.0, -torch.inf).to(rows.dtype)[:, None, None, :]
        place = torch.arange(length, device=rows.device)
        sight = padding + self.bias(place, place)
        for block, project in zip(self.blocks, self.own, strict=True):
            part = block.layer[0]
            query, key, value = project(part.layer_norm(rows), batch, length)
            rows = rows + attend(query, key, value, sight, part.SelfAttention.o)
            rows = block.layer[-1](rows)
        return self.norm(rows), padding


class T5StepDecoder(StepDecoder):
    """Steps a T5 decoder over beams."""

    def __init__(self, decoder: T5Stack) -> None:
        super().__init__()
        self.embed_tokens, self.blocks, self.norm = decoder.embed_tokens, decoder.block, decoder.final_layer_norm
        crosses = [block.layer[1].EncDecAttention for block in decoder.block]
        maps = [cross.k for cross in crosses] + [cross.v for cross in crosses]
        heads = crosses[0].n_heads
        self.remembered = Projection(maps, [1.0] * len(maps), heads)
        self.asked = nn.ModuleList(Projection([cross.q], [1.0], heads) for cross in crosses)
        self.own = nn.ModuleList(_project_self(block.layer[0].SelfAttention) for block in decoder.block)
        self.bias = DistanceBias(decoder.block[0].layer[0].SelfAttention)

    def step(
        self, embedded: Tensor, encoded: Memory, padding: Tensor, past: Memory | None, sight: Tensor
    ) -> tuple[Tensor, Memory]:
        """As `StepDecoder.step`; what the tokens see is biased by distance."""
        rows, count = embedded.flatten(0, 1), int(sight.shape[2])
        own = tuple(range(count)) if past is None else (past.places[-1] + 1,) * count
        places = (past.places if past else ()) + own
        sight = sight + self.bias(*(torch.tensor(some, device=rows.device) for some in (own, places)))
        keys, values = [], []
        for number, block in enumerate(self.blocks):
            part, cross = block.layer[0], block.layer[1]
            query, key, value = self.own[number](part.layer_norm(rows), -1, count)
            if past is not None:
                key, value = (
                    torch.cat(pair, 2) for pair in ((past.keys[number], key), (past.values[number], value))
                )
            keys.append(key)
            values.append(value)
            rows = rows + attend(query, key, value, sight, part.SelfAttention.o)
            (query,) = self.asked[number](cross.layer_norm(rows), -1, count)
            memory = encoded.keys[number], encoded.values[number]
            rows = rows + attend(query, *memory, padding, cross.EncDecAttention.o)
            rows = block.layer[-1](rows)
        return self.norm(rows), Memory(keys, values, places)

    def embed(self, tokens: Tensor, first: int, count: int = 1) -> Tensor:
        """As `StepDecoder.embed`; a place changes nothing yet."""
        return self.embed_tokens(tokens)


def t5_generator(model: T5ForConditionalGeneration) -> Generator:
    """A T5's; where the head shares the tokens' embeddings, its input is scaled down."""
    weight, config = model.lm_head.weight.detach(), model.config
    weight = weight * config.d_model**-0.5 if config.tie_word_embeddings else weight
    start = int(config.decoder_start_token_id)
    return Generator(T5StepDecoder(model.decoder), weight, torch.zeros_like(weight[:, 0]), start)


def _project_self(attention: T5Attention) -> Projection:
    """Queries, keys and values of self-attention."""
    return Projection([attention.q, attention.k, attention.v], [1.0] * 3, attention.n_heads)

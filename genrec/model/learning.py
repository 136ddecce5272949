"""The forward pass of training: BART's, with maps of one input joined and a quicker dropout on the CPU.

The weights are those of the Hugging Face layers, and so are the results, but for the order of sums; tests compare
the two. Layers are post-norm, as BART's.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.models.bart.modeling_bart import BartAttention, BartDecoder, BartDecoderLayer, BartEncoderLayer

from genrec.model.attention import attend

_LEVELS = 256
"""A byte of randomness decides about an activation, so shares are dropped in steps of 1/256."""


_thread = threading.local()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw this thread's dropout on the CPU from a seed instead of torch's random state."""
    _thread.generator = torch.Generator().manual_seed(seed)
    try:
        yield
    finally:
        _thread.generator = None


class _ByteDropout(torch.autograd.Function):
    """Dropout from random bytes: torch's own draws a number for each activation, one after the other."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, dropped: int, base: Tensor | None) -> Tensor:
        words = torch.empty(-(-values.numel() // 8), dtype=torch.int64)
        words.random_(-(2**63), None, generator=getattr(_thread, "generator", None))
        noise = words.view(torch.uint8)[: values.numel()].view(values.shape)
        # 0 for what is dropped; the others make up for it
        factors = noise.to(values.dtype).ge_(dropped).mul_(_LEVELS / (_LEVELS - dropped))
        ctx.save_for_backward(factors)
        return values * factors if base is None else torch.addcmul(base, values, factors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, Tensor | None]:
        (gradient,), (factors,) = gradients, ctx.saved_tensors
        return gradient * factors, None, gradient if ctx.needs_input_grad[2] else None


def dropout(values: Tensor, share: float, base: Tensor | None = None) -> Tensor:
    """Drop a share of the values and scale the others up; on the CPU the share is rounded to 1/256.

    Args:
        values: Any shape.
        share: At least 0 and below 1.
        base: Of the same shape; is added to what is left.
    """
    dropped = round(share * _LEVELS)
    quick = values.device.type == "cpu" and not torch.compiler.is_compiling() and 0 < dropped < _LEVELS
    if quick and base is not None and base.dtype == values.dtype:
        return _ByteDropout.apply(values, dropped, base)
    left = _ByteDropout.apply(values, dropped, None) if quick else functional.dropout(values, share)
    return left if base is None else base + left


def learn(
    model: Any,
    embedded: Tensor,
    attention_mask: Tensor,
    decoder_input_ids: Tensor,
) -> tuple[Tensor, Tensor]:
    """Encode and decode in training mode.

    Args:
        model: A `GenRecForConditionalGeneration`.
        embedded: [batch, length, d_model] sum of token and ID embeddings.
        attention_mask: [batch, length], 1 where a token stands.
        decoder_input_ids: int64 [batch, steps].

    Returns:
        The encoder's states [batch, length, d_model] and logits [batch, steps, vocabulary].
    """
    encoder, decoder = model.model.encoder, model.model.decoder
    share = model.config.dropout
    padding = torch.zeros_like(attention_mask, dtype=embedded.dtype).masked_fill_(attention_mask == 0, -torch.inf)
    padding = padding[:, None, None, :]
    sight = encoder.sight(padding, embedded.shape[1])
    states = _begin(encoder, embedded, share)
    for layer in encoder.layers:
        states = _encoder_layer(layer, states, sight, share)
    hidden = _begin(decoder, decoder.embed_tokens(decoder_input_ids), share)
    for layer in decoder.layers:
        hidden = _decoder_layer(layer, hidden, states, padding, share)
    return states, model.lm_head(hidden) + model.final_logits_bias


def learn_prefixes(
    model: Any, embedded: Tensor, mask_embedding: Tensor, decoder_input_ids: Tensor
) -> tuple[Tensor, Tensor]:
    """Encode and decode all prefixes of sequences at once, in training mode, where the encoder is causal.

    The [MASK] of each prefix stands behind the sequence, with the position of the item that it hides; it sees the
    prefix and itself, and nothing sees it but its own decoder tokens. Padding on the right is later than all that
    counts, so no mask is needed for it.

    Args:
        model: A `GenRecForConditionalGeneration` with a causal encoder.
        embedded: [batch, items + 1, d_model] of `[BEG] user item item ...`, the last item left out.
        mask_embedding: [d_model] of the token [MASK].
        decoder_input_ids: int64 [batch, items, steps].

    Returns:
        What the item head reads, the state at the position before each [MASK], [batch, items, d_model]; and logits
        [batch, items, steps, vocabulary].
    """
    encoder, decoder = model.model.encoder, model.model.decoder
    share = model.config.dropout
    batch, items, steps = decoder_input_ids.shape
    length = items + 1
    masks = mask_embedding.expand(batch, items, -1)
    place = torch.arange(length, device=embedded.device)
    whole = torch.cat([embedded, masks], dim=1)
    places = torch.cat([place, place[1:] + 1])
    sight = _sight(items, embedded)
    biased = sight + encoder.bias_between(places) if model.config.distances else sight
    states = _begin(encoder, whole, share, places)
    for layer in encoder.layers:
        states = _encoder_layer(layer, states, biased, share)
    rows = decoder.embed_tokens(decoder_input_ids.flatten(0, 1))  # [batch * items, steps, d_model]
    hidden = _begin(decoder, rows, share)
    seen = sight[length:].repeat_interleave(steps, 0)  # [items * steps, length + items]
    for layer in decoder.layers:
        hidden = _decoder_layer(layer, hidden, states, seen, share)
    logits = model.lm_head(hidden) + model.final_logits_bias
    return states[:, 1:length], logits.unflatten(0, (batch, items))


def _sight(items: int, like: Tensor) -> Tensor:
    """What each position of `learn_prefixes` sees: 0 or -inf, [2 * items + 1, 2 * items + 1]."""
    length = items + 1
    place = torch.arange(length + items, device=like.device)
    before = torch.where(place < length, place, place - items)  # the last of the sequence that a position sees
    seen = (place < length) & (place <= before.unsqueeze(1)) | (place == place.unsqueeze(1))
    return torch.zeros_like(seen, dtype=like.dtype).masked_fill_(~seen, -torch.inf)


def _begin(part: BartDecoder, embedded: Tensor, share: float, places: Tensor | None = None) -> Tensor:
    """Add positions, in their order or as given (int64 [length]), and normalise."""
    first = part.embed_positions.offset
    weight = part.embed_positions.weight
    positions = weight[first : first + embedded.shape[1]] if places is None else weight[places + first]
    return dropout(part.layernorm_embedding(embedded + positions), share)


def _encoder_layer(layer: BartEncoderLayer, states: Tensor, padding: Tensor, share: float) -> Tensor:
    attention = layer.self_attn
    query, key, value = _project(states, attention, ("q_proj", "k_proj", "v_proj"))
    found = _attend(attention, query, key, value, padding)
    states = layer.self_attn_layer_norm(dropout(found, share, states))
    return _feed_forward(layer, states, share)


def _decoder_layer(
    layer: BartDecoderLayer, hidden: Tensor, states: Tensor, padding: Tensor, share: float
) -> Tensor:
    own, other = layer.self_attn, layer.encoder_attn
    query, key, value = _project(hidden, own, ("q_proj", "k_proj", "v_proj"))
    found = _attend(own, query, key, value, None, causal=True)
    hidden = layer.self_attn_layer_norm(dropout(found, share, hidden))
    # Several rows of tokens may belong to one row of states: they ask side by side.
    asking = hidden.reshape(len(states), -1, hidden.shape[2])
    (query,) = _project(asking, other, ("q_proj",))
    key, value = _project(states, other, ("k_proj", "v_proj"))
    found = _attend(other, query, key, value, padding).view_as(hidden)
    hidden = layer.encoder_attn_layer_norm(dropout(found, share, hidden))
    return _feed_forward(layer, hidden, share)


def _project(rows: Tensor, attention: BartAttention, names: tuple[str, ...]) -> list[Tensor]:
    """Maps of one input as a single product: per map [batch, heads, length, head size]."""
    maps: list[nn.Linear] = [getattr(attention, name) for name in names]
    if len(maps) == 1:
        joined = maps[0](rows)
    else:
        weight = torch.cat([one.weight for one in maps])
        joined = functional.linear(rows, weight, torch.cat([one.bias for one in maps]))
    heads = joined.unflatten(-1, (len(maps), attention.num_heads, attention.head_dim))
    return [part.transpose(1, 2) for part in heads.unbind(2)]


def _attend(
    layer: BartAttention, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool = False
) -> Tensor:
    found = attend(query, key, value, mask, layer.dropout, causal)
    return layer.out_proj(found.transpose(1, 2).flatten(2))


def _feed_forward(layer: BartEncoderLayer | BartDecoderLayer, rows: Tensor, share: float) -> Tensor:
    inner = layer.activation_fn(layer.fc1(rows))
    if layer.activation_dropout:
        inner = dropout(inner, layer.activation_dropout)
    return layer.final_layer_norm(dropout(layer.fc2(inner), share, rows))

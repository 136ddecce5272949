"""BART's encoder with user-ID and item-ID embeddings (paper, section 4.1)."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.models.bart.modeling_bart import BartEncoder

from genrec.model.bags import Bags, add_learned_sums
from genrec.model.configuration import GenRecConfig


def causal_mask(length: int, like: Tensor) -> Tensor:
    """[length, length] of another tensor's kind: 0 where the column is not after the row, else -inf."""
    place = torch.arange(length, device=like.device)
    later = place.unsqueeze(0) > place.unsqueeze(1)
    return torch.zeros_like(later, dtype=like.dtype).masked_fill(later, -torch.inf)


class GenRecEncoder(BartEncoder):
    """BART's encoder over `EMB(S_j) + PosEMB(j) + UIDEMB(UID(j)) + TIDEMB(TID(j))` (paper, equation 2).

    The two ID tables are separate (the paper says so; the published code reads items from the user table).
    Row 0 of each is zero and stays zero: it stands for "carries no ID".
    """

    term_numbers: Tensor
    """int64 [entries], the terms that describe item 1, item 2 and so on; where `config.item_terms` says so."""
    term_weights: Tensor
    """float32 [entries]."""
    term_starts: Tensor
    """int64 [items + 1], where each item's entries begin."""

    def __init__(self, config: GenRecConfig, embed_tokens: nn.Embedding) -> None:
        super().__init__(config, embed_tokens)
        self._turned: Bags | None = None
        width, items = config.d_model, config.item_count + 1
        self.user_embedding = nn.Embedding(config.user_rows, width, padding_idx=0, sparse=config.sparse_ids)
        self.user_embedding.requires_grad_(config.user_rows > 1)  # the row of nobody stays zero
        self.item_embedding = nn.Embedding(items, width, padding_idx=0, sparse=config.sparse_items)
        if config.item_terms:
            self.term_embedding = nn.Embedding(config.item_terms, width)
            entries = config.item_term_entries
            self.register_buffer("term_numbers", torch.zeros(entries, dtype=torch.long))
            self.register_buffer("term_weights", torch.zeros(entries))
            self.register_buffer("term_starts", torch.zeros(items, dtype=torch.long))
        if config.distances:
            shape = config.encoder_attention_heads, 2 * config.distances - 1
            self.distance_bias = nn.Parameter(torch.zeros(shape))
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        user_ids: Tensor | None = None,
        item_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        **options: Any,
    ) -> Any:
        """Encode token sequences.

        Args:
            input_ids: int64 [batch, length] tokens, or [batch, length, merged_tokens] whose embeddings are summed.
            attention_mask: [batch, length], 1 where a token stands and 0 on padding.
            user_ids: int64 [batch, length] row of the user on user tokens, 0 elsewhere.
            item_ids: int64 [batch, length] item index on item tokens, 0 elsewhere.
            inputs_embeds: float [batch, length, d_model] in place of the token embeddings.
            options: What `BartEncoder.forward` takes besides.
        """
        embeds: Any = inputs_embeds if input_ids is None else self.embed(input_ids)
        if user_ids is not None:
            embeds = embeds + self.user_embedding(user_ids)
        if item_ids is not None:
            embeds = embeds + self.embed_items(item_ids)
        return super().forward(attention_mask=attention_mask, inputs_embeds=embeds, **options)

    def _update_full_mask(self, attention_mask: Tensor | None, inputs_embeds: Tensor) -> Any:
        """BART's hook for its encoder's mask [batch, 1, length, length]; a causal one sees nothing later."""
        if not self.config.causal_encoder and not self.config.distances:
            return super()._update_full_mask(attention_mask, inputs_embeds)
        batch, length, _ = inputs_embeds.shape
        if attention_mask is None:
            attention_mask = torch.ones(batch, length, device=inputs_embeds.device)
        padding = torch.where(attention_mask > 0, 0.0, -torch.inf).to(inputs_embeds.dtype)[:, None, None, :]
        mask = self.sight(padding, length).expand(batch, -1, length, length)
        return mask.clamp(min=torch.finfo(mask.dtype).min)

    def sight(self, padding: Tensor, length: int) -> Tensor:
        """What attention adds to its logits: [batch, heads or 1, length or 1, length].

        Args:
            padding: [batch, 1, 1, length]; 0, or -inf on padding.
            length: Positions.
        """
        sight = padding + causal_mask(length, padding) if self.config.causal_encoder else padding
        if not self.config.distances:
            return sight
        return sight + self.bias_between(torch.arange(length, device=padding.device)).to(padding.dtype)

    def bias_between(self, places: Tensor) -> Tensor:
        """The bias of attention between positions at int64 [n] places, by their distance: [heads, n, n].

        As in T5 (Raffel et al. 2020, arXiv 1910.10683), one table for all layers, without its buckets.
        """
        most = self.config.distances - 1
        return self.distance_bias[:, (places.unsqueeze(1) - places).clamp(-most, most) + most]

    def sum_up(self, input_ids: Tensor, user_ids: Tensor, item_ids: Tensor, table: Tensor | None = None) -> Tensor:
        """Embeddings of tokens, users and items, [batch, length, d_model].

        Arguments as in `forward`, and `table`, what `item_table` gave, if it is at hand.
        """
        embedded = self.embed(input_ids) + self.embed_items(item_ids, table)
        return embedded + self.user_embedding(user_ids) if self.config.user_rows > 1 else embedded

    def embed_items(self, item_ids: Tensor, table: Tensor | None = None) -> Tensor:
        """Rows of `item_table`, [batch, length, d_model]; arguments as in `sum_up`."""
        if not self.config.item_terms:
            return self.item_embedding(item_ids)
        return functional.embedding(item_ids, self.item_table() if table is None else table, padding_idx=0)

    def item_table(self) -> Tensor:
        """What items are to the encoder and the item head: their ID embeddings, and those of their terms.

        float [items + 1, d_model]; rows of items that training never shows are zero.
        """
        rows = self.item_embedding.weight
        if not self.config.item_terms:
            return rows
        bags, terms = Bags(self.term_numbers, self.term_weights, self.term_starts), self.term_embedding.weight
        if torch.compiler.is_compiling() or not torch.is_grad_enabled():
            return rows + bags.sums(terms)
        if self._turned is None or self._turned.numbers.device != terms.device:
            self._turned = bags.turned(len(terms))
        return add_learned_sums(rows, terms, bags, self._turned)

    @torch.no_grad()
    def describe_items(self, numbers: Tensor, weights: Tensor, starts: Tensor) -> None:
        """Take up the terms of items, where the configuration has any; see `term_numbers` and so on."""
        if self.config.item_terms:
            self._turned = None
            for mine, given in (
                (self.term_numbers, numbers),
                (self.term_weights, weights),
                (self.term_starts, starts),
            ):
                mine.copy_(given)

    @torch.no_grad()
    def fold_terms(self) -> None:
        """Make the terms' embeddings part of the items', once nothing is learned any more."""
        if self.config.item_terms:
            self.item_embedding.weight.copy_(self.item_table())
            self._turned = None
            del self.term_embedding, self.term_numbers, self.term_weights, self.term_starts
            self.config.item_terms = self.config.item_term_entries = 0

    def embed(self, input_ids: Tensor) -> Tensor:
        """Token embeddings [batch, length, d_model]; where a position holds several tokens, their sum."""
        if input_ids.dim() == 2 or input_ids.shape[2] == 1:
            return self.embed_tokens(input_ids.flatten(1))
        real = (input_ids != self.config.pad_token_id).unsqueeze(-1)
        return (self.embed_tokens(input_ids) * real).sum(2)

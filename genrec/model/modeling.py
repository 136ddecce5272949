"""GenRec on Hugging Face's BART: the encoder adds user-ID and item-ID embeddings (paper, section 4.1)."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, AutoModelForSeq2SeqLM, BartForConditionalGeneration, BartModel
from transformers.modeling_outputs import Seq2SeqLMOutput
from transformers.models.bart.modeling_bart import BartAttention, BartEncoder, shift_tokens_right

from genrec.model.configuration import GenRecConfig
from genrec.model.learning import learn, learn_prefixes
from genrec.model.losses import full_cross_entropy

IGNORED = -100
"""Label of a position that the loss skips."""


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
        width, items = config.d_model, config.item_count + 1
        self.user_embedding = nn.Embedding(config.user_rows, width, padding_idx=0, sparse=config.sparse_ids)
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

    def sum_up(self, input_ids: Tensor, user_ids: Tensor, item_ids: Tensor) -> Tensor:
        """Token, user-ID and item-ID embeddings, [batch, length, d_model]; arguments as in `forward`."""
        return self.embed(input_ids) + self.user_embedding(user_ids) + self.embed_items(item_ids)

    def embed_items(self, item_ids: Tensor) -> Tensor:
        """Rows of `item_table`, [batch, length, d_model]."""
        if not self.config.item_terms:
            return self.item_embedding(item_ids)
        return functional.embedding(item_ids, self.item_table(), padding_idx=0)

    def item_table(self) -> Tensor:
        """What items are to the encoder and the item head: their ID embeddings, and those of their terms.

        float [items + 1, d_model]; rows of items that training never shows are zero.
        """
        rows, terms = self.item_embedding.weight, self.config.item_terms
        if not terms:
            return rows
        return rows + functional.embedding_bag(
            self.term_numbers,
            self.term_embedding.weight,
            self.term_starts,
            mode="sum",
            per_sample_weights=self.term_weights,
        )

    @torch.no_grad()
    def describe_items(self, numbers: Tensor, weights: Tensor, starts: Tensor) -> None:
        """Take up the terms of items, where the configuration has any; see `term_numbers` and so on."""
        if self.config.item_terms:
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
            del self.term_embedding, self.term_numbers, self.term_weights, self.term_starts
            self.config.item_terms = self.config.item_term_entries = 0

    def embed(self, input_ids: Tensor) -> Tensor:
        """Token embeddings [batch, length, d_model]; where a position holds several tokens, their sum."""
        if input_ids.dim() == 2:
            return self.embed_tokens(input_ids)
        real = (input_ids != self.config.pad_token_id).unsqueeze(-1)
        return (self.embed_tokens(input_ids) * real).sum(2)


class GenRecModel(BartModel):
    """BART with GenRec's encoder."""

    config_class = GenRecConfig

    def __init__(self, config: GenRecConfig) -> None:
        super().__init__(config)
        self.encoder = GenRecEncoder(config, self.shared)
        self.post_init()


class GenRecForConditionalGeneration(BartForConditionalGeneration):
    """The recommender: reads a user's token sequence with one [MASK], generates the masked item's tokens."""

    config_class = GenRecConfig
    joined = True
    """Whether training takes the pass of `genrec.model.learning`; else Hugging Face's, layer by layer."""
    accepts_loss_kwargs = True
    """Tells Trainer that the loss can be divided by `num_items_in_batch`."""

    def __init__(self, config: GenRecConfig) -> None:
        super().__init__(config)
        self.model = GenRecModel(config)
        self._unseen: Tensor | None = None
        self.post_init()
        if config.distances:
            self.model.encoder.embed_positions.weight.requires_grad_(False).zero_()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        user_ids: Tensor | None = None,
        item_ids: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: Any = None,
        past_key_values: Any = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        cache_position: Tensor | None = None,
        num_items_in_batch: Tensor | None = None,
        target_items: Tensor | None = None,
    ) -> Seq2SeqLMOutput:
        """Run encoder and decoder.

        Every input is named, as optimum's export demands. Shapes as in `GenRecEncoder.forward`, and:

        Args:
            decoder_input_ids: int64 [batch, steps]; made from `labels` where absent.
            labels: int64 [batch, steps] tokens of the masked item; `IGNORED` (-100) on padding. Or, for a causal
                encoder in training, int64 [batch, items, steps]: the input is then a sequence without [MASK] whose
                item n is learned from all before it.
            num_items_in_batch: Labels of the whole step, of which this batch may be a part: the loss is divided by
                it in place of the batch's own number.
            target_items: int64 [batch], or [batch, items], the masked item; 0 in a row that teaches nothing. With
                `config.item_loss` and in training only.

        Returns:
            logits [batch, steps, vocabulary], and where `labels` are given the mean cross-entropy over the
            positions that are not ignored; in training `config.item_loss` times that of `item_logits` is added, as
            if the item were one more token.
        """
        inputs = (input_ids, attention_mask, user_ids, item_ids)
        if self.training and labels is not None and all(tensor is not None for tensor in inputs):
            if labels.dim() == 3:
                return self._learn_prefixes(
                    input_ids, user_ids, item_ids, labels, num_items_in_batch, target_items
                )
            if self.joined:
                return self._learn(*inputs, labels, num_items_in_batch, target_items)
        if encoder_outputs is None:
            encoder_outputs = self.model.encoder(
                input_ids=input_ids, attention_mask=attention_mask, user_ids=user_ids, item_ids=item_ids
            )
        if labels is not None and decoder_input_ids is None:
            decoder_input_ids = shift_tokens_right(
                labels, self.config.pad_token_id, self.config.decoder_start_token_id
            )
            use_cache = False
        output = super().forward(
            attention_mask=attention_mask,
            decoder_input_ids=decoder_input_ids,
            decoder_attention_mask=decoder_attention_mask,
            encoder_outputs=encoder_outputs,
            past_key_values=past_key_values,
            use_cache=use_cache,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            return_dict=True,
            cache_position=cache_position,
        )
        if labels is None:
            return output
        loss = self._loss(output.logits, labels, num_items_in_batch)
        if self.training and self.config.item_loss and target_items is not None and input_ids is not None:
            asked = self._asked(input_ids, output.encoder_last_hidden_state)
            loss = loss + self._item_loss(asked, target_items, labels, num_items_in_batch)
        return Seq2SeqLMOutput(**{**output, "loss": loss})

    def _learn(
        self,
        input_ids: Any,
        attention_mask: Any,
        user_ids: Any,
        item_ids: Any,
        labels: Tensor,
        count: Tensor | None,
        target_items: Tensor | None,
    ) -> Seq2SeqLMOutput:
        """The same by the pass that training uses; all inputs are tensors."""
        encoder, config = self.model.encoder, self.config
        embedded = encoder.sum_up(input_ids, user_ids, item_ids)
        shifted = shift_tokens_right(labels, config.pad_token_id, config.decoder_start_token_id)
        states, logits = learn(self, embedded, attention_mask, shifted)
        loss = self._loss(logits, labels, count)
        if config.item_loss and target_items is not None:
            loss = loss + self._item_loss(self._asked(input_ids, states), target_items, labels, count)
        return Seq2SeqLMOutput(loss=loss, logits=logits)

    def _learn_prefixes(
        self,
        input_ids: Any,
        user_ids: Any,
        item_ids: Any,
        labels: Tensor,
        count: Tensor | None,
        target_items: Tensor | None,
    ) -> Seq2SeqLMOutput:
        """All prefixes of sequences in one pass: what each prefix with its own [MASK] would give, to rounding."""
        encoder, config = self.model.encoder, self.config
        embedded = encoder.sum_up(input_ids, user_ids, item_ids)
        flat = shift_tokens_right(labels.flatten(0, 1), config.pad_token_id, config.decoder_start_token_id)
        shifted = flat.view_as(labels)
        asked, logits = learn_prefixes(self, embedded, encoder.embed_tokens.weight[config.mask_token], shifted)
        real = (labels != IGNORED).any(2)
        loss = self._loss(logits[real], labels[real], count)
        if config.item_loss and target_items is not None:
            loss = loss + self._item_loss(asked[real], target_items[real], labels, count)
        return Seq2SeqLMOutput(loss=loss, logits=logits)

    def _loss(self, logits: Tensor, labels: Tensor, count: Tensor | None) -> Tensor:
        """Cross-entropy over the labels, divided by `count` or their own number."""
        loss = functional.cross_entropy(
            logits.flatten(0, -2).float(),
            labels.flatten(),
            ignore_index=IGNORED,
            label_smoothing=self.config.label_smoothing if self.training else 0.0,
            reduction="mean" if count is None else "sum",
        )
        return loss if count is None else loss / count

    def item_logits(self, input_ids: Tensor, states: Tensor) -> Tensor:
        """What the item head says about each item, by the item-ID table: [batch, items + 1].

        Args:
            input_ids: int64 [batch, length] or [batch, length, merged_tokens], one [MASK] a row.
            states: [batch, length, d_model] of the encoder.
        """
        return functional.linear(
            self._asked(input_ids, states), self.model.encoder.item_table(), self.unseen_bias()
        )

    def _asked(self, input_ids: Tensor, states: Tensor) -> Tensor:
        """The states [batch, d_model] that the item head reads; arguments as in `item_logits`.

        They stand beside [MASK], where the newest item is: its own embedding reaches the head directly there, and
        on Amazon Beauty that learns a tenth more than states at [MASK], or the sum of both.
        """
        first = input_ids[..., 0] if input_ids.dim() == 3 else input_ids
        masked = (first == self.config.mask_token).to(states.dtype)
        newest_first = self.config.newest_first
        asked = functional.pad(masked[:, :-1], (1, 0)) if newest_first else functional.pad(masked[:, 1:], (0, 1))
        return (asked.unsqueeze(1) @ states).squeeze(1)

    def unseen_bias(self) -> Tensor:
        """float [items + 1]: -inf for items that training never shows, so that their rows stay zero; else 0."""
        table = self.model.encoder.item_embedding.weight
        if self._unseen is None or self._unseen.device != table.device:
            self._unseen = torch.zeros_like(table[:, 0]).masked_fill_((table == 0).all(1), -torch.inf).detach()
        return self._unseen

    def _item_loss(self, asked: Tensor, items: Tensor, labels: Tensor, count: Tensor | None) -> Tensor:
        """The auxiliary loss, divided as the other.

        Args:
            asked: [n, d_model] what the item head reads.
            items: int64 [n]; 0 is skipped.
            labels: Of the batch.
            count: Labels of the whole step.
        """
        table, real = self.model.encoder.item_table(), items > 0
        loss = full_cross_entropy(asked[real], table, self.unseen_bias(), items[real])
        return self.config.item_loss * loss / ((labels != IGNORED).sum() if count is None else count)

    def use_sparse_ids(self, sparse: bool) -> None:
        """Choose whether the ID tables have sparse gradients."""
        self.config.sparse_ids = sparse
        encoder = self.model.encoder
        encoder.user_embedding.sparse, encoder.item_embedding.sparse = sparse, self.config.sparse_items

    def use_dropout(self, share: float, attention: float | None = None) -> None:
        """Choose the share of activations that training drops, and of attention's weights unless None."""
        self.config.dropout = share
        parts = self.model.encoder, self.model.decoder
        for part in (*parts, *(layer for half in parts for layer in half.layers)):
            part.dropout = share
        if attention is not None:
            self.config.attention_dropout = attention
            for part in self.modules():
                if isinstance(part, BartAttention):
                    part.dropout = attention

    @torch.no_grad()
    def forget_items(self, items: Tensor) -> None:
        """Zero the ID rows of items (int64 [n]) that training never shows, so that they carry no noise."""
        self.model.encoder.item_embedding.weight[items] = 0.0


AutoConfig.register("genrec", GenRecConfig)
AutoModel.register(GenRecConfig, GenRecModel)
AutoModelForSeq2SeqLM.register(GenRecConfig, GenRecForConditionalGeneration)

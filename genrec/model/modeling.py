"""GenRec on Hugging Face's BART, with an encoder of its own and an item head."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, AutoModelForSeq2SeqLM, BartForConditionalGeneration, BartModel
from transformers.modeling_outputs import Seq2SeqLMOutput
from transformers.models.bart.modeling_bart import BartAttention, shift_tokens_right

from genrec.model.configuration import GenRecConfig
from genrec.model.encoder import GenRecEncoder
from genrec.model.learning import learn, learn_prefixes
from genrec.model.losses import full_cross_entropy
from genrec.model.repeats import Repeats, Seen

IGNORED = -100
"""Label of a position that the loss skips."""


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
        self.repeats = Repeats(config.repeats) if config.repeats else None
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
            table = self.model.encoder.item_table()
            seen = self._seen(input_ids, item_ids)
            loss = loss + self._item_loss(asked, table, seen, target_items, labels, num_items_in_batch)
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
        table = encoder.item_table()
        embedded = encoder.sum_up(input_ids, user_ids, item_ids, table)
        shifted = shift_tokens_right(labels, config.pad_token_id, config.decoder_start_token_id)
        states, logits = learn(self, embedded, attention_mask, shifted)
        loss = self._loss(logits, labels, count)
        if config.item_loss and target_items is not None:
            asked, seen = self._asked(input_ids, states), self._seen(input_ids, item_ids)
            loss = loss + self._item_loss(asked, table, seen, target_items, labels, count)
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
        table = encoder.item_table()
        embedded = encoder.sum_up(input_ids, user_ids, item_ids, table)
        flat = shift_tokens_right(labels.flatten(0, 1), config.pad_token_id, config.decoder_start_token_id)
        shifted = flat.view_as(labels)
        asked, logits = learn_prefixes(self, embedded, encoder.embed_tokens.weight[config.mask_token], shifted)
        real = (labels != IGNORED).any(2)
        loss = self._loss(logits[real], labels[real], count)
        if config.item_loss and target_items is not None:
            seen = self.repeats.of_prefixes(item_ids[:, 1:]) if self.repeats else None
            rows = seen.where(real) if seen else None
            loss = loss + self._item_loss(asked[real], table, rows, target_items[real], labels, count)
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

    def item_logits(self, input_ids: Tensor, item_ids: Tensor, states: Tensor) -> Tensor:
        """What the item head says about each item, by the item-ID table: float32 [batch, items + 1].

        Args:
            input_ids: int64 [batch, length] or [batch, length, merged_tokens], one [MASK] a row.
            item_ids: int64 [batch, length], the items that the encoder read.
            states: [batch, length, d_model] of the encoder.
        """
        asked, table = self._asked(input_ids, states), self.model.encoder.item_table()
        logits = functional.linear(asked, table, self.unseen_bias()).float()
        seen = self._seen(input_ids, item_ids)
        return logits if seen is None else logits.scatter_add(1, *seen)

    def _seen(self, input_ids: Any, item_ids: Any) -> Seen | None:
        """What being in the history before [MASK] adds to items' logits, if the model knows that."""
        if self.repeats is None:
            return None
        masked = ((input_ids[..., 0] if input_ids.dim() == 3 else input_ids) == self.config.mask_token).long()
        if self.config.newest_first:
            item_ids, masked = item_ids.flip(1), masked.flip(1)
        return self.repeats(item_ids * (1 - masked.cumsum(1)))

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

    def _item_loss(
        self,
        asked: Tensor,
        table: Tensor,
        seen: Seen | None,
        items: Tensor,
        labels: Tensor,
        count: Tensor | None,
    ) -> Tensor:
        """The auxiliary loss, divided as the other.

        Args:
            asked: [n, d_model] what the item head reads.
            table: The encoder's `item_table`.
            seen: Of n rows: what being in the history adds.
            items: int64 [n]; 0 is skipped.
            labels: Of the batch.
            count: Labels of the whole step.
        """
        real = items > 0
        rows = seen.where(real) if seen else None
        loss = full_cross_entropy(asked[real], table, self.unseen_bias(), items[real], rows)
        return self.config.item_loss * loss / ((labels != IGNORED).sum() if count is None else count)

    def _init_weights(self, module: Any) -> None:
        """Weights that pretrained ones lack are not drawn by BART's rule alone."""
        if isinstance(module, Repeats):
            nn.init.zeros_(module.weight)
        else:
            super()._init_weights(module)

    def use_repeats(self, steps: int) -> None:
        """Choose how many steps of a history the item head tells apart; what it knows is kept where they stay."""
        if steps != self.config.repeats:
            self.config.repeats = steps
            self.repeats = Repeats(steps) if steps else None

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

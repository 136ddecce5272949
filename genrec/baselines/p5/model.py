"""T5 with whole-word embeddings."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import T5Config, T5ForConditionalGeneration
from transformers.modeling_outputs import Seq2SeqLMOutput

from genrec.model.modeling import IGNORED


class P5ModelConfig(T5Config):
    """T5's configuration, and what P5 needs to read a user.

    Args:
        user_count: U.
        item_count: I.
        words_before: Most words of a prompt up to the newest item.
        words_behind: Most words behind it.
        max_items: Items of a history that are read.
        prompts: Of each template, the words of its three parts in tokens; see `genrec.baselines.p5.prompts`.
        separator: Tokens between items.
        prompt: Which prompt is asked with, from 0.
        options: T5's.
    """

    model_type = "genrec-p5"

    def __init__(
        self,
        user_count: int = 0,
        item_count: int = 0,
        words_before: int = 0,
        words_behind: int = 0,
        max_items: int = 1,
        prompts: list[list[list[list[int]]]] | None = None,
        separator: list[int] | None = None,
        prompt: int = 0,
        **options: Any,
    ) -> None:
        self.user_count, self.item_count = user_count, item_count
        self.words_before, self.words_behind, self.max_items = words_before, words_behind, max_items
        self.prompts, self.separator, self.prompt = prompts or [], separator or [], prompt
        super().__init__(**options)


class P5Model(T5ForConditionalGeneration):
    """The recommender: reads a prompt, generates the next item's tokens."""

    config_class = P5ModelConfig
    accepts_loss_kwargs = True
    """Tells Trainer that the loss can be divided by `num_items_in_batch`."""

    def __init__(self, config: P5ModelConfig) -> None:
        super().__init__(config)
        self.whole_words = nn.Embedding(config.words_before + config.words_behind + 1, config.d_model)
        self.post_init()

    @torch.no_grad()
    def begin_whole_words(self) -> None:
        """Draw the whole-word embeddings, which no T5 has, as large as the tokens' of a T5 from scratch."""
        self.whole_words.weight.normal_()

    def embed(self, input_ids: Tensor, word_ids: Tensor) -> Tensor:
        """What the encoder is given, [batch, length, d_model]; arguments as `PromptInputs`."""
        return self.shared(input_ids) + self.whole_words(word_ids)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        word_ids: Tensor | None = None,
        labels: Tensor | None = None,
        num_items_in_batch: Tensor | None = None,
        **options: Any,
    ) -> Seq2SeqLMOutput:
        """Run encoder and decoder.

        Args:
            input_ids: int64 [batch, length].
            attention_mask: int64 [batch, length], 1 where a token stands and 0 on padding.
            word_ids: int64 [batch, length] numbers of the words.
            labels: int64 [batch, steps] tokens of the next item; `IGNORED` (-100) on padding.
            num_items_in_batch: Labels of the whole step, of which this batch may be a part: the loss is divided by
                it in place of the batch's own number.
            options: What T5 takes besides.

        Returns:
            logits [batch, steps, vocabulary], and where `labels` are given the mean cross-entropy over the
            positions that are not ignored (the paper's equation 1).
        """
        if input_ids is not None and word_ids is not None:
            options["inputs_embeds"] = self.embed(input_ids, word_ids)
        if labels is not None:
            options |= {"decoder_input_ids": self._shift_right(labels), "use_cache": False}
        output = super().forward(attention_mask=attention_mask, **options)
        if labels is None:
            return output
        total = functional.cross_entropy(
            output.logits.flatten(0, 1).float(), labels.flatten(), ignore_index=IGNORED, reduction="sum"
        )
        count = (labels != IGNORED).sum().clamp(min=1) if num_items_in_batch is None else num_items_in_batch
        return Seq2SeqLMOutput(loss=total / count, logits=output.logits)

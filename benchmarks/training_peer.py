"""The peer of training.py: the published way, written plainly.

One example after the other is written as text and split by a BPE tokenizer, 16 of them at random make a batch that
is padded to its longest, Hugging Face's BART learns from it, plain AdamW steps.
"""

from pathlib import Path

import numpy as np
import torch
from measuring import now
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import BartConfig, BartForConditionalGeneration, PreTrainedTokenizerFast

from genrec.data.tables import Sequences
from genrec.model.configuration import GenRecConfig
from genrec.model.modeling import IGNORED, GenRecForConditionalGeneration
from genrec.training.examples import Ints

BATCH = 16
_VOCABULARY = 50265
"""Of facebook/bart-base, whose embedding and head the peer has, whatever few of its tokens occur."""


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE that splits "item_1234" as BART's does: item, _, 12, 34."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([f"user_{n:02} item_{n:02}" for n in range(100)] * 2, trainer)
    ends = [("<s>", 0), ("</s>", 2)]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    names = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, mask_token="<mask>", **names)


def make_model(
    users: int, items: int, shape: dict[str, int], seed: int = 0, **settings: int
) -> GenRecForConditionalGeneration:
    """BART with ID embeddings, random weights, the whole vocabulary."""
    torch.manual_seed(seed)
    return GenRecForConditionalGeneration(
        GenRecConfig(
            user_count=users,
            item_count=items,
            vocab_size=_VOCABULARY,
            d_model=shape["d_model"],
            encoder_layers=shape["encoder_layers"],
            decoder_layers=shape["decoder_layers"],
            encoder_attention_heads=shape["heads"],
            decoder_attention_heads=shape["heads"],
            encoder_ffn_dim=shape["ffn_dim"],
            decoder_ffn_dim=shape["ffn_dim"],
            max_position_embeddings=512,
        )
    )


def save_weights(shape: dict[str, int], folder: Path) -> Path:
    """A folder as facebook/bart-base is one, with this tokenizer and random weights."""
    config = make_model(1, 1, shape).config.to_dict()
    bart = BartConfig(**{key: value for key, value in config.items() if key in BartConfig().to_dict()})
    tokenizer = make_tokenizer()
    tokenizer.save_pretrained(folder)
    names = {"pad_token_id": tokenizer.pad_token_id, "bos_token_id": tokenizer.bos_token_id}
    bart.update({"model_type": "bart", "eos_token_id": tokenizer.eos_token_id, **names})
    BartForConditionalGeneration(bart).save_pretrained(folder)
    return folder


class PublishedWay:
    """Finetuning steps on next items.

    Args:
        train: Training part of all sequences.
        items: Number of items.
        shape: Width, layers, heads and inner width, by the names of genrec's settings.
        device: Where it learns.
        seed: Of weights and batches.
    """

    def __init__(
        self, train: Sequences, items: int, shape: dict[str, int], device: str = "cpu", seed: int = 0
    ) -> None:
        self.train, self.tokenizer, self.device = train, make_tokenizer(), device
        self.owners = np.repeat(np.arange(len(train.lengths)), train.lengths)
        self.random = np.random.default_rng(seed)
        self.model = make_model(len(train.lengths), items, shape, seed).to(device).train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4)

    def examples_per_second(self, places: Ints, steps: int) -> float:
        """The speed over batches at random.

        Args:
            places: int64 [examples], where in the training part the examples' targets stand.
            steps: Most batches; fewer where there are not as many examples.
        """
        drawn = self.random.permutation(places)[: steps * BATCH]
        started = now(self.device)
        for first in range(0, len(drawn), BATCH):
            self.step(drawn[first : first + BATCH])
        return len(drawn) / (now(self.device) - started)

    def step(self, places: Ints) -> None:
        """One batch."""
        examples = [self._example(int(place)) for place in places]
        batch = {name: self._padded([example[name] for example in examples], name) for name in examples[0]}
        self.model(**batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _example(self, place: int) -> dict[str, list[int]]:
        """The items before a place in a history, and the item there."""
        owner = int(self.owners[place])
        history = self.train.items[self.train.offsets[owner] : place].tolist()[-80:]
        words = [f"user_{owner + 1}", *(f" item_{item}" for item in history), " <mask>"]
        found = self.tokenizer("".join(words), return_offsets_mapping=True)
        ends = np.cumsum([len(word) for word in words])
        carriers = [0, *history, 0]
        word_of = [int(np.searchsorted(ends, start, "right")) for start, _ in found["offset_mapping"]]
        inside = [end > 0 for _, end in found["offset_mapping"]]
        item_ids = [carriers[w] if i and w < len(carriers) else 0 for w, i in zip(word_of, inside, strict=True)]
        user_ids = [owner + 1 if i and w == 0 else 0 for w, i in zip(word_of, inside, strict=True)]
        target = self.tokenizer(f" item_{self.train.items[place]}", add_special_tokens=False)["input_ids"]
        return {
            "input_ids": found["input_ids"],
            "attention_mask": found["attention_mask"],
            "user_ids": user_ids,
            "item_ids": item_ids,
            "labels": [*target, self.tokenizer.eos_token_id],
        }

    def _padded(self, rows: list[list[int]], name: str) -> torch.Tensor:
        filler = {"input_ids": self.tokenizer.pad_token_id, "labels": IGNORED}.get(name, 0)
        longest = max(map(len, rows))
        return torch.tensor([row + [filler] * (longest - len(row)) for row in rows], device=self.device)

"""A dataset, a pretrained T5 of two layers, and models of either with random weights."""

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from genrec.baselines.p5.prompts import TEMPLATES
from genrec.baselines.settings import make_baseline_config
from genrec.data.dataset import load_dataset
from genrec.training.p5 import BuiltP5
from tests.baselines.p5.helpers import settings, spread
from tests.helpers import make_dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("data") / "random")


@pytest.fixture(scope="module")
def small_t5(tmp_path_factory):
    """A folder as google-t5/t5-small is one, only smaller: a tokenizer that marks words, and T5's weights."""
    folder = tmp_path_factory.mktemp("t5")
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    texts = [f"user_{n} item_{n * 7 % 100} item_{n % 30} , {TEMPLATES[n % 9]}" for n in range(300)]
    special = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=150, special_tokens=special, unk_token="<unk>")
    tokenizer.train_from_iterator(texts, trainer)
    named = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named)
    fast.save_pretrained(folder)
    config = T5Config(
        vocab_size=len(fast) + 10, d_model=16, d_kv=6, d_ff=32, num_layers=2, num_decoder_layers=1, num_heads=2
    )
    torch.manual_seed(0)
    T5ForConditionalGeneration(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=["own", "text"])
def built(request, dataset, small_t5):
    data = load_dataset(dataset)
    if request.param == "own":
        return spread(BuiltP5(settings(), data))
    given = {"model": "p5", "weights": str(small_t5), "max_length": 6}
    return spread(BuiltP5(make_baseline_config(given), data))

"""Templates, how they are joined, and the examples that training makes of them."""

import numpy as np
import torch

from genrec.baselines.p5.prompts import TEMPLATES, TRAINED, Prompter
from genrec.data.dataset import load_dataset
from genrec.data.split import train_part
from genrec.training.p5 import BuiltP5
from tests.baselines.p5.helpers import P5Oracle, settings
from tests.helpers import ITEMS, USERS


def test_templates_name_the_user_then_the_history_and_the_last_has_no_word_of_its_own():
    assert len(TEMPLATES) == TRAINED + 1 == len(set(TEMPLATES))
    for template in TEMPLATES:
        assert template.count("{") == 2
        assert 0 <= template.index("{user}") < template.index("{history}")
    trained = {word for template in TEMPLATES[:TRAINED] for word in template.split()}
    assert set(TEMPLATES[-1].split()) <= trained


def test_prompts_are_joined_as_a_loop_would(built):
    prompter = Prompter(built.scheme, built.model.config, range(9))
    oracle = P5Oracle(built)
    rng = np.random.default_rng(0)
    lengths, users, prompts = rng.integers(0, 7, 30), rng.integers(0, USERS + 1, 30), rng.integers(0, 9, 30)
    rows = np.zeros((30, 6), np.int64)
    for row, length in zip(rows, lengths, strict=True):
        row[:length] = rng.integers(1, ITEMS + 1, length)
    inputs = prompter(*map(torch.from_numpy, (rows, users, prompts)))
    for place in range(30):
        tokens, words = oracle.tokens_and_words(
            rows[place, : lengths[place]].tolist(), users[place], prompts[place]
        )
        assert inputs.attention_mask[place].tolist()[: len(tokens) + 1] in (
            [1] * len(tokens) + [0],
            [1] * len(tokens),
        )
        assert inputs.input_ids[place, : len(tokens)].tolist() == tokens
        assert inputs.word_ids[place, : len(tokens)].tolist() == words
        assert not inputs.word_ids[place, len(tokens) :].any()
    assert int(inputs.word_ids.max()) < built.model.whole_words.num_embeddings


def test_examples_are_the_training_parts_own_and_draws_are_repeated(dataset):
    data = load_dataset(dataset)
    built = BuiltP5(settings(user_dropout=0.5), data)
    train = train_part(data.sequences)
    collate = built.collator("finetune", train)
    count = len(collate.examples)
    assert count == int(np.maximum(train.lengths - 1, 0).sum())
    places = [(1, number) for number in range(count)]
    batch, again = collate(places), collate(places)
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    assert not torch.equal(batch["word_ids"], collate([(2, number) for number in range(count)])["word_ids"])
    targets = train.items[collate.examples.places]
    assert batch["labels"].tolist() == built.scheme.item_tokens[targets].tolist()
    whole = np.setdiff1d(built.scheme.user_tokens[:, 1], [0])
    shown = sum(int(np.isin(row, whole).any()) for row in batch["input_ids"].numpy())
    assert 0.3 * count < shown < 0.7 * count
    tokens, unlearned = built.scheme.user_tokens, np.flatnonzero(train.lengths < 2) + 1
    assert len(unlearned)
    assert (tokens[unlearned] == tokens[0]).all()
    assert len(np.unique(tokens, axis=0)) == len(tokens) - len(unlearned)
    filler = collate([places[0], (1, ~3)])
    assert (filler["labels"][1] == -100).all()
    alone = built.model.eval()(**{name: values[:1] for name, values in filler.items()}).loss
    torch.testing.assert_close(built.model(**filler).loss, alone, rtol=1e-4, atol=1e-4)

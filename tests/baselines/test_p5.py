"""P5: its prompts, its tokens, its search against brute force, what it learns, and runs of it."""

import json

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

import genrec
from genrec.baselines.p5.prompts import TEMPLATES, TRAINED, Prompter
from genrec.baselines.p5.recommender import P5Recommender, P5Scorer, load_p5
from genrec.baselines.settings import make_baseline_config
from genrec.comparing.compare import compare
from genrec.comparing.words import name_of
from genrec.data.dataset import load_dataset
from genrec.data.split import train_part
from genrec.decoding.t5 import T5EncoderPass, t5_generator
from genrec.errors import GenRecError
from genrec.runs import find_runs
from genrec.training.p5 import BuiltP5
from genrec.training.session import Session
from tests.baselines.helpers import sequences
from tests.baselines.test_grammars import GRAMMARS
from tests.helpers import ITEMS, USERS, make_dataset, write_dataset
from tests.oracle import Oracle, assert_exact
from tests.training.helpers import assert_equal_weights

TINY = {"d_model": 16, "heads": 2, "ffn_dim": 32, "max_length": 6}


def settings(**given):
    return make_baseline_config({"model": "p5", **TINY, **given})


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


def spread(built):
    """Random weights under which scores differ clearly."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in built.model.named_parameters():
            if weight.dim() == 2:
                weight.normal_(std=0.5 if "Attention" in name or "Dense" in name else 1.5)
    built.model.eval()
    return built


@pytest.fixture(scope="module", params=["own", "text"])
def built(request, dataset, small_t5):
    data = load_dataset(dataset)
    if request.param == "own":
        return spread(BuiltP5(settings(), data))
    given = {"model": "p5", "weights": str(small_t5), "max_length": 6}
    return spread(BuiltP5(make_baseline_config(given), data))


class P5Oracle(Oracle):
    """Plain loops in place of gathers; Hugging Face's encoder and decoder."""

    def __init__(self, built):
        super().__init__(built.model, built.scheme, 0)
        self.config = built.model.config

    def tokens_and_words(self, history, user, prompt):
        before, between, after = self.config.prompts[prompt]
        person = self._tokens(self.scheme.user_tokens[user])
        items = []
        for item in history[-self.config.max_items :]:
            items += [[token for token in self.paths[item] if token != self.scheme.special.end]]
            items += [self.config.separator] if self.config.separator else []
        if history and self.config.separator:
            items.pop()
        said = [*before, person, *between, *items]
        words = [(len(said) - place, word) for place, word in enumerate(said)]
        words += [(self.config.words_before + place, word) for place, word in enumerate(after, 1)]
        tokens = [token for _, word in words for token in word]
        numbers = [number for number, word in words for _ in word]
        return [*tokens, self.scheme.special.end], [*numbers, 0]

    def _encode(self, history, user):
        tokens, numbers = map(torch.tensor, self.tokens_and_words(history, user, self.config.prompt))
        embedded = self.model.embed(tokens, numbers)
        return self.model.encoder(inputs_embeds=embedded[None]).last_hidden_state


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


def test_the_encoder_is_hugging_faces(built):
    torch.manual_seed(0)
    embedded, mask = torch.randn(3, 150, 16), torch.ones(3, 150, dtype=torch.long)
    mask[1, 70:], mask[2, 3:] = 0, 0
    with torch.no_grad():
        expected = built.model.encoder(inputs_embeds=embedded, attention_mask=mask).last_hidden_state
        states, padding = T5EncoderPass(built.model.encoder)(embedded, mask)
    found = states.view_as(expected)
    torch.testing.assert_close(found[mask > 0], expected[mask > 0], rtol=1e-4, atol=1e-4)
    assert ((padding[:, 0, 0] == 0) == (mask > 0)).all()


def test_steps_of_the_decoder_are_hugging_faces(built):
    torch.manual_seed(0)
    batch, beams, steps, length = 2, 3, 4, 9
    model = built.model
    states, mask = torch.randn(batch, length, 16), torch.ones(batch, length, dtype=torch.long)
    mask[1, 5:] = 0
    tokens = torch.randint(3, 60, (batch, beams, steps))
    stepper = t5_generator(model).decoder
    padding = torch.where(mask > 0, 0.0, -torch.inf)[:, None, None, :]
    own = torch.where(torch.eye(beams) > 0, 0.0, -torch.inf)  # no beam sees another one's tokens
    past, found = None, []
    with torch.no_grad():
        encoded = stepper.remember(states.flatten(0, 1), padding)
        prefix = torch.zeros(batch, 2, dtype=torch.long)
        causal = torch.full((2, 2), -torch.inf).triu(1)[None, None]
        _, past = stepper.step(stepper.embed(prefix, 0, 2), encoded, padding, None, causal)
        for place in range(steps):
            sight = torch.cat([torch.zeros(beams, 2), own.repeat(1, place + 1)], 1)[None, None]
            rows, past = stepper.step(stepper.embed(tokens[:, :, place], 2), encoded, padding, past, sight)
            found.append(rows)
        expected = model.decoder(
            input_ids=torch.cat([prefix.repeat_interleave(beams, 0), tokens.flatten(0, 1)], 1),
            encoder_hidden_states=states.repeat_interleave(beams, 0),
            encoder_attention_mask=mask.repeat_interleave(beams, 0),
            use_cache=False,
        ).last_hidden_state[:, 2:]
    torch.testing.assert_close(torch.stack(found, 1), expected, rtol=1e-4, atol=1e-4)


def test_lists_are_those_of_brute_force(built):
    scorer, oracle = P5Scorer(built.model, built.scheme, ITEMS), P5Oracle(built)
    histories, users = [[], [7], [5, 9, 9, 2, 8, 1, 3, 30]], [0, 3, USERS]
    items, scores = scorer(histories, users, exclude_seen=False, k=ITEMS)
    assert np.allclose(np.exp(scores).sum(1), 1, atol=1e-4)
    for row, (history, user) in enumerate(zip(histories, users, strict=True)):
        assert_exact(items[row], scores[row], oracle.scores(history, user), set(range(1, ITEMS + 1)), 1e-4)
    seen, _ = scorer(histories, users, k=ITEMS)
    assert not set(histories[2]) & set(seen[2].tolist())
    items, scores = P5Scorer(built.model, built.scheme, 5)(histories, users, allowed=[[], [], [30, 8, 4]], k=5)
    assert set(items[2].tolist()) == {4, 0}


def test_a_batch_is_its_rows_wherever_its_zeros_stand(built):
    module = P5Recommender(built.model, built.scheme, 5, 5).eval()
    none, yes = torch.zeros(2, 0, dtype=torch.long), torch.tensor(True)
    rows = torch.tensor([[0, 4, 0, 5, ITEMS + 1, -2, 6], [1, 2, 3, 4, 5, 6, 7]])
    with torch.no_grad():
        both = module(rows, torch.tensor([-1, 2]), yes, none, none)
        alone = module(torch.tensor([[4, 5, 6]]), torch.tensor([0]), yes, none[:1], none[:1])
    assert both[0][0].tolist() == alone[0][0].tolist()
    torch.testing.assert_close(both[1][0], alone[1][0])


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


def test_numbers_of_items_mean_nothing(tmp_path):
    """Renumbered, items have the same tokens, and so the same scores."""
    rng = np.random.default_rng(0)
    rows = [rng.integers(1, 21, rng.integers(3, 8)).tolist() for _ in range(40)]
    moved = np.concatenate([[0], rng.permutation(20) + 1])
    names = [f"i{n}" for n in range(20)]
    users = [f"u{n}" for n in range(40)]
    write_dataset(tmp_path / "one", users, names, rows)
    write_dataset(tmp_path / "other", users, names, [[int(moved[item]) for item in row] for row in rows])
    one, other = (BuiltP5(settings(), load_dataset(tmp_path / name)) for name in ("one", "other"))
    shown = np.unique(train_part(load_dataset(tmp_path / "one").sequences).items)
    assert (one.scheme.item_tokens[shown] == other.scheme.item_tokens[moved[shown]]).all()
    history = [int(item) for item in shown[:4]]
    lists = []
    for built, asked in ((one, history), (other, [int(moved[item]) for item in history])):
        items, scores = P5Scorer(built.model.eval(), built.scheme, 20)([asked], [3], exclude_seen=False)
        lists.append(dict(zip(items[0].tolist(), scores[0].tolist(), strict=True)))
    for item in shown:
        assert abs(lists[0][item] - lists[1][int(moved[item])]) < 1e-4


def taught(grammar, folder, steps):
    """Takes steps of training on random batches; hits among the histories that are asked."""
    torch.set_num_threads(1)
    users = [f"u{n}" for n in range(len(grammar.rows))]
    write_dataset(folder, users, [f"i{n}" for n in range(grammar.items)], grammar.rows)
    shape = {"d_model": 32, "ffn_dim": 64, "max_length": 4, "dropout": 0.0, "user_dropout": 1}
    built = BuiltP5(settings(**shape), load_dataset(folder))
    collate, rng = built.collator("finetune", sequences(grammar.rows)), np.random.default_rng(0)
    optimiser = torch.optim.Adam(built.model.parameters(), 0.003)
    built.model.train()
    for step in range(steps):
        drawn = rng.integers(0, len(collate.examples), 64)
        optimiser.zero_grad()
        built.model(**collate([(step, int(number)) for number in drawn])).loss.backward()
        optimiser.step()
    scorer = P5Scorer(built.model.eval(), built.scheme, 5)
    items, _ = scorer(grammar.histories, [0] * len(grammar.histories), exclude_seen=False)
    return float((items[:, 0] == grammar.targets).mean())


def test_it_learns_that_the_last_item_tells_the_next(tmp_path):
    assert taught(GRAMMARS["last"](), tmp_path / "data", 120) > 0.9


@pytest.mark.slow
def test_it_learns_that_only_the_last_two_items_together_tell_the_next(tmp_path):
    assert taught(GRAMMARS["last two"](), tmp_path / "data", 600) > 0.85


def test_a_stopped_run_ends_with_the_weights_of_an_unbroken_one(dataset, tmp_path, monkeypatch):
    quick = {**TINY, "batch_size": 64, "finetune_epochs": 2}
    genrec.train(dataset, tmp_path / "whole", model="p5", settings=quick, seed=1)
    original = Session._note_epoch

    def stop(session, phase, trainer):
        original(session, phase, trainer)
        if trainer.state.epoch >= 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(Session, "_note_epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        genrec.train(dataset, tmp_path / "run", model="p5", settings=quick, seed=1)
    monkeypatch.undo()
    genrec.train(dataset, tmp_path / "run", model="p5", settings=quick, seed=1, resume=True)
    assert_equal_weights(tmp_path / "whole", tmp_path / "run")
    assert len(genrec.load(tmp_path / "run").recommend(user="u3", k=25)["items"]) == 25
    assert len(genrec.load(tmp_path / "run").recommend(history=["i1"], k=5)["items"]) == 5


@pytest.mark.parametrize("indexing", ["text", "leaky-sequential"])
def test_pretrained_weights(dataset, small_t5, tmp_path, indexing):
    given = {"weights": str(small_t5), "finetune_epochs": 1, "max_length": 6, "indexing": indexing}
    genrec.train(dataset, tmp_path / "run", model="p5", settings=given)
    run = load_p5(tmp_path / "run")
    assert (run.model.config.d_model, run.info["config"]["d_model"], run.model.config.d_kv) == (16, 16, 6)
    result = genrec.evaluate(tmp_path / "run")
    assert result["protocol"]["leaky"] == (indexing == "leaky-sequential")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tmp_path / "run")
    words = {tokenizer.decode(row[row > 0]) for row in run.scheme.user_tokens}
    learned = np.flatnonzero(train_part(load_dataset(dataset).sequences).lengths > 1) + 1
    assert words == {f"user_{number}" for number in (0, *learned)}
    if indexing == "text":
        items = {tokenizer.decode(row[row > 0]) for row in run.scheme.encoder_tokens[1:]}
        assert items == {f"item_{number}" for number in range(1, ITEMS + 1)}
    else:
        assert run.scheme.item_tokens[1:].min() >= len(tokenizer) + 10
        assert run.model.shared.num_embeddings == run.scheme.vocabulary


def test_what_cannot_be_is_told(dataset, small_t5, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for given, told in (
        ({"weights": "google-t5/t5-small"}, "--set weights=FOLDER"),
        ({"weights": str(small_t5), "d_model": 32}, r"d_model 32 \(the weights have 16\)"),
        ({"weights": str(small_t5), "shape": "small"}, "weights have a shape of their own"),
        ({"weights": str(dataset)}, "is no whole T5 model"),
        ({"indexing": "text"}, "needs weights with a tokenizer"),
        ({"heads": 3}, "d_model 64 must be a multiple of heads 3"),
        ({"shape": "large"}, "shape = 'large'"),
        ({"prompt": 10}, "prompt = 10"),
        ({"pretrain_epochs": 1}, "p5 has no pretraining"),
    ):
        with pytest.raises(GenRecError, match=told):
            genrec.train(dataset, tmp_path / "run", model="p5", settings=given)
    assert not (tmp_path / "run").exists()


def test_shapes_are_t5s():
    small = settings(shape="small")
    assert (small.encoder_layers, small.d_model) == (6, 16)  # what is set is kept
    base = make_baseline_config({"model": "p5", "shape": "base"})
    assert (base.d_model, base.encoder_layers, base.heads, base.ffn_dim) == (768, 12, 12, 3072)
    assert make_baseline_config(json.loads(base.model_dump_json())) == base


def test_a_comparison_trains_it_and_says_when_its_tokens_are_leaky(dataset, tmp_path):
    quick = ["p5.d_model=16", "p5.ffn_dim=32", "finetune_epochs=1", "indexing=leaky-sequential"]
    found = compare(dataset, tmp_path / "runs", models=["p5", "popularity"], settings=quick, exclude_seen=True)
    row, _ = found["rows"]
    assert (row["model"], row["indexing"], name_of(row)) == ("p5", "leaky-sequential", "p5 (leaky)")
    (told,) = find_runs(tmp_path / "runs")
    assert (told["model"], told["indexing"], told["status"]) == ("p5", "leaky-sequential", "finished")
    again = compare(dataset, tmp_path / "runs", models=["p5", "popularity"], settings=quick, exclude_seen=True)
    assert again["rows"][0]["metrics"] == row["metrics"]

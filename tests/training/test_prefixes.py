"""All prefixes of a sequence in one pass: what each prefix by itself would teach."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import genrec
from genrec.decoding.scorer import TorchScorer
from genrec.indexing.scheme import own_scheme
from genrec.model.inputs import InputBuilder
from genrec.training.batches import Collator, PrefixCollator
from genrec.training.examples import FinetuneExamples, PrefixWindows
from genrec.training.lanes import Cut, Lanes
from tests.data.helpers import sequences
from tests.helpers import make_model
from tests.oracle import Oracle
from tests.training.helpers import QUICK, chain_dataset

ITEMS, USERS = 40, 30


@pytest.fixture(scope="module", params=["positions", "distances"])
def parts(request):
    """A causal model without dropout, its tokens, and histories of one item to seven."""
    rng = np.random.default_rng(0)
    train = sequences(*[rng.integers(1, ITEMS + 1, rng.integers(1, 8)).tolist() for _ in range(USERS)])
    scheme = own_scheme(train, ITEMS, "random", seed=0)
    model = make_model(
        scheme,
        users=USERS,
        spread=2.0,
        merged_tokens=2,
        causal_encoder=True,
        mask_token=scheme.special.mask,
        item_loss=0.5,
        repeats=2,
        distances=4 if request.param == "distances" else 0,
    )
    model.config.dropout = model.model.encoder.dropout = model.model.decoder.dropout = 0.0
    for layer in (*model.model.encoder.layers, *model.model.decoder.layers):
        layer.dropout = 0.0
    return model.train(), scheme, train


def gradients(model, batches, count):
    model.zero_grad(set_to_none=True)
    loss = sum(model(**batch, num_items_in_batch=count).loss for batch in batches)
    loss.backward()
    return float(loss.detach()), {name: weight.grad.clone() for name, weight in learning(model)}


def learning(model):
    return [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]


def collators(parts):
    model, scheme, train = parts
    builder = InputBuilder(scheme, model.config)
    one = FinetuneExamples(train, builder.mask_item, builder.max_items, every_prefix=True)
    many = PrefixWindows(train, builder.max_items)
    return Collator(one, scheme, builder, 0.0, 0), PrefixCollator(many, scheme, builder, 0.0, 0)


@pytest.mark.parametrize("joined", [True, False])
def test_one_pass_has_the_loss_and_the_gradient_of_every_prefix(parts, joined):
    model, _, train = parts
    model.joined = joined
    single, whole = collators(parts)
    count = torch.tensor(2 * len(train.items))
    wanted_loss, wanted = gradients(model, [single([(0, n) for n in range(len(train.items))])], count)
    loss, found = gradients(model, [whole([(0, n) for n in range(USERS)])], count)
    assert loss == pytest.approx(wanted_loss, rel=1e-5)
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[name], gradient, msg=name, atol=2e-6, rtol=1e-3)


def test_lanes_and_pieces_change_nothing(parts):
    model, _, train = parts
    _, whole = collators(parts)
    count, batch = torch.tensor(2 * len(train.items)), whole([(0, n) for n in range(USERS)])
    wanted_loss, wanted = gradients(model, [batch], count)
    lanes = Lanes(2)
    lanes.cut = Cut(lanes.cut.most, 1)
    model.zero_grad(set_to_none=True)

    def learn(rows):
        return model(**rows, num_items_in_batch=count).loss

    assert float(lanes(learn, batch, [weight for _, weight in learning(model)])) == pytest.approx(
        wanted_loss, rel=1e-5
    )
    lanes.close()
    for name, weight in learning(model):
        torch.testing.assert_close(weight.grad, wanted[name], msg=name, atol=2e-6, rtol=1e-3)


def test_a_filler_teaches_nothing(parts):
    _, whole = collators(parts)
    batch = whole([(0, 3), (0, ~3)])
    assert (batch["labels"][1] == -100).all()
    assert not batch["target_items"][1].any()


@given(st.lists(st.integers(0, 40), min_size=1, max_size=6), st.integers(1, 9))
def test_every_item_is_a_target_once_with_history(lengths, longest):
    train = sequences(*[list(range(1, length + 1)) for length in lengths])
    windows = PrefixWindows(train, longest)
    found = [[] for _ in lengths]
    items, users, first = windows.windows(np.arange(len(windows)))
    for row, user, start in zip(items, users, first, strict=True):
        row = row[row > 0]
        assert len(row) <= longest
        assert (np.diff(row) == 1).all()
        assert row[0] == 1 or start >= longest - max(1, longest // 2)
        found[user - 1] += row[start:].tolist()
    assert found == [list(range(1, length + 1)) for length in lengths]
    assert windows.targets_each * len(windows) == pytest.approx(sum(lengths)) if len(windows) else not sum(lengths)


def test_distances_are_told_apart_wherever_they_are(parts):
    """A shift of the whole input changes nothing where positions have no embeddings of their own."""
    model, scheme, _ = parts
    model.eval()
    encoder, rows = model.model.encoder, torch.tensor([[[7, 8], [9, 10], [11, 12]]])
    none = torch.zeros(1, 3, dtype=torch.int64)
    far = torch.cat([torch.full((1, 2, 2), scheme.special.pad), rows], dim=1)
    there = torch.tensor([[0, 0, 1, 1, 1]])
    near = encoder(rows, torch.ones_like(none), none, none).last_hidden_state
    shifted = encoder(far, there, 0 * there, 0 * there).last_hidden_state[:, 2:]
    assert torch.allclose(near, shifted, atol=1e-5) == bool(model.config.distances)
    model.train()


def test_serving_sees_what_training_saw(parts):
    """The search's scores are those of the plain model, whose encoder is causal and whose input has no [END]."""
    model, scheme, _ = parts
    model.eval()
    oracle = Oracle(model, scheme, 24)
    items, scores = TorchScorer(model, scheme, ITEMS)([[5, 9, 9, 2], [7]], [3, 0], exclude_seen=False, k=ITEMS)
    for row, (history, user) in enumerate((([5, 9, 9, 2], 3), ([7], 0))):
        exact = oracle.scores(history, user)
        assert scores[row].tolist() == pytest.approx([exact[item] for item in items[row]], abs=1e-5)
    model.train()


def test_a_causal_run_learns_is_exported_and_resumed(tmp_path):
    dataset = chain_dataset(tmp_path / "chain")
    settings = {
        **QUICK,
        "d_model": 32,
        "ffn_dim": 64,
        "encoder_attention": "causal",
        "encoder_merge": "item",
        "item_loss": 1.0,
        "batch_size": 4,
        "finetune_epochs": 15,
        "patience": 15,
        "learning_rate": 0.005,
    }
    result = genrec.train(dataset, tmp_path / "run", settings=settings)
    assert result["best"]["valid"]["HR@1"] > 0.6  # chance is 0.05
    exported = genrec.export(tmp_path / "run", tmp_path / "bundle", k=5)
    assert exported["parity"]["same_top_k"] == 1

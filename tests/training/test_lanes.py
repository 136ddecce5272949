"""Halves of a batch learned at once: the gradient of the whole, and the same dropout however the threads run."""

import time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genrec.model.learning import dropout, seeded
from genrec.settings import make_config
from genrec.training.lanes import HALVES, Cut, Lanes, lanes_for, pieces
from tests.helpers import make_model, text_like_scheme

SCHEME = text_like_scheme()


def batch(size: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(size)
    shape = (size, 11)
    mask = (torch.arange(11) < torch.randint(4, 12, (size, 1))).long()
    return {
        "input_ids": torch.randint(4, 16, shape) * mask + SCHEME.special.pad * (1 - mask),
        "attention_mask": mask,
        "user_ids": torch.randint(0, 31, shape) * mask,
        "item_ids": torch.randint(0, 41, shape) * mask,
        "labels": torch.randint(4, 16, (size, 3)),
    }


def backward(loss):
    loss.backward()
    return loss.detach()


def gradients(model, learn):
    model.zero_grad(set_to_none=True)
    loss = learn()
    return float(loss), {name: weight.grad.clone().to_dense() for name, weight in model.named_parameters()}


@pytest.fixture
def lanes():
    made = Lanes(2)
    yield made
    made.close()


@pytest.fixture
def model():
    made = make_model(SCHEME, users=30, spread=1.0).train()
    made.config.dropout = 0.0
    return made


def learner(model, count):
    def learn(inputs):
        return model(**inputs, num_items_in_batch=count).loss

    return learn


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("saved", [1, 128])
@pytest.mark.parametrize("narrow", [False, True])
def test_parts_have_the_gradient_of_the_whole(model, saved, sparse, narrow):
    """Halves or one, cut into many pieces or into none."""
    lanes = Lanes(2, narrow)
    lanes.cut = Cut(lanes.cut.most, saved)
    model.use_sparse_ids(sparse)
    inputs = batch(21)
    count = torch.tensor(63)
    learn = learner(model, count)
    weights = list(model.parameters())
    loss, found = gradients(model, lambda: lanes(learn, inputs, weights))
    wanted_loss, wanted = gradients(model, lambda: backward(learn(inputs)))
    assert loss == pytest.approx(wanted_loss, rel=1e-6)
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[name], gradient, msg=name, atol=1e-6, rtol=1e-4)
    assert torch.get_num_threads() == 2
    lanes.close()


@pytest.mark.parametrize("saved", [1, 128])
@pytest.mark.parametrize("late", [0, 1])
def test_it_matters_not_which_half_is_first(lanes, model, late, saved):
    lanes.cut = Cut(HALVES.most, saved)
    model.config.dropout = 0.3
    inputs, learn = batch(20), learner(model, torch.tensor(60))

    def slow(rows):
        if any((row == inputs["labels"][late]).all() for row in rows["labels"]):
            time.sleep(0.05)
        return learn(rows)

    weights = list(model.parameters())

    torch.manual_seed(3)
    _, wanted = gradients(model, lambda: lanes(learn, inputs, weights))
    torch.manual_seed(3)
    _, found = gradients(model, lambda: lanes(slow, inputs, weights))
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)
    torch.manual_seed(4)
    _, other = gradients(model, lambda: lanes(learn, inputs, weights))
    assert any(not torch.equal(wanted[name], other[name]) for name in wanted)


@given(st.lists(st.integers(1, 200), min_size=1, max_size=70))
def test_pieces_hold_every_row_once_and_save_padding(lengths):
    lengths = torch.tensor(sorted(lengths))
    found = pieces(torch.arange(len(lengths)), lengths)
    assert torch.cat(found).tolist() == list(range(len(lengths)))
    padded = [len(part) * int(lengths[part].max()) for part in found]
    whole = len(lengths) * int(lengths.max())
    assert whole > HALVES.most or whole - sum(padded) >= HALVES.saved * (len(found) - 1)
    assert max(padded) <= HALVES.most


def test_long_examples_are_computed_in_pieces_that_memory_bears():
    assert [len(part) for part in pieces(torch.arange(32), torch.full((32,), 125))] == [16, 16]


def test_a_long_example_does_not_lengthen_the_others():
    lengths = torch.tensor([5] * 30 + [100])
    assert [len(part) for part in pieces(torch.arange(31), lengths)] == [30, 1]


def test_the_joined_pass_is_hugging_faces(model):
    """Without dropout, merged positions or not, to rounding: loss and every gradient."""
    for merged in (0, 3):
        model = make_model(SCHEME, users=30, spread=1.0, merged_tokens=merged).train()
        model.config.dropout = 0.0
        for layer in (*model.model.encoder.layers, *model.model.decoder.layers):
            layer.dropout = 0.0
        model.model.encoder.dropout = model.model.decoder.dropout = 0.0
        inputs = batch(9)
        if merged:
            inputs["input_ids"] = torch.stack(
                [inputs["input_ids"]] * 2 + [inputs["labels"][:, :1].expand(-1, 11)], 2
            )
        learn = learner(model, None)
        loss, found = gradients(model, lambda: backward(learn(inputs)))  # noqa: B023
        model.joined = False
        wanted_loss, wanted = gradients(model, lambda: backward(learn(inputs)))  # noqa: B023
        assert loss == pytest.approx(wanted_loss, rel=1e-6)
        for name, gradient in wanted.items():
            torch.testing.assert_close(found[name], gradient, msg=name, atol=2e-6, rtol=1e-4)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_dropout_drops_its_share_and_keeps_the_mean(share):
    torch.manual_seed(0)
    values = torch.ones(400, 501, requires_grad=True)
    found = dropout(values, share)
    kept = 1 - round(share * 256) / 256
    assert float((found != 0).float().mean()) == pytest.approx(kept, abs=0.005)
    assert float(found.detach().mean()) == pytest.approx(1, abs=0.01)
    found.sum().backward()
    assert torch.equal(values.grad, found.detach())
    assert torch.equal(dropout(values, 0.0), values)


def test_a_seed_decides_the_dropout_of_its_thread_alone():
    values = torch.ones(50, 50)

    def drawn(seed):
        with seeded(seed):
            return dropout(values, 0.5)

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))
    torch.manual_seed(0)
    first = dropout(values, 0.5)
    torch.manual_seed(0)
    drawn(7)
    assert torch.equal(dropout(values, 0.5), first)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_what_dropout_leaves_is_added_to_a_base(kind):
    values, base = torch.randn(4, 9).to(kind).requires_grad_(), torch.randn(4, 9).requires_grad_()
    torch.manual_seed(0)
    left = dropout(values, 0.25)
    torch.manual_seed(0)
    both = dropout(values, 0.25, base)
    torch.testing.assert_close(both, base + left)
    upstream = torch.randn(4, 9)
    found = torch.autograd.grad(both, (values, base), upstream)
    torch.testing.assert_close(found, torch.autograd.grad(base + left, (values, base), upstream))


@pytest.mark.parametrize(("precision", "wide", "wanted"), [("fp32", 96, 2), ("bf16", 96, None), ("fp32", 64, 1)])
def test_there_are_halves_where_they_are_quicker(monkeypatch, precision, wide, wanted):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    config = make_config({"preset": "tiny", "precision": precision})
    with lanes_for(config, wide, torch.device("cpu")) as found:
        assert (found and found.count) == wanted


def test_a_narrow_model_learns_whole_batches_but_for_long_examples():
    def fits(rows, length):
        return Lanes(2, narrow=True).fit({"labels": torch.zeros(rows), "attention_mask": torch.ones(rows, length)})

    assert [fits(1024, 16), fits(1024, 17), fits(15, 2000)] == [False, True, False]


def test_what_dropout_keeps_for_the_gradient_is_seen_by_the_estimate_of_memory():
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor
    ):
        dropout(torch.ones(8, requires_grad=True), 0.5)
    assert [tensor.numel() for tensor in kept] == [8]

"""FDSA and S3-Rec: the attributes that they read, and what they do with them."""

import pyarrow as pa
import pytest
import torch

from genrec.baselines.attributes import read_attributes
from genrec.baselines.settings import make_baseline_config
from genrec.errors import GenRecError
from tests.baselines.helpers import batch_of, random_model, sequences
from tests.helpers import save_dataset

KIND = pa.list_(pa.string())


def dataset(folder, attributes):
    table = {"item_id": [f"i{number}" for number in range(4)]}
    if attributes is not None:
        table["attributes"] = pa.array(attributes, KIND)
    folder.mkdir()
    save_dataset(folder, ["u"], pa.table(table), sequences([[1, 2, 3, 4]]))
    return folder


def test_shared_attributes_are_numbered_the_commonest_first(tmp_path):
    rows = [["rare", "red", "red"], None, ["red", None, "blue", "own"], ["blue", "red"]]
    table = read_attributes(dataset(tmp_path / "data", rows), "fdsa")
    assert table.tolist() == [[0, 0], [1, 0], [0, 0], [1, 2], [1, 2]]


@pytest.mark.parametrize("attributes", [None, [None] * 4, [["a"], ["b"], [], None]])
def test_no_shared_attributes_are_an_error(tmp_path, attributes):
    with pytest.raises(
        GenRecError, match="share no attributes, which s3rec reads; prepare the dataset with --items"
    ):
        read_attributes(dataset(tmp_path / "data", attributes), "s3rec")


def test_a_feature_is_the_weighed_sum_of_the_attributes():
    model = random_model("fdsa")
    model.item_attributes[3] = torch.tensor([2, 4])
    model.item_attributes[4] = 0
    rows = model.attributes.weight[[2, 4]]
    weights = (rows @ model.weigh.weight[0]).softmax(0)
    found = model.features(torch.tensor([[3, 4]]))[0]
    torch.testing.assert_close(found[0], weights @ rows)
    assert not found[1].any()


def test_fdsa_sees_no_future():
    model = random_model("fdsa")
    for encoder in (model.encoder, model.feature_encoder):
        encoder.positions.weight.data.zero_()  # they count from the newest item
    a, b = torch.tensor([[1, 2, 3, 4]]), torch.tensor([[1, 2, 9, 5]])
    torch.testing.assert_close(model.states(a)[:, :2], model.states(b)[:, :2])


ROWS = [[1, 2, 3, 4, 5], [6], [7, 8], [9, 10, 11]]


def pretraining(**weights):
    model = random_model("s3rec", **{"aap": 0.0, "mip": 0.0, "map": 0.0, "sp": 0.0, **weights})
    return model, batch_of(model, ROWS, "pretrain")


def test_segments_are_at_most_half_and_strangers_stand_in_their_place():
    _, batch = pretraining(sp=1.0)
    sizes = batch["segment"].sum(1)
    assert (sizes >= 1).all()
    assert (sizes <= (batch["items"] > 0).sum(1) // 2).all()
    assert ((batch["stranger"] > 0) == (batch["segment"] > 0)).all()
    assert (batch["items"][batch["segment"] > 0] > 0).all()


def test_the_objectives_add_up_by_their_weights():
    losses = {}
    for name in ("aap", "mip", "map", "sp"):
        model, batch = pretraining(**{name: 1.0})
        losses[name] = float(model.loss(**batch).detach())
    assert all(value > 0 for value in losses.values())
    model, batch = pretraining(aap=0.5, mip=1.0, map=2.0, sp=3.0)
    total = 0.5 * losses["aap"] + losses["mip"] + 2 * losses["map"] + 3 * losses["sp"]
    assert float(model.loss(**batch).detach()) == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize(
    "weights", [{"aap": 1.0}, {"mip": 1.0}, {"map": 1.0}, {"sp": 1.0}, {"mip": 1.0, "sp": 1.0}]
)
def test_what_an_objective_of_weight_zero_needs_is_not_trained(weights):
    """Several processes wait for each weight's gradient."""
    model, batch = pretraining(**weights)
    model.loss(**batch).backward()
    for name, weight in model.objectives.named_parameters():
        assert weight.requires_grad == (weight.grad is not None), name


@pytest.mark.parametrize("name", ["mip", "map"])
def test_hidden_items_do_not_show(name):
    model, batch = pretraining(**{name: 1.0})
    hidden = batch["labels"] != -100
    other = {**batch, "items": torch.where(hidden, batch["items"] % 12 + 1, batch["items"])}
    torch.testing.assert_close(model.loss(**other), model.loss(**batch))


def test_finetuning_is_sasrecs_and_leaves_the_objectives_alone():
    model, other = random_model("s3rec"), random_model("sasrec")
    other.load_state_dict({key: model.state_dict()[key] for key in other.state_dict()})
    batch = batch_of(model, ROWS)
    loss = model.loss(**batch)
    torch.testing.assert_close(loss, other.loss(**batch_of(other, ROWS)))
    loss.backward()
    assert all(weight.grad is None for weight in model.objectives.parameters())


def test_pretraining_without_an_objective_is_refused():
    nothing = {"model": "s3rec", "aap": 0, "mip": 0, "map": 0, "sp": 0}
    with pytest.raises(GenRecError, match="nothing to pretrain; set pretrain_epochs=0"):
        make_baseline_config(nothing)
    assert make_baseline_config({**nothing, "pretrain_epochs": 0}).pretrain_epochs == 0

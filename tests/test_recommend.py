"""Recommending by external IDs: the same rules on a run and on a bundle."""

import numpy as np
import pytest

import genrec
from genrec.data.tables import read_sequences
from genrec.errors import GenRecError
from genrec.exporting.bundle import export
from genrec.exporting.parity import SAME
from genrec.model.checkpoint import load_run
from tests.helpers import ITEMS, MAX_LENGTH, USERS, make_dataset, make_run, write_dataset
from tests.oracle import Oracle

KINDS = ("run", "bundle")


@pytest.fixture(scope="module")
def models(trained):
    return {kind: genrec.load(getattr(trained, kind)) for kind in KINDS}


@pytest.fixture(params=KINDS)
def model(request, models):
    return models[request.param]


def items_of(result):
    return [row["item"] for row in result["items"]]


@pytest.mark.parametrize(
    "options", [{}, {"include_seen": True}, {"k": 3}, {"deny": ["i1", "i2"], "k": 7}], ids=str
)
def test_run_and_bundle_give_the_same_lists(models, options):
    for user in range(1, USERS + 1):
        left, right = (models[kind].recommend(f"u{user}", **options) for kind in KINDS)
        assert len(left["items"]) == len(right["items"]) == options.get("k", 10)
        for one, other in zip(left["items"], right["items"], strict=True):
            assert one["score"] == pytest.approx(other["score"], abs=SAME)
            near = [row["item"] for row in right["items"] if abs(row["score"] - one["score"]) < SAME]
            assert one["item"] == other["item"] or one["item"] in near
        assert (left["history"], left["known_user"]) == (right["history"], True)


def test_the_answer(model, trained):
    history = read_sequences(trained.dataset).of(3)
    result = model.recommend("u3", k=5)
    assert (result["user"], result["known_user"], result["history_length"]) == ("u3", True, len(history))
    assert [row["item"] for row in result["history"]] == [f"i{item}" for item in history[-10:]]
    assert [row["rank"] for row in result["items"]] == [1, 2, 3, 4, 5]
    for row in result["items"]:
        assert row["title"] == f"Title of {row['item']}"
        assert row["attributes"] == [f"genre {(int(row['item'][1:]) - 1) % 3}"]
        assert "index" not in row
    assert not set(items_of(result)) & {f"i{item}" for item in history}
    assert result["milliseconds"] > 0
    assert result["backend"] in ("torch", "onnxruntime")


def test_the_last_item_counts(model, trained):
    """The user's whole sequence is read, not the training part of it."""
    run = load_run(trained.run)
    history = read_sequences(trained.dataset).of(3).tolist()
    exact = Oracle(run.model, run.scheme, MAX_LENGTH).scores(history, 3)
    for row in model.recommend("u3", include_seen=True)["items"]:
        assert row["score"] == pytest.approx(exact[int(row["item"][1:])], abs=1e-4)


def test_a_visitor(model):
    result = model.recommend(history=["i5", "nope", "i6"], k=4)
    assert (result["user"], result["known_user"], result["unknown_history"]) == (None, False, ["nope"])
    assert [row["item"] for row in result["history"]] == ["i5", "i6"]
    assert not {"i5", "i6"} & set(items_of(result))
    assert items_of(model.recommend("a stranger", ["i5", "i6"], k=4)) == items_of(result)


def test_a_known_user_with_another_history(model):
    """The history stands in place of the user's own, the user is still recognised."""
    known, visitor = model.recommend("u3", ["i5", "i6"]), model.recommend(history=["i5", "i6"])
    assert known["known_user"]
    assert known["history"] == visitor["history"]
    assert known["items"][0]["score"] != pytest.approx(visitor["items"][0]["score"], abs=1e-6)


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({}, "give a user or a history"),
        ({"user": "nobody"}, r"user 'nobody' is unknown .* --history ITEM"),
        ({"history": ["x", "y"]}, "no item of the history is in the model's catalogue: x, y"),
        ({"history": []}, "it is empty"),
        ({"user": "u1", "k": 0}, "k is 0"),
        ({"user": "u1", "allow": ["x"]}, "none of its 1 items is in the model's catalogue"),
        ({"user": "u1", "allow": []}, "allows nothing: it is empty"),
    ],
)
def test_requests_that_make_no_sense(model, request_, told):
    with pytest.raises(GenRecError, match=told):
        model.recommend(**request_)


def test_allow_and_deny(model):
    result = model.recommend("u3", allow=["i1", "i2", "i3", "x"], deny=["i2", "y", "z"], include_seen=True)
    assert sorted(items_of(result)) == ["i1", "i3"]
    assert (result["unknown_allow"], result["unknown_deny"]) == (1, 2)


def test_long_lists(models):
    everything = models["run"].recommend("u3", k=ITEMS + 5, include_seen=True)
    assert sorted(items_of(everything)) == sorted(f"i{item}" for item in range(1, ITEMS + 1))
    total = np.exp([row["score"] for row in everything["items"]]).sum()
    assert total == pytest.approx(1, abs=1e-5)
    with pytest.raises(GenRecError, match=r"k is 11, .* at most 10"):
        models["bundle"].recommend("u3", k=11)


def test_folders_that_are_no_model(trained, tmp_path):
    with pytest.raises(GenRecError, match="is a dataset, not a run or a bundle"):
        genrec.load(trained.dataset)
    with pytest.raises(GenRecError, match="does not exist"):
        genrec.load(tmp_path / "nothing")
    with pytest.raises(GenRecError, match="device 'gpu' is unknown"):
        genrec.load(trained.bundle, device="gpu")


def extend(folder, rows, users=USERS, items=ITEMS, prefix="u"):
    """A dataset with the model's first users and items, and more."""
    write_dataset(
        folder, [f"{prefix}{n}" for n in range(1, users + 1)], [f"i{n}" for n in range(1, items + 1)], rows
    )
    return folder


@pytest.fixture(scope="module")
def newer(tmp_path_factory):
    """Everybody has seen 1 and 2, user 1 also a new item; user 31 is new, user 32 has new items only."""
    rows = [[1, 2, ITEMS + 1], *([1, 2] for _ in range(USERS - 1)), [7, ITEMS + 2, 8], [ITEMS + 1]]
    return extend(tmp_path_factory.mktemp("newer") / "data", rows, USERS + 2, ITEMS + 2)


@pytest.mark.parametrize("kind", KINDS)
def test_newer_histories(trained, newer, kind):
    model = genrec.load(getattr(trained, kind), data=newer)
    first = model.recommend("u1")
    assert (first["known_user"], first["history_length"], first["new_items"]) == (True, 2, 1)
    assert items_of(first) == items_of(model.recommend("u1", ["i1", "i2"]))
    new = model.recommend("u31")
    assert (new["known_user"], new["history_length"], new["new_items"]) == (False, 2, 1)
    assert items_of(new) == items_of(model.recommend(history=["i7", "i8"]))
    unseen = model.recommend("u32")  # all of whose items are new too
    assert (unseen["known_user"], unseen["history_length"], len(unseen["items"])) == (False, 0, 10)
    assert unseen["new_items"] > 0


@pytest.mark.parametrize("kind", KINDS)
def test_data_of_others_is_refused(trained, tmp_path, kind):
    path = getattr(trained, kind)
    rows = [[1]] * USERS
    with pytest.raises(GenRecError, match=r"its user 1 is 'v1', the model's is 'u1'"):
        genrec.load(path, data=extend(tmp_path / "others", rows, prefix="v"))
    with pytest.raises(GenRecError, match=r"has 29 users, the model has 30"):
        genrec.load(path, data=extend(tmp_path / "fewer", rows[1:], USERS - 1))
    with pytest.raises(GenRecError, match=r"has 39 items, the model has 40"):
        genrec.load(path, data=extend(tmp_path / "poorer", rows, items=ITEMS - 1))
    with pytest.raises(GenRecError, match="is a run, not a dataset"):
        genrec.load(path, data=trained.run)
    damaged = extend(tmp_path / "damaged", rows)
    (damaged / "users.parquet").write_bytes(b"")
    with pytest.raises(GenRecError, match=r"users\.parquet is damaged"):
        genrec.load(path, data=damaged)


def test_a_bundle_without_histories(tmp_path):
    dataset = make_dataset(tmp_path / "data")
    export(make_run(tmp_path / "run", dataset), tmp_path / "bundle", histories=False)
    bare = genrec.load(tmp_path / "bundle")
    with pytest.raises(GenRecError, match="exported without users and histories; give what the user had"):
        bare.recommend("u1")
    assert len(bare.recommend(history=["i1"])["items"]) == 10
    served = genrec.load(tmp_path / "bundle", data=dataset)
    assert items_of(served.recommend("u1")) == items_of(genrec.load(tmp_path / "run").recommend("u1"))
    with pytest.raises(GenRecError, match="are not those of the model"):
        genrec.load(tmp_path / "bundle", data=extend(tmp_path / "others", [[1]] * USERS, prefix="v"))


def test_a_history_is_a_list(trained):
    with pytest.raises(GenRecError, match="give a list of item IDs"):
        genrec.load(trained.bundle).recommend(history="i3")

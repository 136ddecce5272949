"""golden.json: the right answers, made up requests, plain JSON."""

import json

import numpy as np
import pytest

from genrec.decoding.scorer import TorchScorer
from genrec.errors import GenRecError
from genrec.exporting.bundle import export
from genrec.exporting.golden import PLACES, ask, read_golden, replay, write_golden
from genrec.model.checkpoint import load_run
from tests.helpers import ITEMS, USERS, make_dataset, make_run, text_like_scheme


@pytest.fixture
def golden(trained):
    return read_golden(trained.bundle / "golden.json")


def named(golden):
    return {request["name"]: request for request in golden["requests"]}


def test_torch_gives_the_same_answers(trained, golden):
    run = load_run(trained.run)
    scorer = TorchScorer(run.model, run.scheme)
    results = replay(golden, lambda inputs: ask(scorer, inputs))
    assert [result["name"] for result in results if not result["same"]] == []
    assert 0 < max(result["max_abs_diff"] for result in results) < 1e-4


def test_the_requests_reach_every_rule(golden):
    """That a visitor's first items are banned, say, would be lost if they were never recommended."""
    requests = named(golden)
    visitor = requests["a visitor"]
    best = visitor["outputs"]["items"][0, :3]
    seen = visitor["inputs"]["history"][0]
    assert not set(seen) & set(visitor["outputs"]["items"][0])
    assert not set(best) & set(requests["banned: the visitor's first three"]["outputs"]["items"][0])
    assert set(requests["an allow list"]["outputs"]["items"][0]) == {*best, 0}
    assert set(requests["an allow list, seen items allowed"]["outputs"]["items"][0]) == {*best, *seen, 0}
    assert requests["an allow list, one of it banned"]["outputs"]["items"][0].tolist() == [*best[1:], *[0] * 8]
    for name in ("an allow list of unknown numbers only", "everything banned"):
        assert not requests[name]["outputs"]["items"].any()
        assert (requests[name]["outputs"]["scores"] == -np.inf).all()
    foreign = requests["numbers that are no item's, no user's"]["inputs"]
    assert foreign["history"].min() < 0 < ITEMS < foreign["history"].max()
    assert foreign["user"] > USERS
    several = requests["a batch of several lengths"]
    assert len(set((several["inputs"]["history"] > 0).sum(1))) == 4
    known, unknown = requests["a known user without a history"], requests["a visitor without a history"]
    assert (known["outputs"]["scores"] != unknown["outputs"]["scores"]).any()


def test_plain_json_of_any_language(trained):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    text = (trained.bundle / "golden.json").read_text()
    golden = json.loads(text, parse_constant=refuse)
    assert golden["tolerance"] == 1e-4
    for request in golden["requests"]:
        tensors = request["inputs"] | request["outputs"]
        assert {name: (entry["dtype"], len(entry["shape"])) for name, entry in tensors.items()} == {
            "history": ("int64", 2),
            "user": ("int64", 1),
            "exclude_seen": ("bool", 0),
            "banned": ("int64", 2),
            "allowed": ("int64", 2),
            "items": ("int64", 2),
            "scores": ("float32", 2),
        }
        for entry in tensors.values():
            assert len(entry["data"]) == np.prod(entry["shape"])
        assert [x is None for x in tensors["scores"]["data"]] == [x == 0 for x in tensors["items"]["data"]]
    assert "null" in text


def test_no_history_travels(tmp_path):
    """Whatever the users did, the requests are the same, and so is the file where the model is the same."""
    for seed in (0, 1):
        data = make_dataset(tmp_path / f"data{seed}", seed=seed)
        run = make_run(tmp_path / f"run{seed}", data, text_like_scheme())
        export(run, tmp_path / f"bundle{seed}", k=5, histories=bool(seed))
    one, other = ((tmp_path / f"bundle{seed}/golden.json").read_bytes() for seed in (0, 1))
    assert one == other


class Countless:
    """A scorer of a huge catalogue with long lists."""

    def __call__(self, history, users, *rest):
        items = np.tile(np.arange(9_000_000, 9_005_000), (len(users), 1))
        return items, np.linspace(-1, -25, items.size, dtype=np.float32).reshape(items.shape)


def test_small_whatever_the_model(tmp_path):
    sizes = {"user_count": 10**8, "item_count": 10**7, "max_length": 1024}
    write_golden(Countless(), tmp_path, sizes, tolerance=0.5)
    assert (tmp_path / "golden.json").stat().st_size < 200_000
    golden = read_golden(tmp_path / "golden.json")
    assert golden["tolerance"] == 0.5
    assert golden["requests"][0]["outputs"]["items"].shape == (1, PLACES)
    assert all(result["same"] for result in replay(golden, lambda inputs: Countless()(None, inputs["user"])))


@pytest.mark.parametrize(("name", "step", "difference"), [("items", 1, 0), ("scores", 0.01, 0.01)])
def test_a_different_answer_is_told(golden, name, step, difference):
    wanted = named(golden)["a visitor"]["outputs"]

    def answer(inputs):
        found = {key: array.copy() for key, array in wanted.items()}
        found[name][0, 0] += step
        return found["items"], found["scores"]

    golden["requests"] = [named(golden)["a visitor"]]
    (result,) = replay(golden, answer)
    assert not result["same"]
    assert result["max_abs_diff"] == pytest.approx(difference, abs=1e-6)


@pytest.mark.parametrize(
    "content", ["{}", '{"tolerance": 1, "requests": [{"name": "x"}]}', '{"tolerance": null, "requests": []}', "["]
)
def test_a_damaged_file(tmp_path, content):
    (tmp_path / "golden.json").write_text(content)
    with pytest.raises(GenRecError, match=r"golden\.json is damaged"):
        read_golden(tmp_path / "golden.json")

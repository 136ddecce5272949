"""Bundles of reference models: the graph against brute force, and a bundle that works as GenRec's does."""

import itertools
import json
import re
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch

import genrec
from genrec.baselines.base import ItemModel, load_item_model
from genrec.baselines.scorer import ItemRecommender
from genrec.baselines.settings import CONFIGS, P5, make_baseline_config
from genrec.config import GENREC
from genrec.errors import GenRecError
from genrec.exporting.graph import export_graph, is_standard
from genrec.exporting.verify import verify
from genrec.runtime import Recommender
from genrec.scoring import item_batch_users
from tests.exporting.helpers import ENGINES, TwoWays, feed, ranked_by
from tests.helpers import ITEMS, USERS, make_dataset, make_item_run
from tests.oracle import assert_exact

MODELS = [name for name in CONFIGS if name not in (GENREC, P5)]
BUNDLED = ("gru4rec", "fdsa")
"""Whose bundles are looked at: all graphs are compared with brute force, and the rest is the same for all."""


class Case(TwoWays):
    """A model as module and as graph."""

    def __init__(self, model, folder, k):
        folder.mkdir()
        self.model, module = model, ItemRecommender(model, k).eval()
        export_graph(module, k, folder, 18)
        super().__init__(module, folder / "recommender.onnx")

    @torch.inference_mode()
    def exact(self, history, user):
        """Log-probability of every item, one user at a time."""
        known = [item for item in history if 0 < item <= self.model.item_count]
        read = torch.tensor([known[-self.model.settings.max_length :] or [0]])
        logits = self.model.score(read, torch.tensor([user if 0 < user <= self.model.user_count else 0]))
        return dict(enumerate(logits[0, 1:].double().log_softmax(0).tolist(), 1))


@pytest.fixture(scope="module", params=MODELS)
def run(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return make_item_run(folder / "run", make_dataset(folder / "data"), request.param)


@pytest.fixture(scope="module")
def case(run, tmp_path_factory):
    """Lists longer than the catalogue."""
    return Case(load_item_model(run).eval(), tmp_path_factory.mktemp("graph") / "graph", ITEMS + 5)


@pytest.mark.parametrize("engine", ENGINES)
def test_equals_brute_force(case, engine):
    rng = np.random.default_rng(1)
    for length, user in itertools.product((0, 1, 4, 30), (0, 3, USERS + 9, -1)):
        history = [int(item) for item in rng.integers(1, ITEMS + 1, length)]
        padded = [0, *history[:2], 0, ITEMS + 1, *history[2:], -7, 0]
        exact = case.exact(history, user)
        ban = sorted(int(item) for item in rng.choice(ITEMS, 5, replace=False) + 1)
        allow = sorted(int(item) for item in rng.choice(ITEMS, 12, replace=False) + 1)
        for exclude_seen, banned, allowed in itertools.product((False, True), ([], ban), ([], [0, *allow, 99])):
            items, scores = case(engine, [padded], [user], exclude_seen, [banned], [allowed])
            left = set(allowed) & set(exact) if allowed else set(exact)
            left -= set(banned) | (set(history) if exclude_seen else set())
            assert_exact(items[0], scores[0], exact, left, 1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_batch_is_its_rows(case, engine):
    rng = np.random.default_rng(2)
    history = rng.integers(0, ITEMS + 1, (5, 11))
    user = np.array([0, 1, 2, USERS, 0])
    banned, allowed = rng.integers(0, ITEMS + 1, (5, 3)), np.zeros((5, 4), np.int64)
    allowed[2:4] = rng.integers(1, ITEMS + 1, (2, 4))
    items, scores = case(engine, history, user, True, banned, allowed)
    for row in range(5):
        alone = case(
            engine, *(part[row : row + 1] for part in (history, user)), True, banned[[row]], allowed[[row]]
        )
        assert (alone[0][0] == items[row]).all()
        np.testing.assert_allclose(alone[1][0], scores[row], atol=1e-4)


def test_the_graph_is_standard_and_has_the_interface_of_genrecs(case):
    model = onnx.load(case.path)
    onnx.checker.check_model(model, full_check=True)
    assert is_standard(model)
    assert not {"If", "Loop", "Scan"} & {node.op_type for node in model.graph.node}
    named = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert list(named.items()) == [
        ("history", ["batch", "length"]),
        ("user", ["batch"]),
        ("exclude_seen", []),
        ("banned", ["batch", "n"]),
        ("allowed", ["batch", "m"]),
        ("items", ["batch", ITEMS + 5]),
        ("scores", ["batch", ITEMS + 5]),
    ]


class Levels(ItemModel):
    """A few levels of logits, so that there are ties everywhere; the newest item chooses the row."""

    def __init__(self):
        super().__init__(make_baseline_config({"model": "sasrec", "max_length": 3}), 2, ITEMS)
        levels = torch.randint(-2, 3, (ITEMS + 1, ITEMS + 1), generator=torch.Generator().manual_seed(0))
        self.logits = torch.nn.Parameter(levels.float())

    def examples(self, phase, train):
        raise NotImplementedError

    def loss(self, labels, **inputs):
        raise NotImplementedError

    def score(self, items, users):
        last = ((items != 0).sum(1, keepdim=True) - 1).clamp(min=0)
        return self.logits[items.gather(1, last)[:, 0]]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("k", [1, 7, ITEMS])
def test_equal_scores_are_ranked_by_item(tmp_path, engine, k):
    case = Case(Levels().eval(), tmp_path / "graph", k)
    for last in range(ITEMS + 1):
        items, _ = case(engine, [[1, last]], [0], True)
        logits = case.model.logits[last or 1].tolist()
        left = [item for item in range(1, ITEMS + 1) if item not in (1, last)]
        best = sorted(left, key=lambda item: (-logits[item], item))[:k]
        assert items[0].tolist() == best + [0] * (k - len(best))


def test_nothing_infinite_is_ranked(tmp_path):
    """onnxruntime's TopK on CUDA puts numbers of its own before -inf."""
    case = Case(Levels().eval(), tmp_path / "graph", 7)
    session, names = ranked_by(case.path)
    (ranked,) = session.run(names, feed([[1, 2]], [0], True, None, [[3, 5]]))
    assert np.isfinite(ranked).all()
    assert (ranked < -1e29).any()


@pytest.fixture(scope="module", params=BUNDLED)
def bundled_run(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return make_item_run(folder / "run", make_dataset(folder / "data"), request.param)


@pytest.fixture(scope="module")
def bundle(bundled_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "bundle"
    result = genrec.export(bundled_run, folder, k=10)
    assert result["parity"]["same_top_k"] == 1.0
    assert (result["beams"], result["indexing"], result["leaky"], result["k"]) == (None, None, False, 10)
    return folder


def test_the_bundle_holds_one_graph_and_says_so(bundled_run, bundle):
    names = {path.name for path in bundle.iterdir()}
    tables = {"items.parquet", "users.parquet", "sequences.parquet"}
    assert names == {"recommender.onnx", "manifest.json", "golden.json", "README.md", *tables}
    model = load_item_model(bundled_run).settings.model
    assert json.loads((bundle / "manifest.json").read_text())["model_type"] == model
    text = (bundle / "README.md").read_text()
    assert f"a recommender in ONNX ({model})" in text
    assert "Optimum's layout are left out" in text
    assert "beam" not in text
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code], cwd=bundle, capture_output=True, text=True, check=True)
    items, _ = Recommender(bundle)([[1, 2]], [0])
    assert re.findall(r"\('(i\d+)'", done.stdout) == [f"i{item}" for item in items[0]]


def test_the_bundle_answers_as_its_run(bundled_run, bundle):
    assert verify(bundle)["same"]
    one, other = genrec.evaluate(bundled_run), genrec.evaluate(bundle)
    assert one["metrics"] == other["metrics"]
    one, other = (genrec.load(model).recommend(user="u3", deny=["i4"]) for model in (bundled_run, bundle))
    assert [row["item"] for row in one["items"]] == [row["item"] for row in other["items"]]
    assert Recommender(bundle).batch_users == item_batch_users(ITEMS)
    assert item_batch_users(10**7) == 1


@pytest.mark.slow
def test_for_triton(bundled_run, tmp_path):
    """Exporting compares its graph with the bundle's on all requests of golden.json."""
    genrec.export(bundled_run, tmp_path / "triton", k=3, target="triton")
    assert (tmp_path / "triton" / "run" / "1" / "model.onnx").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("opset", [17, 20])
def test_other_opsets(bundled_run, tmp_path, opset):
    result = genrec.export(bundled_run, tmp_path / "bundle", opset=opset, histories=False)
    assert (result["opset"], result["parity"]["same_top_k"]) == (opset, 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["int8", "fp16"])
def test_smaller_numbers_are_refused(bundled_run, tmp_path, kind):
    with pytest.raises(GenRecError, match=f"stays in fp32.*export it without --quantize {kind}"):
        genrec.export(bundled_run, tmp_path / "bundle", quantize=kind)
    assert not list(tmp_path.iterdir())

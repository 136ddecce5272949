"""Quantised graphs: standard operators, the same rules, and scores close to those in fp32."""

import functools
import itertools

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from genrec.decoding.recommender import RecommenderModule
from genrec.exporting import graph, half, quantize
from genrec.exporting.graph import export_graph
from genrec.exporting.half import to_fp16
from genrec.exporting.quantize import quantize_graph, quantize_rows
from genrec.model.checkpoint import load_run
from tests.exporting import helpers
from tests.helpers import ITEMS, USERS, make_dataset, make_run, text_like_scheme

BOUND = {"int8": 0.25, "fp16": 0.005}
"""Largest difference of an item's score from fp32, for random weights whose scores span 6 to 9."""


open_graph = functools.cache(helpers.open_graph)


def run_graph(path, *lists, **more):
    return open_graph(path).run(["items", "scores"], helpers.feed(*lists, **more))


@pytest.fixture(scope="module", params=["own", "text"])
def source(request, tmp_path_factory):
    """The graph in fp32, as many beams as items: the search is exact."""
    folder = tmp_path_factory.mktemp("graph")
    scheme = text_like_scheme() if request.param == "text" else None
    run = load_run(make_run(folder / "run", make_dataset(folder / "data"), scheme, d_model=64, spread=2.0))
    module = RecommenderModule(run.model, run.scheme, ITEMS, ITEMS).eval()
    (folder / "fp32").mkdir()
    export_graph(module, ITEMS, folder / "fp32", 18)
    return folder / "fp32" / "recommender.onnx"


@pytest.fixture(scope="module", params=["int8", "fp16"])
def small(request, source, tmp_path_factory):
    """The kind and the quantised graph, large tables included however small these are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantize, "LARGE", 1)
        path = tmp_path_factory.mktemp(request.param) / "recommender.onnx"
        assert quantize_graph(source, path, request.param) == ["recommender.onnx"]
    return request.param, path


def weights_of(model, *types):
    return [weight for weight in model.graph.initializer if weight.data_type in types]


def test_only_standard_operators_and_the_same_interface(source, small):
    before, after = onnx.load(source), onnx.load(small[1])
    onnx.checker.check_model(after, full_check=True)
    assert {node.domain for node in after.graph.node} == {""}
    assert [(entry.domain, entry.version) for entry in after.opset_import] == [("", 18)]
    assert not {"If", "Loop", "Scan"} & {node.op_type for node in after.graph.node}
    assert list(after.graph.input) == list(before.graph.input)
    assert list(after.graph.output) == list(before.graph.output)
    assert [path.name for path in source.parent.iterdir()] == ["recommender.onnx"]


def test_learned_weights_shrink_and_whole_numbers_stay(source, small):
    kind, path = small
    before, after = onnx.load(source), onnx.load(path)
    whole = [TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL]
    assert sorted(numpy_helper.to_array(weight).tobytes() for weight in weights_of(before, *whole)) == sorted(
        numpy_helper.to_array(weight).tobytes() for weight in weights_of(after, *whole)
    )
    smaller = {"int8": TensorProto.INT8, "fp16": TensorProto.FLOAT16}[kind]
    floats = sum(np.prod(weight.dims) for weight in weights_of(before, TensorProto.FLOAT) if len(weight.dims) == 2)
    shrunk = sum(np.prod(weight.dims) for weight in weights_of(after, smaller) if len(weight.dims) == 2)
    assert 0.85 * floats < shrunk <= 1.1 * floats
    assert path.stat().st_size < source.stat().st_size


def test_int8_multiplies_integers(source, small):
    if small[0] == "int8":
        nodes = list(onnx.load(small[1]).graph.node)
        names = [node.op_type for node in nodes]
        products = [node for node in onnx.load(source).graph.node if node.op_type in ("MatMul", "Gemm")]
        assert 20 < names.count("MatMulInteger") < len(products)
        rounded = [node.input[0] for node in nodes if node.op_type == "DynamicQuantizeLinear"]
        assert len(set(rounded)) == len(rounded)  # what several products read is rounded once
        for weight in weights_of(onnx.load(small[1]), TensorProto.INT8):
            largest = 127 if weight.name.endswith("_int8") else 64
            assert np.abs(numpy_helper.to_array(weight).astype(int)).max(initial=0) <= largest


def test_scores_are_close_to_fp32s(source, small):
    kind, path = small
    rng = np.random.default_rng(1)
    history = rng.integers(0, ITEMS + 1, (24, 12)) * (np.arange(12) < rng.integers(0, 13, (24, 1)))
    user = rng.integers(0, USERS + 1, 24)
    wanted, wanted_scores = run_graph(source, history, user)
    items, scores = run_graph(path, history, user)
    assert scores.dtype == np.float32
    by_item = np.take_along_axis(scores, items.argsort(1), 1)
    wanted_by_item = np.take_along_axis(wanted_scores, wanted.argsort(1), 1)
    assert (np.sort(items) == np.arange(1, ITEMS + 1)).all()
    assert 0 < np.abs(by_item - wanted_by_item).max() < BOUND[kind]
    assert np.exp(scores.astype(np.float64)).sum(1) == pytest.approx(np.ones(24), abs=1e-4)


def test_random_requests(small):
    rng = np.random.default_rng(2)
    shapes = itertools.product((1, 9), (0, 7, 40), (0, 6), (0, 15), (False, True))
    for batch, length, n, m, exclude_seen in shapes:
        history = rng.integers(-2, ITEMS + 3, (batch, length)) * (rng.random((batch, 1)) < 0.7)
        banned = rng.integers(0, ITEMS + 1, (batch, n))
        allowed = rng.integers(0, ITEMS + 1, (batch, m)) * (rng.random((batch, 1)) < 0.5)
        user = rng.integers(0, USERS + 1, batch)
        items, scores = run_graph(small[1], history, user, exclude_seen, banned, allowed)
        assert not np.isnan(scores).any()
        for row in range(batch):
            left = set(allowed[row]) - {0} or set(range(1, ITEMS + 1))
            left -= set(banned[row]) | (set(history[row]) if exclude_seen else set())
            found = items[row][items[row] > 0]
            assert set(found) == left
            assert len(found) == len(left)
            assert (np.diff(scores[row][: len(found)]) <= 0).all()
            assert np.isfinite(scores[row][: len(found)]).all()
            assert (scores[row][len(found) :] == -np.inf).all()


def test_weights_too_large_for_one_file(source, small, tmp_path, monkeypatch):
    """Read from a file of their own, written to one."""
    kind, path = small
    monkeypatch.setattr(graph, "EXTERNAL_OVER", 1000)
    monkeypatch.setattr(quantize, "LARGE", 1)
    (tmp_path / "fp32").mkdir()
    assert len(graph.save_graph(onnx.load(source), tmp_path / "fp32" / "recommender.onnx")) == 2
    files = quantize_graph(tmp_path / "fp32" / "recommender.onnx", tmp_path / "recommender.onnx", kind)
    assert files == ["recommender.onnx", "recommender.onnx.data"]
    assert {entry.name for entry in tmp_path.iterdir()} == {*files, "fp32"}
    request = ([[1, 2, 3], [4, 0, 0]], [1, 0])
    for left, right in zip(run_graph(path, *request), run_graph(tmp_path / files[0], *request), strict=True):
        np.testing.assert_array_equal(left, right)


def test_masks_and_gemms(tmp_path):
    """A matrix of whole numbers is no weight; a Gemm, and a product with a weight handed on, are like others."""
    rng = np.random.default_rng(0)
    arrays = {
        "counts": np.tri(8, dtype=np.float32),
        "weight": rng.normal(size=(8, 8)).astype(np.float32),
        "transposed": rng.normal(size=(8, 8)).astype(np.float32),
        "bias": rng.normal(size=8).astype(np.float32),
        "ones": np.ones(8, np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "counts"], ["a"]),
        helper.make_node("Identity", ["weight"], ["same"]),
        helper.make_node("MatMul", ["a", "same"], ["b"]),
        helper.make_node("Gemm", ["b", "transposed", "bias"], ["c"], transB=1),
        helper.make_node("LayerNormalization", ["c", "ones", "bias"], ["d"]),
        helper.make_node("MatMul", ["d", "weight"], ["y"]),
    ]
    inputs, outputs = ([helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 8])] for name in "xy")
    weights = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "test", inputs, outputs, weights),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )
    (tmp_path / "fp32").mkdir()
    onnx.save(model, tmp_path / "fp32" / "graph.onnx")
    quantize_graph(tmp_path / "fp32" / "graph.onnx", tmp_path / "graph.onnx", "int8")
    kinds = [node.op_type for node in onnx.load(tmp_path / "graph.onnx").graph.node]
    assert (kinds.count("MatMulInteger"), kinds.count("MatMul")) == (2, 2)
    x = rng.normal(size=(5, 8)).astype(np.float32)
    left, right = (
        onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
        for path in (tmp_path / "fp32" / "graph.onnx", tmp_path / "graph.onnx")
    )
    assert 0 < np.abs(left - right).max() < 0.3


def test_rows_keep_their_numbers_to_half_a_step():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(50, 7)).astype(np.float32) * rng.lognormal(0, 3, (50, 1)).astype(np.float32)
    table[3] = 0
    rows, scales = quantize_rows(table)
    assert rows.dtype == np.int8
    assert (np.abs(rows * scales - table) <= scales / 2 * 1.001).all()
    assert (rows[3] * scales[3] == 0).all()


def test_fp16_keeps_finite_numbers_finite():
    values = np.array([0, 1, -3.4e38, 7e4, np.inf, -np.inf], np.float32)
    assert to_fp16(values).tolist() == [0, 1, -65504, 65504, np.inf, -np.inf]


@pytest.mark.parametrize("kind", ["int8", "fp16"])
def test_the_table_of_an_item_head_is_there_once(tmp_path, kind, monkeypatch):
    for module in (half, quantize):
        monkeypatch.setattr(module, "LARGE", 64 * ITEMS)
    run = load_run(make_run(tmp_path / "run", make_dataset(tmp_path / "data"), d_model=64, spread=2.0, repeats=2))
    run.model.config.mask_token, run.model.config.item_share = run.scheme.special.mask, 0.5
    (tmp_path / "fp32").mkdir()
    source = tmp_path / "fp32" / "recommender.onnx"
    export_graph(RecommenderModule(run.model, run.scheme, ITEMS, ITEMS).eval(), ITEMS, source.parent, 18)
    path = tmp_path / "recommender.onnx"
    quantize_graph(source, path, kind)
    rows = [
        weight.data_type for weight in onnx.load(path).graph.initializer if list(weight.dims) == [ITEMS + 1, 64]
    ]
    assert rows == [TensorProto.FLOAT if kind == "int8" else TensorProto.FLOAT16]
    assert path.stat().st_size < source.stat().st_size
    history, user = [[3, 4, 5], [7, 0, 0]], [1, 0]
    (wanted, wanted_scores), (items, scores) = (run_graph(graph, history, user) for graph in (source, path))
    by_item, wanted_by_item = (
        np.take_along_axis(found, order.argsort(1), 1)
        for found, order in ((scores, items), (wanted_scores, wanted))
    )
    assert 0 < np.abs(by_item - wanted_by_item).max() < 4 * BOUND[kind]

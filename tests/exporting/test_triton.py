"""Triton's model repository: its configuration by Triton's own schema, against the graph's real interface."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from genrec.exporting import graph
from genrec.exporting.bundle import export
from genrec.exporting.golden import read_golden, replay
from genrec.exporting.graph import is_standard
from genrec.exporting.triton import model_name, widen
from genrec.files import describe_files
from genrec.runtime import Recommender
from tests.helpers import ITEMS, USERS, make_dataset, make_run, text_like_scheme

TYPES = {"TYPE_INT64": "tensor(int64)", "TYPE_BOOL": "tensor(bool)", "TYPE_FP32": "tensor(float)"}


@pytest.fixture(scope="module", params=["own", "text"])
def made(request, tmp_path_factory):
    """The folder of the model `my_shop`, and what the export said."""
    root = tmp_path_factory.mktemp("triton")
    scheme = text_like_scheme() if request.param == "text" else None
    run = make_run(root / "my shop", make_dataset(root / "data"), scheme)
    result = export(run, root / "repository", k=10, target="triton")
    return root / "repository" / "my_shop", result


@pytest.fixture(scope="module")
def session(made):
    return onnxruntime.InferenceSession(made[0] / "1" / "model.onnx", providers=["CPUExecutionProvider"])


def test_layout(made):
    model, result = made
    files = {str(path.relative_to(model.parent)) for path in model.parent.rglob("*") if path.is_file()}
    tables = {f"my_shop/1/{name}.parquet" for name in ("items", "users", "sequences")}
    rest = {
        "my_shop/config.pbtxt",
        *(f"my_shop/1/{name}" for name in ("model.onnx", "manifest.json", "golden.json")),
    }
    assert files == tables | rest
    assert result["files"] == describe_files(model.parent, sorted(files))
    manifest = json.loads((model / "1" / "manifest.json").read_text())
    assert (manifest["target"], manifest["model"], manifest["k"]) == ("triton", "my_shop", 10)
    inside = sorted({path.name for path in (model / "1").iterdir()} - {"manifest.json"})
    assert manifest["files"] == describe_files(model / "1", inside)


def test_configuration_matches_the_graph(made, session):
    model, _ = made
    config = text_format.Parse((model / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
    assert (config.name, config.backend) == (model.name, "onnxruntime")
    assert config.max_batch_size >= 32
    assert config.HasField("dynamic_batching")
    for side, nodes in ((config.input, session.get_inputs()), (config.output, session.get_outputs())):
        assert [entry.name for entry in side] == [node.name for node in nodes]
        for entry, node in zip(side, nodes, strict=True):
            assert TYPES[model_config_pb2.DataType.Name(entry.data_type)] == node.type
            assert node.shape[0] == "batch"
            assert list(entry.dims) == [size if isinstance(size, int) else -1 for size in node.shape[1:]]


def test_the_graph_is_standard(made):
    model = onnx.load(made[0] / "1" / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert is_standard(model)


def test_its_golden_requests(made, session):
    golden = read_golden(made[0] / "1" / "golden.json")
    for request in golden["requests"]:
        assert all(array.ndim == 2 and array.size for array in request["inputs"].values())
    results = replay(golden, lambda inputs: session.run(["items", "scores"], inputs))
    assert len(results) > 10
    assert [result["name"] for result in results if not result["same"]] == []


def test_requests_that_were_joined_are_answered_as_alone(made, session, trained_recommender):
    """As Triton's dynamic batching joins them: each row has its own user, exclude_seen and lists."""
    rng = np.random.default_rng(0)
    batch = 24
    rows = {
        "history": rng.integers(0, ITEMS + 1, (batch, 6)),
        "user": rng.integers(0, USERS + 1, (batch, 1)),
        "exclude_seen": rng.random((batch, 1)) < 0.5,
        "banned": rng.integers(0, ITEMS + 1, (batch, 2)),
        "allowed": rng.integers(1, ITEMS + 1, (batch, 9)) * (rng.random((batch, 1)) < 0.5),
    }
    items, scores = session.run(["items", "scores"], rows)
    for n in range(batch):
        history, user, seen, banned, allowed = (array[n] for array in rows.values())
        wanted = trained_recommender([history], user, bool(seen[0]), [banned], [allowed])
        assert items[n].tolist() == wanted[0][0].tolist()
        np.testing.assert_allclose(scores[n], wanted[1][0], atol=5e-5)
        kept_out = set(banned) | (set(history) if seen[0] else set())
        assert not (set(items[n]) - {0}) & kept_out


@pytest.fixture(scope="module")
def trained_recommender(made):
    run = made[0].parents[1] / "my shop"
    bundle = run.with_name("bundle")
    export(run, bundle, k=10)
    return Recommender(bundle)


def test_padding_of_a_list_without_a_column():
    none = np.zeros((2, 0), np.int64)
    request = {"history": none, "user": np.array([3, 0]), "exclude_seen": np.array(True), "banned": none}
    wide = widen({**request, "allowed": np.array([[7], [8]])})
    assert {name: array.tolist() for name, array in wide.items()} == {
        "history": [[0], [0]],
        "user": [[3], [0]],
        "exclude_seen": [[True], [True]],
        "banned": [[0], [0]],
        "allowed": [[7], [8]],
    }


def test_without_histories_and_with_weights_beside(tmp_path, monkeypatch):
    monkeypatch.setattr(graph, "EXTERNAL_OVER", 1)
    run = make_run(tmp_path / "run", make_dataset(tmp_path / "data"))
    export(run, tmp_path / "repository", k=3, target="triton", histories=False)
    names = {path.name for path in (tmp_path / "repository" / "run" / "1").iterdir()}
    assert names == {"model.onnx", "recommender.onnx.data", "items.parquet", "manifest.json", "golden.json"}


@pytest.mark.parametrize(
    ("run", "name"),
    [("runs/ml-1m_v2.0", "ml-1m_v2.0"), ("my shop/été", "_t_"), (".hidden", "hidden"), ("..a", "a")],
)
def test_model_names(tmp_path, run, name):
    assert model_name(tmp_path / run) == name

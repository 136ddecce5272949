"""Opening a bundle: what is whole is served, what is damaged is refused."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from genrec.decoding.scorer import TorchScorer
from genrec.errors import GenRecError
from genrec.model.checkpoint import load_run
from genrec.runtime import Recommender


@pytest.fixture
def copy(trained, tmp_path):
    """A bundle that a test may damage."""
    shutil.copytree(trained.bundle, tmp_path / "bundle")
    return tmp_path / "bundle"


def edit_manifest(bundle, **values):
    path = bundle / "manifest.json"
    manifest = {**json.loads(path.read_text()), **values}
    path.write_text(json.dumps({name: value for name, value in manifest.items() if value is not None}))


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def on_torch(path):
    run = load_run(path)
    return TorchScorer(run.model, run.scheme)


def test_answers_as_torch_does(trained):
    bundle, run = Recommender(trained.bundle), on_torch(trained.run)
    assert (bundle.backend, bundle.provider, bundle.trouble) == ("onnxruntime", "CPUExecutionProvider", None)
    request = ([[1, 2, 3], [], np.array([4])], [1, 0, 99], True, [[9], [], [8]], [[], [5, 6], []], 4)
    items, scores = bundle(*request)
    assert items.shape == scores.shape == (3, 4)
    wanted, wanted_scores = run(*request)
    assert (items == wanted).all()
    np.testing.assert_allclose(scores, wanted_scores, atol=5e-5)
    assert items[1, 2:].tolist() == [0, 0]


def test_nobody_asks(trained):
    for scorer in (Recommender(trained.bundle), on_torch(trained.run)):
        items, scores = scorer([], [], k=4)
        assert items.shape == scores.shape == (0, 4)
        assert (items.dtype, scores.dtype) == (np.int64, np.float32)


def test_lists_must_fit_the_users(trained):
    with pytest.raises(GenRecError, match="2 lists were given for 1 users"):
        Recommender(trained.bundle)([[1], [2]], [1])


def test_no_more_than_its_own_k(trained):
    with pytest.raises(GenRecError, match=r"k is 11, .* at most 10 .*--k 11"):
        Recommender(trained.bundle)([[1]], [1], k=11)


@pytest.mark.parametrize(
    "name", ["recommender.onnx", "encoder_model.onnx", "items.parquet", "users.parquet", "sequences.parquet"]
)
def test_a_changed_byte(copy, name):
    flip(copy / name, 100)
    with pytest.raises(GenRecError, match=f"{name} is damaged: its checksum differs"):
        Recommender(copy)


@pytest.mark.parametrize("name", ["recommender.onnx", "decoder_model.onnx", "users.parquet"])
def test_a_missing_or_truncated_file(copy, name):
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[:-7])
    with pytest.raises(GenRecError, match=r"is damaged: .* bytes found"):
        Recommender(copy)
    (copy / name).unlink()
    with pytest.raises(GenRecError, match="is missing"):
        Recommender(copy)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format_version": 2}, "format version 2"),
        ({"k": None}, "k is None"),
        ({"item_count": "many"}, "item_count is 'many'"),
        ({"files": None}, "does not list recommender.onnx"),
        ({"files": {"recommender.onnx": {}, "items.parquet": {}}}, "size or checksum is missing"),
    ],
)
def test_a_wrong_manifest(copy, change, told):
    edit_manifest(copy, **change)
    with pytest.raises(GenRecError, match=told):
        Recommender(copy)


def test_a_broken_manifest_and_other_folders(copy, trained):
    (copy / "manifest.json").write_text("{")
    with pytest.raises(GenRecError, match=r"manifest\.json is damaged"):
        Recommender(copy)
    with pytest.raises(GenRecError, match="is a run, not a bundle"):
        Recommender(trained.run)


def test_a_graph_that_is_none(copy):
    (copy / "recommender.onnx").write_bytes(b"no graph")
    with pytest.raises(GenRecError, match="onnxruntime cannot open"):
        Recommender(copy, verify=False)


def test_imports_neither_torch_nor_transformers(trained):
    code = (
        "import sys, genrec\n"
        f"model = genrec.load({str(trained.bundle)!r})\n"
        "assert model.recommend('u1')['items'] and model.recommend(history=['i1', 'i2'])['items']\n"
        "heavy = {'torch', 'transformers', 'optimum', 'onnx', 'duckdb', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_large_files_that_are_not_read_are_checked_by_size(copy, monkeypatch):
    monkeypatch.setattr("genrec.runtime.integrity._QUICK_BYTES", 10)
    flip(copy / "encoder_model.onnx", 100)
    Recommender(copy)
    (copy / "encoder_model.onnx").write_bytes(b"")
    with pytest.raises(GenRecError, match="0 bytes found"):
        Recommender(copy)

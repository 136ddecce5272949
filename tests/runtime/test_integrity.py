"""Damaged bundles: each is refused in one line, whatever is wrong with it, and never served."""

import json
import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from typer.testing import CliRunner

import genrec
from genrec.errors import GenRecError
from genrec.exporting.bundle import export
from genrec.files import describe_files
from genrec.runtime import Recommender
from genrec.runtime.integrity import manifest_checksum
from genrec_cli.main import app
from tests.exporting.test_bundle import FILES
from tests.helpers import make_dataset, make_run

ALL_FILES = sorted(FILES | {"manifest.json"})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    export(make_run(folder / "run", make_dataset(folder / "data")), folder / "bundle", k=10)
    return folder / "bundle"


@pytest.fixture
def copy(whole, tmp_path):
    """A bundle that a test may damage."""
    shutil.copytree(whole, tmp_path / "bundle")
    return tmp_path / "bundle"


def edit(bundle, sign=True, drop=(), **values):
    """Change manifest.json; `sign` makes its own checksum right again."""
    path = bundle / "manifest.json"
    manifest = {**json.loads(path.read_text()), **values}
    manifest = {name: value for name, value in manifest.items() if name not in drop}
    if sign:
        manifest["checksum"] = manifest_checksum(manifest)
    path.write_text(json.dumps(manifest))


def refused(bundle, told):
    """By the command line: exit 1 and one line; and by the library: GenRecError."""
    done = CliRunner().invoke(app, ["recommend", str(bundle), "u1"])
    assert done.exit_code == 1, done.output
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert "unexpected" not in done.stderr
    assert told in done.stderr, done.stderr
    with pytest.raises(GenRecError):
        genrec.load(bundle)


def test_an_edit_that_changes_nothing_is_served(copy):
    edit(copy)
    assert CliRunner().invoke(app, ["recommend", str(copy), "u1"]).exit_code == 0


@pytest.mark.parametrize("name", ALL_FILES)
def test_a_changed_byte(copy, name):
    """At the start, inside and at the end."""
    content = (copy / name).read_bytes()
    for place in (0, len(content) // 3, len(content) // 2, len(content) - 2):
        changed = bytearray(content)
        changed[place] ^= 1
        (copy / name).write_bytes(changed)
        refused(copy, f"{name} is damaged" if name != "manifest.json" else "")


@pytest.mark.parametrize("name", ALL_FILES)
def test_a_truncated_file(copy, name):
    content = (copy / name).read_bytes()
    for length in (0, len(content) // 2, len(content) - 3):
        (copy / name).write_bytes(content[:length])
        refused(copy, f"{name} is damaged")


@pytest.mark.parametrize("name", ALL_FILES)
def test_a_missing_file(copy, name):
    (copy / name).unlink()
    refused(copy, name)
    (copy / name).mkdir()
    refused(copy, name)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"format_version": 2}, "format version 2"),
        ({"format_version": "1"}, "format version 1"),
        ({"format_version": None}, "format version None"),
        ({"target": "triton"}, "made for triton"),
        *[
            ({name: value}, f"{name} is {value!r}")
            for name in ("k", "beams", "depth", "max_length", "opset", "user_count", "item_count")
            for value in (None, "7", 0, 1.5, True)
        ],
        ({"dataset": {"name": "x"}}, "its dataset has no checksum"),
        ({"run": []}, "its run has no checksum"),
        ({"inputs": None}, "types or shapes"),
        ({"outputs": [{"name": "items"}]}, "types or shapes"),
        ({"inputs": [{"name": "user", "dtype": "int64", "shape": 1}]}, "types or shapes"),
        ({"inputs": []}, "but manifest.json says"),
        ({"files": []}, "does not list recommender.onnx"),
        ({"files": {"recommender.onnx": 1, "items.parquet": 2}}, "size or checksum is missing"),
        ({"histories": "no"}, "nor say that they were left out"),
        ({"item_count": 41}, "items.parquet has 40 rows"),
        ({"user_count": 7}, "users.parquet has 30 rows"),
    ],
    ids=str,
)
def test_a_manifest_with_wrong_values(copy, values, told):
    edit(copy, **values)
    refused(copy, told)


@pytest.mark.parametrize("name", ["k", "files", "inputs", "outputs", "dataset", "run", "histories", "item_count"])
def test_a_manifest_that_lacks_something(copy, name):
    edit(copy, drop=[name])
    refused(copy, "manifest.json is damaged")


@pytest.mark.parametrize(
    "values", [{"metrics": {"HR@1": 1.0}}, {"indexing": "other"}, {"checksum": None}], ids=str
)
def test_a_manifest_that_was_edited(copy, values):
    edit(copy, sign=False, **values)
    refused(copy, "its own checksum differs")


@pytest.mark.parametrize(
    "content", ["", "[]", "null", "[" * 10**5, '{"k": 1e999}', "\x00", "{'k': 1}"], ids=range(7)
)
def test_a_manifest_that_is_none(copy, content):
    (copy / "manifest.json").write_text(content)
    refused(copy, "manifest.json is damaged")


@pytest.mark.parametrize("name", ["items.parquet", "users.parquet", "sequences.parquet"])
def test_a_map_that_nothing_tells_of(copy, name):
    (copy / name).unlink()
    files = json.loads((copy / "manifest.json").read_text())["files"]
    edit(copy, files={key: entry for key, entry in files.items() if key != name})
    refused(copy, "does not list")


def test_sizes_that_are_none(copy):
    files = json.loads((copy / "manifest.json").read_text())["files"]
    for entry in ({"sha256": 5, "bytes": 5}, {"sha256": "x", "bytes": "5"}, {"bytes": 5}, []):
        edit(copy, files=files | {"users.parquet": entry})
        refused(copy, "size or checksum is missing")


def swap_graph(bundle, change):
    """Change the graph and make all checksums right again."""
    path = bundle / "recommender.onnx"
    model = onnx.load(path)
    change(model.graph)
    onnx.save(model, path)
    files = json.loads((bundle / "manifest.json").read_text())["files"]
    edit(bundle, files=files | describe_files(bundle, [path.name]))


def rename_input(graph):
    for node in graph.node:
        node.input[:] = ["person" if name == "user" else name for name in node.input]
    next(value for value in graph.input if value.name == "user").name = "person"


def drop_scores(graph):
    del graph.output[1]


def another_input(graph):
    graph.input.append(helper.make_tensor_value_info("more", TensorProto.INT64, ["batch"]))


def another_type(graph):
    value = next(value for value in graph.output if value.name == "items")
    graph.node.append(helper.make_node("Cast", ["items"], ["items_int32"], to=TensorProto.INT32))
    value.CopyFrom(helper.make_tensor_value_info("items_int32", TensorProto.INT32, ["batch", 10]))


def another_rank(graph):
    shape = next(value for value in graph.input if value.name == "exclude_seen").type.tensor_type.shape
    shape.dim.add().dim_param = "batch"
    shape.dim.add().dim_value = 1


@pytest.mark.parametrize("change", [rename_input, drop_scores, another_input, another_type, another_rank])
def test_a_graph_that_the_manifest_does_not_describe(copy, change):
    swap_graph(copy, change)
    refused(copy, "but manifest.json says")


def test_lists_of_another_length(copy):
    outputs = json.loads((copy / "manifest.json").read_text())["outputs"]
    for entry in outputs:
        entry["shape"][1] = 11
    edit(copy, k=11, outputs=outputs)
    refused(copy, "items int64 [?, 10]")


def test_nothing_is_refused_of_a_bundle_without_histories(copy):
    files = json.loads((copy / "manifest.json").read_text())["files"]
    left = {name: entry for name, entry in files.items() if name not in ("users.parquet", "sequences.parquet")}
    edit(copy, files=left, histories=False)
    assert np.any(Recommender(copy)([[1]], [0])[0])

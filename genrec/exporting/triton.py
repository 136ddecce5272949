"""A bundle as a model repository of the Triton Inference Server."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from genrec.errors import GenRecError
from genrec.exporting.content import write_bundle, write_manifest
from genrec.exporting.golden import GOLDEN_FILE, PLACES, Tensors, ask, read_golden, save_golden
from genrec.exporting.sources import Source
from genrec.files import describe_files
from genrec.ids import RECOMMENDER_FILE, TABLE_FILES
from genrec.progress import Reporter
from genrec.runtime.recommender import Recommender

TRITON = "triton"
CONFIG_FILE = "config.pbtxt"
MODEL_FILE = "model.onnx"

_KEPT = (MODEL_FILE, GOLDEN_FILE, *TABLE_FILES)
_VERSION = "1"
_MAX_BATCH = 64
_QUEUE_DELAY = 1000
"""Microseconds that a request may wait for others to share its batch."""

_PER_ROW = ("user", "exclude_seen")
"""Inputs that have one value per row here, [batch, 1]: Triton joins requests along a dimension that all have."""

_OUTPUTS = ["items", "scores"]

_DTYPES = {"INT64": "int64", "BOOL": "bool", "FLOAT": "float32"}
_TRITON_TYPES = {"INT64": "TYPE_INT64", "BOOL": "TYPE_BOOL", "FLOAT": "TYPE_FP32"}


def write_repository(source: Source, folder: Path, settings: dict[str, Any], reporter: Reporter) -> dict[str, Any]:
    """Fill an empty folder with NAME/config.pbtxt and, in NAME/1, the graph, its tables, manifest and golden.json.

    The tables lie beside the graph because item numbers mean what this version of the model means by them.

    Args:
        source: The run; gives the model its name.
        folder: An existing folder.
        settings: As for `write_bundle`.
        reporter: Receives progress.

    Returns:
        The manifest; its "files" are named from `folder`.

    Raises:
        GenRecError: An exported graph differs from torch, or Triton's variant from the bundle's graph.
    """
    name = model_name(source.path)
    bundle, version = folder / ".bundle", folder / name / _VERSION
    bundle.mkdir()
    version.mkdir(parents=True)
    manifest = write_bundle(source, bundle, settings, reporter)
    model = onnx.load(bundle / RECOMMENDER_FILE, load_external_data=False)
    add_batch_dimensions(model)
    onnx.save(model, bundle / MODEL_FILE)  # beside the weights, where they are in a file of their own
    _replace_golden(bundle)
    for path in (*bundle.glob(f"{RECOMMENDER_FILE}.*"), *(bundle / kept for kept in _KEPT)):
        if path.exists():
            path.rename(version / path.name)
    shutil.rmtree(bundle)
    (folder / name / CONFIG_FILE).write_text(config_text(name, model), encoding="utf-8")
    manifest |= {"target": TRITON, "model": name, **_describe_interface(model)}
    write_manifest(version, manifest, [path.name for path in version.iterdir()])
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {**manifest, "files": describe_files(folder, files)}


def model_name(run: Path) -> str:
    """The run's name as far as it can stand in an address.

    >>> model_name(Path("runs/my shop"))
    'my_shop'
    """
    return re.sub(r"[^\w.-]", "_", run.absolute().name, flags=re.ASCII).lstrip(".") or "recommender"


def add_batch_dimensions(model: onnx.ModelProto) -> None:
    """Make `user` and `exclude_seen` [batch, 1], in place, so that all inputs begin with the batch.

    `exclude_seen` is multiplied with the history, [batch, length]: one value per row does as well as one for all.
    `user` is made [batch] again at the start.
    """
    graph = model.graph
    for node in graph.node:
        node.input[:] = ["user_of_row" if name == "user" else name for name in node.input]
    graph.initializer.append(numpy_helper.from_array(np.array([-1], np.int64), "one_dimension"))
    graph.node.insert(0, helper.make_node("Reshape", ["user", "one_dimension"], ["user_of_row"]))
    for value in graph.input:
        if value.name in _PER_ROW:
            shape = value.type.tensor_type.shape
            del shape.dim[:]
            shape.dim.add().dim_param = "batch"
            shape.dim.add().dim_value = 1
    del graph.value_info[:]  # shapes inferred for a scalar


def config_text(name: str, model: onnx.ModelProto) -> str:
    """config.pbtxt for a graph whose inputs and outputs all begin with the batch, which Triton leaves out."""
    lines = [f'name: "{name}"', 'backend: "onnxruntime"', f"max_batch_size: {_MAX_BATCH}"]
    for side, values in (("input", model.graph.input), ("output", model.graph.output)):
        for value in values:
            dims = ", ".join(str(size if isinstance(size, int) else -1) for size in _shape(value)[1:])
            dtype = _TRITON_TYPES[_element_type(value)]
            lines.append(f'{side} {{ name: "{value.name}" data_type: {dtype} dims: [ {dims} ] }}')
    lines.append(f"dynamic_batching {{ max_queue_delay_microseconds: {_QUEUE_DELAY} }}")
    return "\n".join(lines) + "\n"


def _describe_interface(model: onnx.ModelProto) -> dict[str, list[dict[str, Any]]]:
    return {
        side: [{"name": v.name, "dtype": _DTYPES[_element_type(v)], "shape": _shape(v)} for v in values]
        for side, values in (("inputs", model.graph.input), ("outputs", model.graph.output))
    }


def _element_type(value: onnx.ValueInfoProto) -> str:
    return onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type)


def _shape(value: onnx.ValueInfoProto) -> list[int | str]:
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


def widen(inputs: Tensors) -> Tensors:
    """A request to the bundle's graph as one to Triton's: one value per row, and no list without a column.

    Zeros are padding, so a column of them says nothing; not every client can send a tensor of no numbers.
    """
    batch = len(inputs["user"])

    def wide(name: str, array: NDArray[Any]) -> NDArray[Any]:
        if name in _PER_ROW:
            return np.broadcast_to(array, batch).reshape(batch, 1)
        return array if array.shape[1] else np.zeros((batch, 1), array.dtype)

    return {name: wide(name, array) for name, array in inputs.items()}


def _replace_golden(bundle: Path) -> None:
    """The bundle's requests with the shapes that are wanted here; both graphs must answer them alike.

    The bundle is asked again: where activations are quantised, a column of padding may move the scores.
    """
    recommender = Recommender(bundle, device="cpu", verify=False)
    plain, batched = (_as_written(bundle / name) for name in (RECOMMENDER_FILE, MODEL_FILE))
    golden = read_golden(bundle / GOLDEN_FILE)
    for request in golden["requests"]:
        inputs = widen(request["inputs"])
        narrow = inputs | {name: request["inputs"][name] for name in _PER_ROW}
        pairs = zip(plain.run(_OUTPUTS, narrow), batched.run(_OUTPUTS, inputs), strict=True)
        if not all(np.array_equal(*pair) for pair in pairs):
            raise GenRecError(f"Triton's graph answers {request['name']!r} otherwise than the bundle's")
        items, scores = ask(recommender, narrow)
        request |= {"inputs": inputs, "outputs": {"items": items[:, :PLACES], "scores": scores[:, :PLACES]}}
    save_golden(bundle / GOLDEN_FILE, golden)


def _as_written(graph: Path) -> onnxruntime.InferenceSession:
    """A session that rearranges nothing: the same operators give the same numbers, quantised ones too."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

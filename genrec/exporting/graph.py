"""recommender.onnx: the module that evaluation runs, traced once, with nothing left to do for its caller."""

import warnings
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import torch
from onnx import helper
from torch import Tensor, nn

from genrec.ids import RECOMMENDER_FILE

EXTERNAL_SUFFIX = ".data"
EXTERNAL_OVER = 2**31 - 2**20
"""Bytes from which the weights lie in a file of their own: a protobuf message ends at 2 GiB."""

INPUTS: dict[str, dict[int, str]] = {
    "history": {0: "batch", 1: "length"},
    "user": {0: "batch"},
    "exclude_seen": {},
    "banned": {0: "batch", 1: "n"},
    "allowed": {0: "batch", 1: "m"},
}
OUTPUTS: dict[str, dict[int, str]] = {"items": {0: "batch"}, "scores": {0: "batch"}}
"""Names of inputs and outputs, and which of their dimensions are free."""


def export_graph(module: nn.Module, k: int, folder: Path, opset: int) -> list[str]:
    """Write the whole recommender as one graph.

    Args:
        module: On the CPU, in evaluation mode; takes `INPUTS`, returns `OUTPUTS`.
        k: Length of its lists.
        folder: An existing folder.
        opset: Version of the ONNX operator set, 17 to 20.

    Returns:
        Names of the files written: the graph, and where it is larger than 2 GiB its weights.
    """
    path = folder / RECOMMENDER_FILE
    traced = folder / "traced"
    traced.mkdir()
    try:
        _trace(module, traced / "traced.onnx", opset)
        small = sum(file.stat().st_size for file in traced.iterdir()) < EXTERNAL_OVER
        model = _folded(traced / "traced.onnx") if small else onnx.load(traced / "traced.onnx")
    finally:
        for file in traced.iterdir():
            file.unlink()
        traced.rmdir()
    model.producer_name = "genrec"
    _keep_unused_inputs(model.graph)
    for output in model.graph.output:  # which the tracer takes for free
        output.type.tensor_type.shape.dim[1].dim_value = k
    return save_graph(model, path)


def _keep_unused_inputs(graph: onnx.GraphProto) -> None:
    """Give a graph all of `INPUTS`, in their order; the tracer leaves out what a model does not look at."""
    found = {value.name: value for value in graph.input}
    for name, axes in INPUTS.items():
        if name not in found:
            found[name] = helper.make_tensor_value_info(name, onnx.TensorProto.INT64, list(axes.values()))
    del graph.input[:]
    graph.input.extend(found[name] for name in INPUTS)


def save_graph(model: onnx.ModelProto, path: Path) -> list[str]:
    """Write a graph, its weights in a file of their own where they are too large for one.

    Returns:
        Names of the files written.
    """
    if sum(len(weight.raw_data) for weight in model.graph.initializer) < EXTERNAL_OVER:
        onnx.save(model, path)
        return [path.name]
    weights = path.name + EXTERNAL_SUFFIX
    onnx.save(model, path, save_as_external_data=True, location=weights, size_threshold=1024)
    return [path.name, weights]


def _trace(module: nn.Module, path: Path, opset: int) -> None:
    with warnings.catch_warnings(), torch.no_grad():
        # The tracer warns of every decision by a Python number (the trie's width, the number of layers): those
        # are meant to be fixed. Tests compare all sizes that are free.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            _sample(),
            path,
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_axes={name: axes for name, axes in {**INPUTS, **OUTPUTS}.items() if axes},
            opset_version=opset,
            dynamo=False,
        )


def _sample() -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """A request of two users; no free dimension is 1, which a trace would take for one that broadcasts."""
    ones = torch.ones(2, 4, dtype=torch.int64)
    return ones, ones[:, 0], torch.tensor(True), ones[:, :2] * 0, ones[:, :3] * 0


def _folded(path: Path) -> onnx.ModelProto:
    """Compute once what depends on no input: fewer than half of the nodes are left, and sessions open faster.

    onnxruntime's basic level writes standard operators for any hardware; were that to change, the graph stays
    as it was traced.
    """
    output = path.with_name("folded.onnx")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(output)
    options.log_severity_level = 3  # it warns that the file suits this machine, which is so from level two up
    options.intra_op_num_threads = 1
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    model = onnx.load(output)
    if not is_standard(model):
        return onnx.load(path)
    standard = [entry for entry in model.opset_import if not entry.domain]
    del model.opset_import[:]
    model.opset_import.extend(standard)
    return model


def is_standard(model: onnx.ModelProto) -> bool:
    """Whether all operators are of the ONNX standard."""
    return all(not node.domain for node in model.graph.node)


def describe_interface(k: int) -> dict[str, list[dict[str, Any]]]:
    """Names, types and shapes of inputs and outputs, as the manifest tells them; lists have `k` places."""
    width = {"items": k, "scores": k}
    types = {"exclude_seen": "bool", "scores": "float32"}

    def describe(names: dict[str, dict[int, str]]) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "dtype": types.get(name, "int64"),
                "shape": [*axes.values(), *([width[name]] if name in width else [])],
            }
            for name, axes in names.items()
        ]

    return {"inputs": describe(INPUTS), "outputs": describe(OUTPUTS)}

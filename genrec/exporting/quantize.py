"""Smaller numbers in a finished graph: int8 or fp16 inside the model, fp32 where scores are made.

Between the last layer normalisation and the scores little is computed, but every rounding there moves a score;
that part stays as it is. So does all that is no learned weight: masks, the trie, whole numbers. A large table that
both parts read, as an item head's, is there once: in fp32 beside int8, else in fp16.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from genrec.exporting.graph import save_graph
from genrec.exporting.half import LARGE, to_half

INT8, FP16 = "int8", "fp16"

TOLERANCE = {"none": 1e-4, INT8: 2e-2, FP16: 1e-2}
"""How far the scores of one request, sent again to another machine, may lie apart: where a sum's last bit differs,
an activation is rounded to the next step. Five times and more what other orders of computation gave."""

_DEFAULTS = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0}
_LINEAR = _DEFAULTS | {"transB": 1}
"""A Gemm's attributes as torch exports a linear map."""


def quantize_graph(source: Path, target: Path, kind: str) -> list[str]:
    """Write a recommender's graph with smaller weights; inputs, outputs and operator set stay.

    Args:
        source: The graph in fp32, with its weights beside it where they are over 2 GiB.
        target: File to write, in another folder.
        kind: "int8": products and large tables with 8-bit weights, activations quantised as they come; or "fp16".

    Returns:
        Names of the files written.
    """
    # Types and shapes are inferred in a file, which has no limit of 2 GiB.
    inferred = source.with_name("inferred.onnx")
    onnx.shape_inference.infer_shapes_path(source, inferred)
    model = onnx.load(inferred)
    inferred.unlink()
    _read_through_identities(model)
    for number, node in enumerate(model.graph.node):
        node.name = f"node_{number}"
    exact = _scoring_nodes(model)
    if kind == FP16:
        to_half(model, exact)
    else:
        model = _to_int8(model, exact, target)
    return save_graph(model, target)


def _read_through_identities(model: ModelProto) -> None:
    """Let nodes read weights themselves: in a graph too large to be folded, Identity hands shared ones on."""
    outputs = {output.name for output in model.graph.output}
    nodes: list[NodeProto] = []
    origin: dict[str, str] = {}
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = origin.get(name, name)
        if node.op_type == "Identity" and node.output[0] not in outputs:
            origin[node.output[0]] = node.input[0]
        else:
            nodes.append(node)
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)


def _scoring_nodes(model: ModelProto) -> set[str]:
    """Names of the nodes that outputs depend on without a layer normalisation between: head, softmax, search."""
    producer = {output: node for node in model.graph.node for output in node.output}
    found: set[str] = set()
    waiting = [output.name for output in model.graph.output]
    while waiting:
        node = producer.get(waiting.pop())
        if node is None or node.name in found or node.op_type == "LayerNormalization":
            continue
        found.add(node.name)
        waiting.extend(node.input)
    return found


def _to_int8(model: ModelProto, exact: set[str], target: Path) -> ModelProto:
    """Rows of large tables and weights of matrix products become int8, each row or column with its own scale.

    Weights have 7 of the 8 bits: processors without VNNI instructions add pairs of products in 16 bits, which 8
    would overflow. So every machine computes the same integers.
    """
    from onnxruntime.quantization import quantize_dynamic

    _shrink_tables(model, exact)
    _part_gemms(model, exact)
    weights = _weights(model)
    products = [node for node in model.graph.node if node.op_type == "MatMul" and node.name not in exact]
    names = [node.name for node in products if node.input[1] in weights]
    if not names:
        return model
    model.metadata_props.add(key="onnx.quant.pre_process", value="genrec")  # it warns of graphs without
    written = target.with_name("quantized.onnx")
    options = {"op_types_to_quantize": ["MatMul"], "nodes_to_quantize": names}
    with _quiet():
        quantize_dynamic(
            model, written, per_channel=True, reduce_range=True, use_external_data_format=True, **options
        )
    quantized = onnx.load(written)
    for file in (written, written.with_name(written.name + ".data")):
        file.unlink(missing_ok=True)
    quantized.ClearField("metadata_props")
    standard = [entry for entry in quantized.opset_import if not entry.domain]
    quantized.ClearField("opset_import")  # other sets are declared, but not used
    quantized.opset_import.extend(standard)
    return quantized


def _part_gemms(model: ModelProto, exact: set[str]) -> None:
    """Make each Gemm a MatMul and an Add; the quantiser's own way turns a weight again for each that shares it.

    It turns those of Gemms that stay in fp32 as well: where others read such a weight, it is turned beside them.
    """
    weights = _weights(model)
    readers = Counter(name for node in model.graph.node for name in set(node.input))
    nodes: list[NodeProto] = []
    turned: dict[str, TensorProto] = {}
    for node in model.graph.node:
        attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
        linear = node.op_type == "Gemm" and _DEFAULTS | attributes == _LINEAR
        single = node.name in exact
        if not linear or node.input[1] not in weights or (single and readers[node.input[1]] == 1):
            nodes.append(node)
            continue
        rows, weight, bias = node.input
        other, product = f"{weight}_turned", f"{node.name}_product"
        if single:
            other = f"{node.name}_turned"
            nodes.append(helper.make_node("Transpose", [weight], [other], other))
        elif weight not in turned:
            array = numpy_helper.to_array(weights[weight]).T
            turned[weight] = numpy_helper.from_array(np.ascontiguousarray(array), other)
        nodes.append(helper.make_node("MatMul", [rows, other], [product], product))
        nodes.append(helper.make_node("Add", [product, bias], list(node.output), f"{node.name}_bias"))
        value = helper.make_tensor_value_info(product, TensorProto.FLOAT, [None, weights[weight].dims[0]])
        model.graph.value_info.append(value)
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(turned.values())
    _drop_unused_weights(model)


def _shrink_tables(model: ModelProto, exact: set[str]) -> None:
    """Large tables of embeddings: int8 rows and an fp32 scale each, multiplied after the look-up.

    A table that scores are made with too, as an item head's, stays whole: it would be there twice.
    """
    scoring = {name for node in model.graph.node if node.name in exact for name in node.input}
    weights = {name: weight for name, weight in _weights(model).items() if name not in scoring}
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        table = weights.get(node.input[0]) if _looks_rows_up(node) and node.name not in exact else None
        nodes.extend([node] if table is None or _size(table) < LARGE else _row_lookup(model, node, table))
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
    _drop_unused_weights(model)


def _looks_rows_up(node: NodeProto) -> bool:
    return node.op_type == "Gather" and all(entry.i == 0 for entry in node.attribute if entry.name == "axis")


def _row_lookup(model: ModelProto, node: NodeProto, table: TensorProto) -> list[NodeProto]:
    """Nodes that look rows up in the int8 form of a table [rows, width]."""
    rows, scales = f"{table.name}_int8", f"{table.name}_scale"
    if rows not in {weight.name for weight in model.graph.initializer}:
        model.graph.initializer.extend(
            numpy_helper.from_array(array, name)
            for array, name in zip(quantize_rows(numpy_helper.to_array(table)), (rows, scales), strict=True)
        )
    picked, scale, floats = (f"{node.name}_{part}" for part in ("rows", "scale", "float"))
    return [
        helper.make_node("Gather", [rows, node.input[1]], [picked], f"{node.name}_rows"),
        helper.make_node("Gather", [scales, node.input[1]], [scale], f"{node.name}_scale"),
        helper.make_node("Cast", [picked], [floats], f"{node.name}_cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", [floats, scale], list(node.output), f"{node.name}_mul"),
    ]


def quantize_rows(table: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 [rows, width] and scales float32 [rows, 1], whose product is the table; rows of zeros stay zeros.

    >>> quantize_rows(np.array([[0.5, -1.27], [0, 0]], np.float32))[0].tolist()
    [[50, -127], [0, 0]]
    """
    largest = np.abs(table).max(axis=1, keepdims=True)
    scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return np.rint(table / scales).astype(np.int8), scales


def _weights(model: ModelProto) -> dict[str, TensorProto]:
    """The learned matrices: float, two axes, and not all whole numbers as a mask or a count would be."""
    return {
        weight.name: weight
        for weight in model.graph.initializer
        if weight.data_type == TensorProto.FLOAT and len(weight.dims) == 2 and _is_learned(weight)
    }


def _is_learned(weight: TensorProto) -> bool:
    values = numpy_helper.to_array(weight)
    return bool((values != np.rint(values)).any())


def _size(tensor: TensorProto) -> int:
    return int(np.prod(tensor.dims))


def _drop_unused_weights(model: ModelProto) -> None:
    read = {name for node in model.graph.node for name in node.input}
    kept = [weight for weight in model.graph.initializer if weight.name in read]
    model.graph.ClearField("initializer")
    model.graph.initializer.extend(kept)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the tools' warnings, which are meant for those who call them, off the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)

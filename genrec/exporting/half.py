"""Half precision: all but the nodes that make scores reads and writes fp16.

onnxruntime's own converter rounds what passes between two nodes that stay in fp32, and scores are just that; it
also names a tensor twice where two such nodes read it.
"""

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

FLOAT, FLOAT16 = TensorProto.FLOAT, TensorProto.FLOAT16

LARGE = 2**18
"""Numbers in a weight, 1 MB in fp32, from which fewer bits, and being there once, are worth extra operators."""

_SINGLE_ONLY = ("Range",)
"""Operators that the standard does not define on fp16."""


def to_half(model: ModelProto, exact: set[str]) -> None:
    """Convert a graph in place; its inputs and outputs keep their types.

    Args:
        model: With the types of all values, nodes in order.
        exact: Names of the nodes that stay in fp32; the outputs come from such.
    """
    exact = exact | {node.name for node in model.graph.node if node.op_type in _SINGLE_ONLY}
    shared = _halve_shared(model, exact)
    weights = {weight.name: weight for weight in model.graph.initializer if weight.data_type == FLOAT}
    described = (*model.graph.value_info, *model.graph.input, *model.graph.output)
    floats = shared | {value.name for value in described if value.type.tensor_type.elem_type == FLOAT}
    narrow = set(shared)  # values that are fp16 from now on
    other: dict[str, str] = {}  # by its name, what holds a value in the type that it is not written in
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        half = node.name not in exact
        for place, name in enumerate(node.input):
            if half and name in weights:
                other[name] = f"{name}_fp16"
                node.input[place] = other[name]
            elif name in floats and (name in narrow) != half:
                if name not in other:
                    other[name] = f"{name}_{'fp16' if half else 'fp32'}"
                    nodes.append(helper.make_node("Cast", [name], [other[name]], to=FLOAT16 if half else FLOAT))
                node.input[place] = other[name]
        if half:
            _narrow_attributes(node)
            narrow.update(name for name in node.output if name in floats)
        nodes.append(node)
    _replace(model, nodes, weights, other)


def _halve_shared(model: ModelProto, exact: set[str]) -> set[str]:
    """Keep large weights that nodes of both precisions read, like an item head's, in fp16 only; their names."""
    half, single = (
        {name for node in model.graph.node if (node.name in exact) == kept for name in node.input}
        for kept in (False, True)
    )
    found = set()
    for weight in model.graph.initializer:
        if weight.data_type == FLOAT and weight.name in half & single and np.prod(weight.dims) >= LARGE:
            weight.CopyFrom(_halved(weight, weight.name))
            found.add(weight.name)
    return found


def _replace(
    model: ModelProto, nodes: list[NodeProto], weights: dict[str, TensorProto], other: dict[str, str]
) -> None:
    """Give the graph its new nodes, and of each weight the forms that they read."""
    read = {name for node in nodes for name in node.input}
    kept = [weight for weight in model.graph.initializer if weight.name in read]
    halves = [_halved(weight, other[name]) for name, weight in weights.items() if name in other]
    for field, content in (("node", nodes), ("initializer", [*kept, *halves])):
        model.graph.ClearField(field)
        getattr(model.graph, field).extend(content)
    model.graph.ClearField("value_info")  # of the types before


def _narrow_attributes(node: NodeProto) -> None:
    """Constants and casts to fp32 become fp16."""
    for attribute in node.attribute:
        if node.op_type == "Cast" and attribute.name == "to" and attribute.i == FLOAT:
            attribute.i = FLOAT16
        elif attribute.HasField("t") and attribute.t.data_type == FLOAT:
            attribute.t.CopyFrom(_halved(attribute.t, attribute.t.name))
    if node.op_type == "ConstantOfShape" and not node.attribute:
        node.attribute.append(helper.make_attribute("value", helper.make_tensor("", FLOAT16, [1], [0.0])))


def _halved(tensor: TensorProto, name: str) -> TensorProto:
    return numpy_helper.from_array(to_fp16(numpy_helper.to_array(tensor)), name)


def to_fp16(values: NDArray[np.float32]) -> NDArray[np.float16]:
    """Round to fp16; finite numbers stay finite, so that a mask times zero is zero and not "not a number".

    >>> to_fp16(np.array([1e-3, -3e38, -np.inf], np.float32)).tolist()
    [0.0010004043579101562, -65504.0, -inf]
    """
    largest = float(np.finfo(np.float16).max)
    return np.where(np.isfinite(values), np.clip(values, -largest, largest), values).astype(np.float16)

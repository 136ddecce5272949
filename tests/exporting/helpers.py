"""A recommender's graph, and the module that it was made of, asked alike."""

import numpy as np
import onnx
import onnxruntime
import torch

FLOAT = onnx.TensorProto.FLOAT
ENGINES = ("torch", "onnxruntime")


def open_graph(path):
    """A session of one thread on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def feed(history, user, exclude_seen=False, banned=None, allowed=None):
    """A graph's inputs, in their order."""
    none = np.zeros((len(user), 0), np.int64)
    return {
        "history": np.asarray(history, np.int64),
        "user": np.asarray(user, np.int64),
        "exclude_seen": np.array(exclude_seen),
        "banned": none if banned is None else np.asarray(banned, np.int64),
        "allowed": none if allowed is None else np.asarray(allowed, np.int64),
    }


class TwoWays:
    """A module and its graph; called with an engine and arguments of `feed`, items and scores are returned."""

    def __init__(self, module, path):
        self.module, self.path, self.session = module, path, open_graph(path)

    def __call__(self, engine, *lists, **more):
        inputs = feed(*lists, **more)
        if engine == "onnxruntime":
            return self.session.run(["items", "scores"], inputs)
        with torch.inference_mode():
            return [out.numpy() for out in self.module(*map(torch.from_numpy, inputs.values()))]


def ranked_by(path):
    """A graph that puts out what its TopK nodes rank, and the names of those that are floats."""
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    floats = {info.name for info in model.graph.value_info if info.type.tensor_type.elem_type == FLOAT}
    names = [node.input[0] for node in model.graph.node if node.op_type == "TopK" and node.input[0] in floats]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return open_graph(model.SerializeToString()), names

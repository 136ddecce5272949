"""Running a graph with its inputs and outputs bound to a device."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray


def run_bound(
    session: onnxruntime.InferenceSession, device: str, outputs: Sequence[str], feed: dict[str, NDArray[Any]]
) -> list[NDArray[Any]]:
    """Run a graph; the inputs go to the device in one copy each, and only the outputs come back.

    Args:
        session: Of the graph.
        device: "cuda" or "cpu".
        outputs: Names of the outputs.
        feed: Inputs by name.

    Returns:
        The outputs in main memory.
    """
    # A value on the CPU borrows the array's memory, so both must live until the run is over.
    values = {
        name: onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), device)
        for name, array in feed.items()
    }
    binding = session.io_binding()
    for name, value in values.items():
        binding.bind_ortvalue_input(name, value)
    for name in outputs:
        binding.bind_output(name, device)
    session.run_with_iobinding(binding)
    copied: list[NDArray[Any]] = binding.copy_outputs_to_cpu()
    return copied

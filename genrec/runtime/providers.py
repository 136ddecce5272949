"""onnxruntime's execution providers: which of them to try, and with what options."""

import os
import shutil
from pathlib import Path
from typing import Any

from genrec.folders import user_cache
from genrec.placement import Placement, Provider

TENSORRT = "TensorrtExecutionProvider"
CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"

NAMES = {Provider.tensorrt: TENSORRT, Provider.cuda: CUDA, Provider.cpu: CPU}
"""From the fastest to the one that always works."""

_NVIDIA_MARKS = ("/dev/nvidiactl", "/dev/nvidia0", "/proc/driver/nvidia/version", "/dev/dxg")
"""What the driver puts there: on Linux, in containers, and (dxg) in Windows' Linux."""

_CUDA_OPTIONS: dict[str, Any] = {
    # TensorFloat-32 keeps 10 bits of a number: scores would differ from the CPU's by more than 1e-4.
    "use_tf32": "0",
    # Batches differ in length: doubling the arena at each new maximum would take memory that is never used.
    "arena_extend_strategy": "kSameAsRequested",
}


def candidates(placement: Placement, graph: str | None) -> list[str]:
    """The providers to try, best first.

    TensorRT builds its engines for minutes at the first run, so it is tried where it is asked for by name, or
    where an earlier run of this graph that did so has left its engines behind.

    Args:
        placement: Checked.
        graph: Checksum of the graph, by which TensorRT's engines are kept.
    """
    if placement.provider != Provider.auto:
        return [NAMES[Provider(placement.provider)]]
    if placement.device == "cpu" or (placement.device == "auto" and not nvidia_visible()):
        return [CPU]
    built = graph is not None and any(engine_folder(graph).glob("*.engine"))
    on_gpu = [TENSORRT, CUDA] if built else [CUDA]
    return on_gpu if placement.device == "cuda" else [*on_gpu, CPU]


def with_options(provider: str, graph: str | None) -> list[tuple[str, dict[str, Any]]]:
    """A provider and those that take over the operators it lacks, each with its options.

    Args:
        provider: Its name in onnxruntime.
        graph: Checksum of the graph, by which TensorRT's engines are kept; without it they are not.
    """
    cuda = (CUDA, _CUDA_OPTIONS)
    cpu: tuple[str, dict[str, Any]] = (CPU, {})
    if provider == TENSORRT:
        return [(TENSORRT, _tensorrt_options(graph)), cuda, cpu]
    return [cuda, cpu] if provider == CUDA else [cpu]


def _tensorrt_options(graph: str | None) -> dict[str, Any]:
    if graph is None:
        return {}
    engines = engine_folder(graph)
    engines.mkdir(parents=True, exist_ok=True)
    return {
        "trt_engine_cache_enable": "True",
        "trt_engine_cache_path": str(engines),
        "trt_timing_cache_enable": "True",
        "trt_timing_cache_path": str(engines),
    }


def engine_folder(graph: str) -> Path:
    """Where TensorRT's engines of a graph are kept: not in the bundle, which may be read-only or shared."""
    return user_cache() / "tensorrt" / graph[:16]


def nvidia_visible() -> bool:
    """Whether an NVIDIA GPU may be there; asked first, because trying CUDA in vain costs time."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    return any(map(os.path.exists, _NVIDIA_MARKS)) or shutil.which("nvidia-smi") is not None

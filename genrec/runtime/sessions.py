"""Opening onnxruntime sessions on the hardware that really works, without its walls of warnings."""

import contextlib
import importlib
from pathlib import Path
from typing import NamedTuple

import onnxruntime

from genrec.errors import GenRecError
from genrec.placement import Placement, Provider
from genrec.runtime.failures import captured, first_line, reason, remedy
from genrec.runtime.providers import CPU, NAMES, TENSORRT, candidates, nvidia_visible, with_options
from genrec.runtime.threads import usable_cores


class OpenSession(NamedTuple):
    """A session with what it runs on.

    Attributes:
        session: Ready to run.
        provider: The execution provider that really runs.
        trouble: Why it is not a better one, and what to do; None where nothing better was in reach.
    """

    session: onnxruntime.InferenceSession
    provider: str
    trouble: str | None


def open_session(
    model: Path | bytes, placement: Placement, graph: str | None = None, single: bool = False
) -> OpenSession:
    """Open a graph on the best provider that works.

    Args:
        model: File of the graph, or the graph itself.
        placement: Where to compute.
        graph: Checksum of the graph, by which TensorRT's engines are kept.
        single: Whether an operator gets a single thread on the CPU, whatever the placement says.

    Raises:
        GenRecError: The placement makes no sense, what it names does not work, or the graph is damaged.
    """
    placement.check()
    troubles: list[str] = []
    for provider in candidates(placement, graph):
        if provider == CPU:
            threads = 1 if single else placement.threads
            return OpenSession(_open_on_cpu(model, threads), CPU, "; ".join(troubles) or None)
        session, why = try_provider(model, provider, placement.threads, graph)
        if session is not None:
            return OpenSession(session, provider, "; ".join(troubles) or None)
        troubles.append(f"onnxruntime cannot use {short_name(provider)}: {why}; {remedy(why)}")
    option = "device" if placement.provider == Provider.auto else "provider"
    asked = f"--{option} {getattr(placement, option)}"
    raise GenRecError(
        f"{asked} was asked for, but {'; '.join(troubles)}; or use --{option} cpu, or see genrec doctor"
    )


def try_provider(
    model: Path | bytes, provider: str, threads: int | None = None, graph: str | None = None
) -> tuple[onnxruntime.InferenceSession | None, str]:
    """A session on an execution provider, or None and why there is none."""
    if provider not in onnxruntime.get_available_providers():
        return None, f"this onnxruntime has no {provider}"
    session, failure = None, ""
    if provider != CPU:
        _preload(provider)
    with captured() as log:
        try:
            session = _open(model, provider, threads, graph)
        except Exception as error:
            failure = str(error)
    if session is not None and session.get_providers()[0] == provider:
        return session, ""
    why = reason(f"{log.getvalue()}\n{failure}")
    if provider != CPU and not nvidia_visible():
        return None, f"no NVIDIA GPU is visible ({why})"
    return None, why


def short_name(provider: str) -> str:
    """The name of a provider on the command line.

    >>> short_name("CUDAExecutionProvider")
    'cuda'
    """
    return next((short.value for short, name in NAMES.items() if name == provider), provider)


def _preload(provider: str) -> None:
    """Load libraries that came with torch or as packages of their own, off the system's search path.

    What is not found is not told: the provider may not need it, or find it elsewhere.
    """
    with captured(), contextlib.suppress(ImportError, OSError, RuntimeError):
        getattr(onnxruntime, "preload_dlls", lambda: None)()
        if provider == TENSORRT:
            importlib.import_module("tensorrt_libs")


def _open_on_cpu(model: Path | bytes, threads: int | None) -> onnxruntime.InferenceSession:
    try:
        return _open(model, CPU, threads)
    except Exception as error:  # onnxruntime's errors share no base class
        name = "the graph" if isinstance(model, bytes) else model
        raise GenRecError(f"onnxruntime cannot open {name}: {first_line(str(error))}") from error


def _open(
    model: Path | bytes, provider: str, threads: int | None, graph: str | None = None
) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads or usable_cores()
    options.inter_op_num_threads = 1
    # Threads that spin while a run lasts make it a quarter faster; by default they go on after it, and a service
    # with 50 requests per second burns a whole core between them.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    # Planning which buffers share memory takes time quadratic in the number of nodes: 0.15 s, three quarters of
    # what opening a small bundle costs. The arena hands freed buffers out again anyway: peak memory is the same.
    options.enable_mem_reuse = False
    source = model if isinstance(model, bytes) else str(model)
    providers = with_options(provider, graph)
    # Without its fallback, which would go on with the CPU and print about it.
    return onnxruntime.InferenceSession(source, options, providers=providers, enable_fallback=0)

"""Opening onnxruntime sessions on the hardware that really works, without its walls of warnings."""

import contextlib
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import onnxruntime

from genrec.errors import GenRecError

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
DEVICES = ("auto", "cpu", "cuda")

_NVIDIA_MARKS = ("/dev/nvidiactl", "/dev/nvidia0", "/proc/driver/nvidia/version", "/dev/dxg")
"""What the driver puts there: on Linux, in containers, and (dxg) in Windows' Linux."""


class OpenSession(NamedTuple):
    """A session with what it runs on.

    Attributes:
        session: Ready to run.
        provider: The execution provider that really runs.
        trouble: Why it is not a better one; None where nothing better was in reach.
    """

    session: onnxruntime.InferenceSession
    provider: str
    trouble: str | None


def open_session(model: Path | bytes, device: str = "auto", threads: int | None = None) -> OpenSession:
    """Open a graph on CUDA where that works, else on the CPU.

    Args:
        model: File of the graph, or the graph itself.
        device: "auto", "cpu" or "cuda".
        threads: Threads of an operator on the CPU; by default the cores that this process may use.

    Raises:
        GenRecError: The device is unknown, CUDA is asked for and does not work, or the graph is damaged.
    """
    if device not in DEVICES:
        raise GenRecError(f"device {device!r} is unknown; choose one of: {', '.join(DEVICES)}")
    trouble = None
    if device == "cuda" or (device == "auto" and nvidia_visible()):
        session, trouble = try_provider(model, CUDA, threads)
        if session is not None:
            return OpenSession(session, CUDA, None)
        if device == "cuda":
            raise GenRecError(
                f"device cuda was asked for, but onnxruntime cannot use it ({trouble}); "
                "use --device cpu, or see genrec doctor"
            )
    return OpenSession(_open(model, CPU, threads), CPU, trouble)


def nvidia_visible() -> bool:
    """Whether an NVIDIA GPU may be there; asked first, because trying CUDA in vain costs time."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    return any(map(os.path.exists, _NVIDIA_MARKS)) or shutil.which("nvidia-smi") is not None


def usable_cores() -> int:
    """Cores that this process may use, which in a container are fewer than the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _open(model: Path | bytes, provider: str, threads: int | None) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads or usable_cores()
    options.inter_op_num_threads = 1
    # Planning which buffers share memory takes time quadratic in the number of nodes: 0.15 s, three quarters of
    # what opening a small bundle costs. The arena hands freed buffers out again anyway: peak memory is the same.
    options.enable_mem_reuse = False
    source = model if isinstance(model, bytes) else str(model)
    try:
        return onnxruntime.InferenceSession(source, options, providers=[provider])
    except Exception as error:  # onnxruntime's errors share no base class
        name = "the graph" if isinstance(model, bytes) else model
        raise GenRecError(f"onnxruntime cannot open {name}: {_first_line(str(error))}") from error


def try_provider(
    model: Path | bytes, provider: str, threads: int | None = None
) -> tuple[onnxruntime.InferenceSession | None, str]:
    """A session on an execution provider, or None and why there is none."""
    if provider not in onnxruntime.get_available_providers():
        return None, f"this onnxruntime has no {provider}; onnxruntime-gpu in place of onnxruntime has CUDA's"
    with _captured() as log:
        try:
            # Finds the CUDA libraries that came with torch or as nvidia packages.
            getattr(onnxruntime, "preload_dlls", lambda: None)()
            session = _open(model, provider, threads)
        except Exception as error:
            return None, _first_line(str(error))
    if session.get_providers()[0] == provider:
        return session, ""
    return None, _reason(log.getvalue())


def _reason(log: str) -> str:
    """The line of onnxruntime's log that names the missing library."""
    telling = [
        line for line in log.splitlines() if "cannot open shared object" in line or "Failed to load" in line
    ]
    if telling:
        # "... Failed to load library libonnxruntime_providers_cuda.so with error: libcublasLt.so.12: cannot ..."
        return telling[0].rpartition("with error: ")[2].rpartition("] ")[2].strip()
    return _first_line(log) or "the provider did not start"


@contextlib.contextmanager
def _captured() -> Iterator[io.StringIO]:
    """Collect what native code and Python print on stdout and stderr."""
    text = io.StringIO()
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as file, contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        os.dup2(file.fileno(), 2)
        try:
            yield text
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            file.seek(0)
            text.write(file.read().decode(errors="replace"))


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")

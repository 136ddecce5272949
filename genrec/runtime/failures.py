"""Why an execution provider does not work, and what to do: one line out of onnxruntime's wall of messages."""

import contextlib
import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator

_MISSING = (r"([^\s:/]+): cannot open shared object file", r'which depends on "([^"]+)" which is missing')
_TELLING = (r"((?:CUDA|CUDNN|CUBLAS)\w* failure \d+: [^;\n]+)", r"(Please install TensorRT libraries)")
_MARKUP = re.compile(
    r"\x1b\[[\d;]*m"  # colours
    r"|\S+ \S+ \[[EWF]:onnxruntime:[^\]]*\] "  # time and place in the log
    r"|\[ONNXRuntimeError\] : \d+ : \w+ : "
)
_LONGEST = 200


def reason(log: str) -> str:
    """The line that tells: the missing library, or CUDA's error, or the first.

    Args:
        log: What onnxruntime printed and raised.

    >>> reason("Failed to load library a.so with error: libcublasLt.so.13: cannot open shared object file")
    'libcublasLt.so.13 is missing'
    """
    for pattern in _MISSING:
        if found := re.search(pattern, log):
            return f"{found[1]} is missing"
    for pattern in _TELLING:
        if found := re.search(pattern, log):
            return found[1].strip()
    return first_line(_MARKUP.sub("", log))[:_LONGEST] or "the provider did not start"


def remedy(why: str) -> str:
    """What to do about a reason.

    >>> remedy("libcuda.so.1 is missing")
    'install the NVIDIA driver, or start the container with its GPUs (docker run --gpus all)'
    """
    if re.match(r"libcuda\.so|nvcuda\.dll|no NVIDIA GPU|CUDA failure 100", why):
        return "install the NVIDIA driver, or start the container with its GPUs (docker run --gpus all)"
    if found := re.match(r"(?:lib)?nv(?:infer|onnxparser)\w*(?:\.so\.|_)(\d+)", why):
        return f"pip install 'tensorrt=={found[1]}.*'"
    if "TensorRT" in why:
        return "pip install tensorrt"
    if "is missing" in why:
        return "pip install 'onnxruntime-gpu[cuda,cudnn]'"
    if "has no" in why:
        return "pip uninstall -y onnxruntime, then pip install onnxruntime-gpu"
    if "driver version" in why:
        return "update the NVIDIA driver"
    return "see what it requires at https://onnxruntime.ai/docs/execution-providers"


@contextlib.contextmanager
def captured() -> Iterator[io.StringIO]:
    """Collect what native code and Python print on stdout and stderr; complete when the block has ended."""
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


def first_line(text: str) -> str:
    """The first line that is not empty."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")

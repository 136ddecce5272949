"""Choosing the device that torch runs on, and how attention is computed there."""

import torch

from genrec.errors import GenRecError
from genrec.placement import DEVICES


def choose_device(name: str = "auto") -> torch.device:
    """CUDA where it is there, else the CPU, or the one asked for.

    On CUDA attention then keeps off cuDNN, which plans anew for each shape, and batches grouped by length have
    many: on an H200 the first steps of 256 examples took `base` a second each, one of a known shape 24 ms.

    Raises:
        GenRecError: The name is unknown, or CUDA is asked for and absent.
    """
    if name not in DEVICES:
        raise GenRecError(f"device {name!r} is unknown; choose one of: {', '.join(DEVICES)}")
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise GenRecError(
            "device cuda was asked for, but torch finds no usable CUDA GPU; use --device cpu, or see genrec doctor"
        )
    torch.backends.cuda.enable_cudnn_sdp(False)
    return torch.device("cuda")


def name_device(device: torch.device) -> str:
    """What a device is called: a GPU by its name, the CPU with the threads that it has for torch."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{device.type}, {threads} thread{'s' if threads > 1 else ''}"

"""Choosing the device that torch runs on."""

import torch

from genrec.errors import GenRecError
from genrec.placement import DEVICES


def choose_device(name: str = "auto") -> torch.device:
    """CUDA where it is there, else the CPU, or the one asked for.

    Raises:
        GenRecError: The name is unknown, or CUDA is asked for and absent.
    """
    if name not in DEVICES:
        raise GenRecError(f"device {name!r} is unknown; choose one of: {', '.join(DEVICES)}")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise GenRecError(
            "device cuda was asked for, but torch finds no usable CUDA GPU; use --device cpu, or see genrec doctor"
        )
    return torch.device(name)

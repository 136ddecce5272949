"""The processes that train one model together, as `torchrun` or `accelerate launch` start them.

Rank 0 writes and talks; the others compute. Without a launcher there is rank 0 alone.
"""

import os
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from genrec.errors import GenRecError

T = TypeVar("T")

_DIVIDING = {"ACCELERATE_USE_FSDP": "FSDP", "ACCELERATE_USE_DEEPSPEED": "DeepSpeed"}
"""Variables by which `accelerate launch` asks for it."""

_TIMEOUT = timedelta(hours=2)
"""How long the others wait for one, through the longest piece that rank 0 does alone."""


def rank() -> int:
    """This process's number."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """The number of processes."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this process writes and talks."""
    return rank() == 0


def join(device: str) -> None:
    """Meet the other processes, if there are any.

    Args:
        device: "cpu", or something else for the GPUs.

    Raises:
        GenRecError: They were started to divide the weights among them.
    """
    for name, words in _DIVIDING.items():
        if os.environ.get(name, "").lower() == "true":
            raise GenRecError(
                f"{words} divides a model's weights among processes, which genrec does not do, for each fits one "
                "device; answer accelerate config with multi-GPU or multi-CPU, or start with torchrun"
            )
    if world_size() > 1:
        import torch
        from accelerate import PartialState

        on_cpu = device == "cpu" or not torch.cuda.is_available()
        if on_cpu:  # else it is called cpu:0 or cpu:1, where checkpoints cannot be read to
            os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"
        PartialState(cpu=on_cpu, timeout=_TIMEOUT)


def leave() -> None:
    """Part from the other processes; without it they may abort each other on their way out.

    Returns in rank 0 only. The others have nothing left to write and end here, without the interpreter's own exit,
    in which threads of gloo that still run have been seen to abort a process whose work was done.
    """
    if world_size() > 1:
        from torch import distributed

        if distributed.is_initialized():
            distributed.barrier()
            distributed.destroy_process_group()
        if not is_main():
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)


def on_main(work: Callable[[], T]) -> T:
    """Let rank 0 do something and tell the others its result, which must be picklable.

    Raises:
        GenRecError: Rank 0 failed; all processes raise then.
    """
    if world_size() == 1:
        return work()
    from torch import distributed

    told: list[Any] = [None, None]
    if is_main():
        try:
            told[0] = work()
        except GenRecError as error:
            told[1] = str(error)
    distributed.broadcast_object_list(told)
    if told[1] is not None:
        raise GenRecError(told[1])
    return told[0]


def gather(part: T) -> list[T]:
    """What each process has, in the order of their ranks."""
    if world_size() == 1:
        return [part]
    from torch import distributed

    parts: list[Any] = [None] * world_size()
    distributed.all_gather_object(parts, part)
    return parts


def barrier() -> None:
    """Wait for the other processes."""
    if world_size() > 1:
        from torch import distributed

        distributed.barrier()

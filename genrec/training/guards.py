"""What stops a training that has gone wrong, with the step, the batch and what to try."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from genrec.config import TrainConfig
from genrec.errors import GenRecError
from genrec.training.settings import Settings

_CHECK_STEPS = 10
"""On a GPU losses are looked at so often, for a look waits for the step."""

_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


class FiniteLoss:
    """Watches that every loss is a number.

    Args:
        config: The settings that the advice names.
        at_once: Look at each loss when it comes, as costs nothing on the CPU.
    """

    def __init__(self, config: Settings, at_once: bool) -> None:
        self.config, self.every = config, 1 if at_once else _CHECK_STEPS
        self.waiting: list[tuple[int, Tensor]] = []

    def note(self, step: int, loss: Tensor) -> None:
        """Remember a step's loss, and look at those remembered now and then."""
        self.waiting.append((step, loss.detach()))
        if len(self.waiting) >= self.every:
            self.check()

    def check(self) -> None:
        """Look at the losses that were not looked at yet.

        Raises:
            NotFiniteError: One is NaN or infinite.
        """
        waiting, self.waiting = self.waiting, []
        if not waiting:
            return
        losses = torch.stack([loss for _, loss in waiting])
        wrong = (~torch.isfinite(losses)).nonzero().flatten().tolist()
        if wrong:
            step, loss = waiting[wrong[0]]
            raise NotFiniteError(step, float(loss))


class NotFiniteError(Exception):
    """A loss is NaN or infinite."""

    def __init__(self, step: int, loss: float) -> None:
        super().__init__(step, loss)
        self.step, self.loss = step, loss


def advice_for_loss(config: Settings) -> str:
    """What to try when the loss is not finite."""
    hints = [f"a lower learning_rate (now {config.learning_rate:g})", f"a lower clip (now {config.clip:g})"]
    if config.warmup < 0.1:
        hints.append(f"a longer warmup (now {config.warmup:g})")
    if config.precision in ("fp16", "auto"):
        hints.append("precision=fp32")
    return ", ".join(hints)


@contextmanager
def explain_memory(config: Settings) -> Iterator[None]:
    """Turn "out of memory" into advice.

    Raises:
        GenRecError: There was too little memory.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise GenRecError(f"out of memory; {advice_for_memory(config)}") from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch means that."""
    return isinstance(error, MemoryError) or any(text in str(error).lower() for text in _NO_MEMORY)


def advice_for_memory(config: Settings) -> str:
    """Which setting to lower, and by how much."""
    parts, examples = config.gradient_accumulation, config.step_examples
    hints = []
    if examples > parts:
        hints.append(
            f"set gradient_accumulation={2 * parts}, which halves what is computed at once and changes no result, "
            f"or batch_size={max(1, examples // 2)}"
        )
    if isinstance(config, TrainConfig) and not config.gradient_checkpointing:
        hints.append("set gradient_checkpointing=true (slower)")
    hints.append(f"or a lower max_length than {config.max_length}")
    return ", ".join(hints)

"""What happens beside the steps: progress is shown, checkpoints are asked for, training ends early."""

import math
import signal
import threading
import time
from types import FrameType
from typing import Any

import torch
from torch import distributed
from transformers import TrainerCallback

from genrec import ranks
from genrec.errors import TerminatedError
from genrec.progress import Task
from genrec.training.heap import give_back
from genrec.training.history import BEST, epochs_since_best

_AGREE_STEPS = 8
"""Steps after which several processes ask each other whether one wants a checkpoint or was told to stop."""


class Progress(TrainerCallback):
    """Shows each step with the loss and the speed."""

    def __init__(self, task: Task, batch_size: int) -> None:
        self.task, self.batch_size = task, batch_size
        self.loss: torch.Tensor | None = None
        """Of the last step; the trainer notes it."""
        self.steps, self.started = 0, time.perf_counter()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Skip what a resumed run has behind it."""
        self.task.advance(state.global_step)
        self.started = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """One step further; the loss is read now and then, for on a GPU that waits for the step."""
        self.steps += 1
        if self.loss is None or (self.steps % 10 and state.global_step < state.max_steps):
            self.task.advance(1)
            return
        speed = self.steps * self.batch_size / (time.perf_counter() - self.started)
        best = {} if state.best_metric is None else {f"best {BEST}": float(state.best_metric)}
        facts = {"epoch": int(state.epoch) + 1, "loss": float(self.loss), "examples/s": int(speed)}
        self.task.advance(1, **facts, **best)


class Saving(TrainerCallback):
    """Asks for a checkpoint every so many seconds, and on SIGTERM for a last one, after which training stops.

    An epoch's last step asks for none: the checkpoint after the epoch's validation follows, and one from before
    it would resume behind the validation.

    Args:
        seconds: Between two checkpoints; None leaves it at those after each epoch.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds, self.saved = seconds, time.monotonic()
        self.terminated = False
        self.steps_per_epoch = 1
        self._before: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """From now on SIGTERM is heeded."""
        self.steps_per_epoch = max(1, round(state.max_steps / state.num_train_epochs))
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._note)

    def release(self) -> None:
        """SIGTERM means again what it meant before."""
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
            self._before = None

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Compare the clock, look for a signal."""
        if state.global_step % self.steps_per_epoch == 0:
            return control
        due = self.seconds is not None and time.monotonic() - self.saved >= self.seconds
        wanted, leaving = agree(due, self.terminated, state.global_step)
        if leaving:
            self.terminated = True
        control.should_save = control.should_save or wanted or leaving
        return control

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Leave, once the checkpoint is written that a signal asked for.

        Raises:
            TerminatedError: There was a signal.
        """
        self.saved = time.monotonic()
        if self.terminated:
            raise TerminatedError(f"stopped by SIGTERM after a checkpoint at step {state.global_step}")

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.terminated:
            raise TerminatedError("stopped by a second SIGTERM; the last checkpoint is kept")
        self.terminated = True


class GivingBack(TrainerCallback):
    """Gives memory back before each epoch: the last one's steps and its validation needed other pieces."""

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Once an epoch costs little."""
        give_back()


class StopEarly(TrainerCallback):
    """Ends training after so many validations without a better one.

    Looks at the log's history alone, so a resumed run decides as an unbroken one.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Count the validations since the best."""
        if epochs_since_best(state.log_history) >= self.patience:
            control.should_training_stop = True
        return control


class TimeLimit(TrainerCallback):
    """Ends a phase when its time is over; what is learned by then is validated as an epoch is.

    Args:
        seconds: That the phase may take, validations included; infinity sets no limit.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds, self.started = seconds, time.monotonic()
        self.before = 0.0
        """Seconds that earlier starts took up to the checkpoint that this one goes on from."""
        self.reached = False

    @property
    def spent(self) -> float:
        """Seconds that the phase has taken."""
        return self.before + time.monotonic() - self.started

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Compare the clock."""
        return self._look(control, state.global_step)

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """A validation may take the time that was left."""
        return self._look(control, step=0)

    def _look(self, control: Any, step: int) -> Any:
        if math.isfinite(self.seconds) and agree(self.spent >= self.seconds, False, step)[0]:
            self.reached = control.should_training_stop = True
        return control


def agree(due: bool, wanted: bool, step: int) -> tuple[bool, bool]:
    """All processes must decide alike: by what is due on rank 0, and by what anybody wants."""
    if ranks.world_size() == 1:
        return due, wanted
    if step % _AGREE_STEPS:
        return False, False
    flags = torch.tensor([due and ranks.is_main(), wanted], dtype=torch.int32)
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    flags = flags.to(device)
    distributed.all_reduce(flags, distributed.ReduceOp.MAX)
    return bool(flags[0]), bool(flags[1])

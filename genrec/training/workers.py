"""Processes that prepare a GPU's batches ahead of it."""

import multiprocessing
import multiprocessing.context
import signal
from typing import Any

from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter
from transformers import TrainerCallback

FORKS = "fork" in multiprocessing.get_all_start_methods()
"""Whether a process begins as a copy of this one; elsewhere it would import torch anew, in each epoch."""

WORKERS = {"cuda": 2 if FORKS else 0, "cpu": 0}
"""How many, by device; a CPU has nothing to gain from them."""

CONTEXT: multiprocessing.context.BaseContext | None = None
"""Begins them."""

if FORKS:

    class DeafProcess(multiprocessing.context.ForkProcess):
        """Never hears SIGINT and SIGTERM: those to a whole group are for the main process, which ends this one."""

        def start(self) -> None:
            """Begin, with the signals blocked from the first moment on."""
            before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
            try:
                super().start()
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)

    class DeafContext(multiprocessing.context.ForkContext):
        """Begins such processes."""

        Process = DeafProcess

    CONTEXT = DeafContext()


class Workers(TrainerCallback):
    """Those behind an epoch's batches; they end with the epoch, or with the training whatever ends it."""

    def __init__(self) -> None:
        self.batches: Any = None
        """What iterates over them; the trainer notes it."""

    def on_epoch_end(self, *_: Any, **__: Any) -> None:
        """Before the validation."""
        self.end()

    def end(self) -> None:
        """At once: at the program's end that would take seconds or, as they are deaf, for ever."""
        batches, self.batches = self.batches, None
        if isinstance(batches, _MultiProcessingDataLoaderIter):
            try:
                batches._shutdown_workers()
            finally:
                for worker in batches._workers:
                    worker.kill()

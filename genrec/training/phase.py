"""One phase of training, pretraining or finetuning: Hugging Face's Trainer over a maker of examples."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainingArguments,
)

from genrec.config import TrainConfig
from genrec.errors import GenRecError
from genrec.model.modeling import GenRecForConditionalGeneration
from genrec.progress import Task
from genrec.training.batches import Collator, LengthGroupedBatches, Places
from genrec.training.history import BEST

Validate = Callable[[], dict[str, float]]


class PhaseTrainer(Trainer):
    """Trainer with our batches and, in place of an evaluation loss, the validation of the protocol."""

    def __init__(
        self, *, batches: LengthGroupedBatches, collator: Collator, validate: Validate | None, **rest: Any
    ) -> None:
        places = Places(len(batches.lengths))
        super().__init__(
            train_dataset=places, eval_dataset=places if validate else None, data_collator=collator, **rest
        )
        self.batches, self.validate = batches, validate
        self.control: TrainerControl
        self.last_loss = torch.zeros(())
        self.steps_done = 0
        self.validation_seconds = 0.0
        self.on_epoch: Callable[[], None] = lambda: None
        self.remove_callback(PrinterCallback)

    def get_train_dataloader(self) -> DataLoader:
        """Batches of one epoch, gathered by the collator."""
        loader: DataLoader = DataLoader(
            self.train_dataset,
            batch_sampler=self.batches,
            collate_fn=self.data_collator,
            pin_memory=self.args.device.type == "cuda",
        )
        return self.accelerator.prepare(loader)

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """A step; its loss must be a number.

        Raises:
            GenRecError: The loss is not finite.
        """
        loss = super().training_step(*args, **kwargs)
        self.last_loss = loss.detach()
        self.steps_done += 1
        if self.state.global_step % 50 == 0 and not torch.isfinite(loss):
            raise GenRecError(
                f"the loss became {loss.item()} at step {self.state.global_step}; lower learning_rate or clip"
            )
        return loss

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Keep the history, which `on_epoch` turns into metrics.jsonl."""
        super().log(logs, *args, **kwargs)
        self.on_epoch()

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Validate after an epoch."""
        assert self.validate is not None  # evaluation is switched on only with a validation
        started = time.perf_counter()
        self.model.eval()
        metrics = {f"eval_{name}": value for name, value in self.validate().items()}
        self.model.train()
        self.validation_seconds += time.perf_counter() - started
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class ProgressCallback(TrainerCallback):
    """Shows each step with the loss and the speed."""

    def __init__(self, task: Task, batch_size: int) -> None:
        self.task, self.batch_size = task, batch_size
        self.trainer: PhaseTrainer | None = None
        self.steps, self.started = 0, time.perf_counter()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Skip what a resumed run has behind it."""
        self.task.advance(state.global_step)
        self.started = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """One step further; the loss is read now and then, for on a GPU that waits for the step."""
        self.steps += 1
        if self.steps % 10 and state.global_step < state.max_steps:
            self.task.advance(1)
            return
        speed = self.steps * self.batch_size / (time.perf_counter() - self.started)
        best = {} if state.best_metric is None else {f"best {BEST}": float(state.best_metric)}
        loss = float(self.trainer.last_loss) if self.trainer else float("nan")
        self.task.advance(1, epoch=int(state.epoch) + 1, loss=loss, **{"examples/s": int(speed)}, **best)


class SaveEvery(TrainerCallback):
    """Asks for a checkpoint whenever so many seconds have passed since the last."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.saved = seconds, time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Compare the clock."""
        if time.monotonic() - self.saved >= self.seconds:
            self.saved = time.monotonic()
            control.should_save = True
        return control


def arguments(
    config: TrainConfig,
    folder: Path,
    epochs: int,
    learning_rate: float,
    device: torch.device,
    validated: bool,
) -> TrainingArguments:
    """Trainer's arguments for a phase; a validated phase keeps its best epoch, another its last."""
    on_gpu = device.type == "cuda"
    every_epoch = "epoch" if validated else "no"
    args = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=epochs,
        per_device_train_batch_size=config.batch_size,
        learning_rate=learning_rate,
        weight_decay=config.weight_decay,
        warmup_ratio=config.warmup,
        lr_scheduler_type="linear",
        max_grad_norm=config.clip,
        optim="adamw_torch_fused",
        bf16=on_gpu and torch.cuda.is_bf16_supported(),
        use_cpu=not on_gpu,
        seed=config.seed,
        eval_strategy=every_epoch,
        save_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=validated,
        metric_for_best_model=BEST if validated else None,
        greater_is_better=True if validated else None,
        logging_strategy="epoch",
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    if args.device.type == "cuda":
        args._n_gpu = 1  # else Trainer would split each batch over all GPUs it sees, in one process
    return args


def make_trainer(
    model: GenRecForConditionalGeneration,
    config: TrainConfig,
    args: TrainingArguments,
    batches: LengthGroupedBatches,
    collator: Collator,
    validate: Validate | None,
    task: Task,
    save_every: float | None,
) -> PhaseTrainer:
    """Assemble the trainer of a phase with its callbacks."""
    progress = ProgressCallback(task, config.batch_size)
    callbacks: list[TrainerCallback] = [progress]
    if validate:
        callbacks.append(EarlyStoppingCallback(config.patience))
    if save_every:
        callbacks.append(SaveEvery(save_every))
    trainer = PhaseTrainer(
        model=model, args=args, batches=batches, collator=collator, validate=validate, callbacks=callbacks
    )
    progress.trainer = trainer
    return trainer

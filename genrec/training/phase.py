"""One phase of training, pretraining or finetuning: Hugging Face's Trainer over a maker of examples."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainerControl, TrainerState, TrainingArguments

from genrec import ranks
from genrec.config import TrainConfig
from genrec.errors import GenRecError
from genrec.model.modeling import GenRecForConditionalGeneration
from genrec.progress import Task
from genrec.training.batches import LengthGroupedBatches, Places
from genrec.training.callbacks import GivingBack, Progress, Saving, StopEarly, TimeLimit
from genrec.training.checkpoints import (
    Standing,
    checkpoint_at,
    drop_old,
    load_standing,
    read_state,
    save_standing,
    staged,
)
from genrec.training.guards import FiniteLoss, NotFiniteError, advice_for_loss
from genrec.training.history import epoch_number, epochs_since_best, was_validated
from genrec.training.lanes import Lanes, joins
from genrec.training.optimizer import AdamWithSparseRows, leave_to_us, share_rows
from genrec.training.settings import Settings
from genrec.training.trainable import BatchMaker
from genrec.training.workers import CONTEXT, Workers

Validate = Callable[[], dict[str, float]]


class EpochLoader(DataLoader):
    """A loader whose batches are another in each epoch; Trainer says which."""

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration gives."""
        self.batch_sampler.set_epoch(epoch)  # type: ignore[union-attr]


class PhaseTrainer(Trainer):
    """Trainer with our batches and, in place of an evaluation loss, the validation of the protocol.

    Args:
        model: What is trained.
        config: The run's settings.
        args: Of `genrec.training.arguments`.
        batches: This process's share of each step.
        collator: Makes tensors of them.
        validate: Metrics of the model as it is; None trains without.
        task: Shows the steps.
        save_every: Seconds between checkpoints, besides those after each epoch.
        seconds: That the phase may take.
        lanes: Computes a batch in parts; None computes it whole.
    """

    def __init__(
        self,
        model: Any,
        config: Settings,
        args: TrainingArguments,
        batches: LengthGroupedBatches,
        collator: BatchMaker,
        validate: Validate | None,
        task: Task,
        save_every: float | None,
        seconds: float = math.inf,
        lanes: Lanes | None = None,
    ) -> None:
        self.progress, self.saving = Progress(task, config.step_examples), Saving(save_every)
        self.limit = TimeLimit(seconds)
        self.workers = Workers()
        callbacks = [self.progress, self.saving, self.limit, self.workers, GivingBack()]
        callbacks += [StopEarly(config.patience)] if validate else []
        places = Places(len(batches.lengths))
        super().__init__(
            model=model,
            args=args,
            train_dataset=places,
            eval_dataset=places if validate else None,
            data_collator=collator,
            callbacks=callbacks,
        )
        self.config, self.batches, self.validate = config, batches, validate
        self.folder = Path(args.output_dir)
        self.writing = self.folder
        self.control: TrainerControl
        self.state: TrainerState
        self.optimizer: torch.optim.Optimizer | None
        self.finite = FiniteLoss(config, at_once=args.device.type == "cpu")
        self.epoch_loss: Tensor | float = 0.0
        self.epoch_steps = 0
        self.steps_done = 0
        self.validation_seconds = 0.0
        if isinstance(model, GenRecForConditionalGeneration) and isinstance(config, TrainConfig):
            model.joined = joins(config)
        self.sparse = _sparse_weights(model) if config.sparse_ids else {}
        leave_to_us(model, self.sparse)
        self.lanes = lanes
        self.on_epoch: Callable[[], None] = lambda: None
        self.on_validation: Callable[[int, dict[str, float]], None] | None = None
        self.remove_callback(PrinterCallback)

    def run(self, checkpoint: Path | None) -> None:
        """Train to the end, from a checkpoint if there is one.

        Raises:
            GenRecError: The loss is not finite, or a checkpoint could not be written.
            TerminatedError: SIGTERM came; a checkpoint was written.
        """
        try:
            if checkpoint:
                self.epoch_loss, self.epoch_steps, self.limit.before = load_standing(checkpoint)
                if self._was_over(checkpoint):
                    return
            self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        except NotFiniteError as found:
            raise GenRecError(self._explain(found)) from found
        finally:
            self.saving.release()

    def train(self, *args: Any, **options: Any) -> Any:
        """As Trainer does, and leave no processes behind."""
        try:
            return super().train(*args, **options)
        finally:
            self.workers.end()

    def get_batch_samples(self, epoch_iterator: Any, *args: Any, **options: Any) -> Any:
        """The parts of a step; who makes them must be ended."""
        self.workers.batches = epoch_iterator
        return super().get_batch_samples(epoch_iterator, *args, **options)

    def _was_over(self, checkpoint: Path) -> bool:
        """Whether training ended early at a checkpoint; the best model is loaded then, as it would have been."""
        state = read_state(checkpoint)
        if self.validate is None or state is None:
            return False
        log = state["log_history"]
        self.limit.reached = self.limit.before >= self.limit.seconds and was_validated(log, state["global_step"])
        if not self.limit.reached and epochs_since_best(log) < self.config.patience:
            return False
        self.state = self.state.load_from_json(str(checkpoint / "trainer_state.json"))
        self._load_best_model()
        return True

    def get_train_dataloader(self) -> DataLoader:
        """This process's batches; they are not divided any further."""
        workers = self.args.dataloader_num_workers
        return EpochLoader(
            self.train_dataset,
            batch_sampler=self.batches,
            collate_fn=self.data_collator,
            num_workers=workers,
            prefetch_factor=4 if workers else None,
            multiprocessing_context=CONTEXT if workers else None,
            pin_memory=self.args.dataloader_pin_memory,
        )

    def create_optimizer(self) -> torch.optim.Optimizer | None:
        """Trainer's AdamW, with lazy Adam for ID tables that have sparse gradients."""
        if not self.config.sparse_ids or self.optimizer is not None:
            return super().create_optimizer()
        decayed = set(self.get_decay_parameter_names(self.model))
        groups: list[list[Tensor]] = [[], []]
        for name, weight in self.model.named_parameters():
            if name not in self.sparse:
                groups[name in decayed].append(weight)
        dense = [
            {"params": groups[True], "weight_decay": self.args.weight_decay},
            {"params": groups[False], "weight_decay": 0.0},
        ]
        self.optimizer = AdamWithSparseRows(dense, self.sparse.values(), self.args.learning_rate, self.config.clip)
        return self.optimizer

    def training_step(self, model: Any, inputs: dict[str, Tensor], count: Tensor | None = None) -> Tensor:
        """A part of a step; its loss must be a number."""
        if self.lanes and self.lanes.fit(inputs):
            model.train()
            weights = [weight for weight in model.parameters() if weight.requires_grad]
            loss = self.lanes(lambda rows: self._loss(model, rows, count), inputs, weights)
        else:
            loss = super().training_step(model, inputs, count).detach()
        self.epoch_loss = self.epoch_loss + loss.double()
        self.progress.loss = loss
        self.finite.note(self.state.global_step, loss)
        if self.accelerator.sync_gradients:
            share_rows(self.sparse.values())
            self.epoch_steps += 1
            self.steps_done += 1
        return loss

    def _loss(self, model: Any, inputs: dict[str, Tensor], count: Tensor | None) -> Tensor:
        with self.compute_loss_context_manager():
            return self.compute_loss(model, inputs, num_items_in_batch=count)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted: Trainer's count walks through all weights in each step."""
        return 0

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Keep the history, which `on_epoch` turns into metrics.jsonl; the loss is the whole epoch's mean."""
        if "loss" in logs:
            logs["loss"] = self._mean_loss() / max(self.epoch_steps, 1)
            self.epoch_loss, self.epoch_steps = 0.0, 0
        super().log(logs, *args, **kwargs)
        self.on_epoch()

    def _mean_loss(self) -> float:
        """The sum of the losses since the epoch began, which each process has as if it were the only one."""
        sums = ranks.gather(float(self.epoch_loss))
        return sum(sums) / len(sums)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Validate after an epoch."""
        assert self.validate is not None  # evaluation is switched on only with a validation
        started = time.perf_counter()
        self.model.eval()
        found = self.validate()
        metrics = {f"eval_{name}": value for name, value in found.items()}
        self.model.train()
        self.validation_seconds += time.perf_counter() - started
        self.log(dict(metrics))
        if self.on_validation:
            self.on_validation(epoch_number(self.state.epoch or 0), found)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _get_output_dir(self, trial: Any) -> str:
        return str(self.writing)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Trainer's checkpoint, which appears when it is whole."""
        self.finite.check()
        final = self.folder / f"checkpoint-{self.state.global_step}"
        loss = self._mean_loss()
        with staged(final) as folder:
            self.writing = folder
            try:
                super()._save_checkpoint(model, trial)
            finally:
                self.writing = self.folder
            if ranks.is_main():
                save_standing(folder / final.name, Standing(loss, self.epoch_steps, self.limit.spent))
        self.epoch_loss = loss
        if ranks.is_main():
            drop_old(self.folder, self.state.best_global_step)
        ranks.barrier()  # the others may read it from now on

    def _load_best_model(self) -> None:
        """The run may have been moved or named otherwise since the best checkpoint was written."""
        self.state.best_model_checkpoint = str(checkpoint_at(self.folder, self.state.best_global_step))
        super()._load_best_model()

    def _explain(self, found: NotFiniteError) -> str:
        epoch, number = divmod(found.step, self.batches.steps)
        examples = self.batches.whole_batches(epoch)[number]
        users = sorted(set((self.data_collator.examples.owners[examples] + 1).tolist()))
        named = ", ".join(map(str, users[:5])) + (", ..." if len(users) > 5 else "")
        return (
            f"the loss became {found.loss} at step {found.step + 1} (epoch {epoch + 1}, batch {number + 1} of "
            f"{self.batches.steps}, user indexes {named}); try {advice_for_loss(self.config)}"
        )


def _sparse_weights(model: Any) -> dict[str, Tensor]:
    """The ID tables with sparse gradients, by their names in the model."""
    tables = {name: part for name, part in model.named_modules() if isinstance(part, nn.Embedding) and part.sparse}
    return {f"{name}.weight": table.weight for name, table in tables.items()}

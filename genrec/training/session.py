"""The training of one run: its phases one after the other, each continued where it stopped."""

import math
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from genrec import ranks
from genrec.data.dataset import Dataset
from genrec.data.split import train_part
from genrec.device import name_device
from genrec.files import read_json, remove, write_json
from genrec.ids import CHECKPOINTS, FINETUNE, METRICS_FILE, PRETRAIN, RUN_FILE
from genrec.model.checkpoint import finish_run
from genrec.progress import Reporter, describe_time
from genrec.training.arguments import arguments, choose_precision
from genrec.training.batches import LengthGroupedBatches, Share
from genrec.training.build import Built
from genrec.training.checkpoints import check_space, last_whole_checkpoint
from genrec.training.estimate import Rehearsal
from genrec.training.guards import explain_memory
from genrec.training.heap import forget, keep_pages
from genrec.training.history import best_epoch, describe, epoch_number, epochs_of, write_history
from genrec.training.lanes import Lanes
from genrec.training.phase import PhaseTrainer
from genrec.training.settings import Settings
from genrec.training.shares import choose_shares
from genrec.training.tracking import EVENTS
from genrec.training.trainable import BatchMaker, Trainable
from genrec.training.validation import Validation

PHASES = (PRETRAIN, FINETUNE)


class Session:
    """Trains what was built, in a run folder that `start_run` began."""

    def __init__(
        self,
        folder: Path,
        data: Dataset,
        built: Trainable,
        device: torch.device,
        save_every: float | None,
        reporter: Reporter,
        trackers: Sequence[str] = (),
        on_validation: Callable[[int, dict[str, float]], None] | None = None,
    ) -> None:
        self.on_validation = on_validation
        self.folder, self.built, self.device, self.trackers = folder, built, device, trackers
        self.config, self.save_every, self.reporter = built.config, save_every, reporter
        self.train_sequences = train_part(data.sequences)
        self.validation = Validation(data.sequences, built, reporter)
        self._told = ("", 0)

    def run(self, phases: Sequence[str]) -> dict[str, Any]:
        """Train all phases that are not done, finish the run and return its result."""
        if self.config.batch_size == "auto":
            self._decide_batch_size(phases)
        for phase in phases:
            done = self._done()
            if phase in done:
                self.built.load_model(self._weights(phase))
            elif self._epochs(phase):
                facts = self._train(phase, self._seconds(phase, phases))
                ranks.on_main(lambda: self._mark_done(phase, facts))  # noqa: B023 - called at once
        return self._finish(self._done())

    def _finish(self, done: dict[str, Any]) -> dict[str, Any]:
        started = time.perf_counter()
        self.built.model.to(self.device).eval()
        last = done.get(FINETUNE) or done.get(PRETRAIN) or {}
        shares = {}
        if isinstance(self.built, Built):
            if FINETUNE in done:
                self.built.model.model.encoder.fold_terms()
            shares = choose_shares(self.folder, self.built, self.validation, self.device)
        best = {"epoch": last.get("best_epoch", 0), "valid": self.validation() if self.validation.possible else {}}
        seconds = sum(facts["seconds"] for facts in done.values()) + time.perf_counter() - started
        training = sum(facts["training_seconds"] for facts in done.values())
        result = {
            "run": str(self.folder),
            "model": self.config.model,
            "epochs": {phase: done.get(phase, {}).get("epochs", 0) for phase in PHASES},
            "best": best,
            "seconds": seconds,
            "examples_per_second": sum(facts["examples"] for facts in done.values()) / max(training, 1e-9),
            "out_of_time": [phase for phase, facts in done.items() if facts.get("out_of_time")],
            **shares,
        }
        ranks.on_main(lambda: self._write(result))
        return result

    def _write(self, result: dict[str, Any]) -> None:
        self.built.save_extras(self.folder)
        parameters = sum(weight.numel() for weight in self.built.model.parameters())
        finish_run(
            self.folder,
            self.built.model,
            result=result,
            parameters=parameters,
            device=name_device(self.device),
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        remove(self.folder / CHECKPOINTS)

    def _train(self, phase: str, limit: float) -> dict[str, Any]:
        """Train one phase; the model ends with its best epoch (finetuning) or its last (pretraining)."""
        forget()  # what the phase before has left
        keep_pages()
        validate = self.validation if phase == FINETUNE and self.validation.possible else None
        folder = self.folder / CHECKPOINTS / phase
        batches, collator = self._batches(phase)
        config, rate = self._fitted(phase, batches.batch_size)
        epochs = self._epochs(phase)
        args = arguments(config, folder, epochs, rate, self.device, validate is not None)
        args.report_to, args.logging_dir = list(self.trackers), str(self.folder / EVENTS / phase)
        checkpoint = last_whole_checkpoint(folder) if ranks.is_main() else None
        checkpoint = ranks.on_main(lambda: checkpoint)
        check_space(self.folder, sum(weight.numel() for weight in self.built.model.parameters()))
        with explain_memory(config), self.built.lanes(self.device) as lanes:
            if checkpoint is None:
                self._tell_estimate(phase, batches, collator, lanes, limit)
            started = time.perf_counter()
            with self.reporter.task(phase, batches.steps * epochs) as task:
                model = self.built.model
                trainer = PhaseTrainer(
                    model, config, args, batches, collator, validate, task, self.save_every, limit, lanes
                )
                trainer.on_validation = self.on_validation
                trainer.on_epoch = lambda: self._note_epoch(phase, trainer)
                trainer.run(checkpoint)
        seconds = time.perf_counter() - started
        if trainer.limit.reached:
            self.reporter.info(f"{phase} ended as its time was over, after {describe_time(trainer.limit.spent)}")
        return {
            "epochs": epoch_number(trainer.state.epoch or 0),
            "best_epoch": best_epoch(epochs_of(phase, trainer.state.log_history)),
            "seconds": trainer.limit.before + seconds,
            "out_of_time": trainer.limit.reached,
            "training_seconds": seconds - trainer.validation_seconds,
            "examples": round(trainer.steps_done * config.step_examples * collator.examples.targets_each),
        }

    def _batches(self, phase: str) -> tuple[LengthGroupedBatches, BatchMaker]:
        config, collator = self.config, self.built.collator(phase, self.train_sequences)
        share = Share(ranks.rank(), ranks.world_size(), config.gradient_accumulation)
        size = 1 if config.batch_size == "auto" else config.step_examples
        lengths = collator.examples.lengths()
        batches = LengthGroupedBatches(
            lengths, size, config.epoch_examples, config.seed, share, config.least_steps
        )
        return batches, collator

    def _fitted(self, phase: str, batch_size: int) -> tuple[Settings, float]:
        """The settings with the batches that a phase takes, and its peak rate, which is less with smaller ones."""
        asked, rate = self.config.step_examples, self.built.learning_rate(phase)
        if batch_size < asked:
            rate *= math.sqrt(batch_size / asked)
            self.reporter.info(
                f"{phase}: batches of {batch_size} and a rate of {rate:.2g}, since there are few examples "
                f"(least_steps=0 would take {asked:,})"
            )
        return self.config.model_copy(update={"batch_size": batch_size}), rate

    def _rehearsal(
        self, batches: LengthGroupedBatches, collator: BatchMaker, lanes: Lanes | None = None
    ) -> Rehearsal:
        precision = choose_precision(self.config.precision, self.device)
        return Rehearsal(self.built.model.to(self.device), collator, batches, precision, lanes)

    def _decide_batch_size(self, phases: Sequence[str]) -> None:
        """Find the largest batch that fits each phase, once for the run: resuming takes the same."""
        info = read_json(self.folder / RUN_FILE)
        size = info.get("batch_size")
        if size is None:
            rehearsals = [self._rehearsal(*self._batches(phase)) for phase in phases if self._epochs(phase)]
            size = min(ranks.gather(min(rehearsal.largest_batch() for rehearsal in rehearsals)))
            ranks.on_main(lambda: write_json(self.folder / RUN_FILE, {**info, "batch_size": size}))
        self.reporter.info(f"batch_size=auto takes {size}")
        self.config = self.config.model_copy(update={"batch_size": size})

    def _tell_estimate(
        self,
        phase: str,
        batches: LengthGroupedBatches,
        collator: BatchMaker,
        lanes: Lanes | None,
        limit: float,
    ) -> None:
        """Say what a phase will take."""
        rehearsal = self._rehearsal(batches, collator, lanes)
        found = rehearsal.estimate()
        epochs, steps = self._epochs(phase), batches.steps
        up_to = "at most " if phase == FINETUNE else ""
        stop = "" if math.isinf(limit) else f", stopped after {describe_time(max(0.0, limit))}"
        self.reporter.info(
            f"{phase}: {up_to}{epochs} epochs of {steps:,} steps, about "
            f"{describe_time(found.seconds_per_step * steps * epochs)} without validation{stop}; "
            f"{found.memory / 1e9:.1f} GB of memory"
        )
        if found.memory > found.free:
            self.reporter.warn(
                f"only {found.free / 1e9:.1f} GB of memory are there; should it not suffice, set "
                "gradient_accumulation=2 or a lower batch_size"
            )

    def _seconds(self, phase: str, phases: Sequence[str]) -> float:
        """What a phase may take of the time that earlier ones left: its share of the steps still to come."""
        if not self.config.minutes:
            return math.inf
        left = 60 * self.config.minutes - sum(facts["seconds"] for facts in self._done().values())
        waiting = [later for later in phases[phases.index(phase) :] if self._epochs(later)]
        steps = {later: self._batches(later)[0].steps * self._epochs(later) for later in waiting}
        return left * steps[phase] / sum(steps.values())

    def _epochs(self, phase: str) -> int:
        return self.config.pretrain_epochs if phase == PRETRAIN else self.config.finetune_epochs

    def _done(self) -> dict[str, Any]:
        return ranks.on_main(lambda: read_json(self.folder / RUN_FILE))["done"]

    def _weights(self, phase: str) -> Path:
        return self.folder / CHECKPOINTS / f"{phase}-done"

    def _mark_done(self, phase: str, facts: dict[str, Any]) -> None:
        """Keep the phase's weights, then note in run.json that it is over, then drop its checkpoints."""
        self.built.model.save_pretrained(self._weights(phase))
        info = read_json(self.folder / RUN_FILE)
        info["done"][phase] = facts
        write_json(self.folder / RUN_FILE, info)
        remove(self.folder / CHECKPOINTS / phase)

    def _note_epoch(self, phase: str, trainer: PhaseTrainer) -> None:
        """Keep metrics.jsonl up to date and tell of an epoch once all about it is known."""
        if not ranks.is_main():
            return
        epochs = epochs_of(phase, trainer.state.log_history)
        write_history(self.folder / METRICS_FILE, phase, epochs)
        last = epochs[-1]
        complete = "valid" in last or trainer.validate is None
        if complete and (phase, last["epoch"]) != self._told:
            self._told = phase, last["epoch"]
            self.reporter.info(describe(last, self._epochs(phase)))

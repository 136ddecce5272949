"""The training of one run: its phases one after the other, each continued where it stopped."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from genrec.data.dataset import Dataset
from genrec.data.split import train_part
from genrec.decoding.scorer import TorchScorer
from genrec.evaluation.metrics import summarise
from genrec.evaluation.protocol import Cases, make_cases, rank_targets
from genrec.evaluation.rankers import ScorerRanker
from genrec.files import read_json, remove, write_json
from genrec.ids import CHECKPOINTS, FINETUNE, METRICS_FILE, PRETRAIN, RUN_FILE
from genrec.model.checkpoint import finish_run, load_model
from genrec.model.inputs import InputBuilder
from genrec.progress import Reporter
from genrec.training.batches import Collator, LengthGroupedBatches
from genrec.training.build import Built
from genrec.training.checkpoints import last_whole_checkpoint
from genrec.training.examples import Examples, FinetuneExamples, PretrainExamples
from genrec.training.history import best_epoch, describe, epochs_of, write_history
from genrec.training.phase import PhaseTrainer, arguments, make_trainer

PHASES = (PRETRAIN, FINETUNE)

VALID_KS = (1, 5, 10)
"""Cut-offs of the metrics after each epoch."""


class Session:
    """Trains what was built, in a run folder that `start_run` began."""

    def __init__(
        self,
        folder: Path,
        data: Dataset,
        built: Built,
        device: torch.device,
        save_every: float | None,
        reporter: Reporter,
    ) -> None:
        self.folder, self.data, self.built, self.device = folder, data, built, device
        self.config, self.save_every, self.reporter = built.config, save_every, reporter
        self.train_sequences = train_part(data.sequences)
        self.builder = InputBuilder(built.scheme, built.model.config)
        self.cases = self._cases()
        self._told = ("", 0)

    def run(self, phases: Sequence[str]) -> dict[str, Any]:
        """Train all phases that are not done, finish the run and return its result."""
        for phase in phases:
            done = read_json(self.folder / RUN_FILE)["done"]
            if phase in done:
                self.built.model = load_model(self._weights(phase))
            elif self._epochs(phase):
                self._mark_done(phase, self._train(phase))
        done = read_json(self.folder / RUN_FILE)["done"]
        best = self._best(done)
        seconds = sum(facts["seconds"] for facts in done.values())
        training = sum(facts["training_seconds"] for facts in done.values())
        result = {
            "run": str(self.folder),
            "epochs": {phase: done.get(phase, {}).get("epochs", 0) for phase in PHASES},
            "best": best,
            "seconds": seconds,
            "examples_per_second": sum(facts["examples"] for facts in done.values()) / max(training, 1e-9),
        }
        if self.built.tokenizer is not None:
            self.built.tokenizer.save_pretrained(self.folder)
        parameters = sum(weight.numel() for weight in self.built.model.parameters())
        finish_run(self.folder, self.built.model, result=result, parameters=parameters)
        remove(self.folder / CHECKPOINTS)
        return result

    def validate(self) -> dict[str, float]:
        """Metrics of the model as it is, on the validation items."""
        config = self.config
        scorer = TorchScorer(self.built.model, self.built.scheme, config.beams)
        ranker = ScorerRanker(scorer, max(VALID_KS))
        assert self.cases is not None  # callers ask only where somebody has a validation item
        together = scorer.batch_users
        ranks = rank_targets(ranker, self.cases, reporter=self.reporter, name="validate", users=together)
        return summarise(ranks, VALID_KS)[0]

    def _train(self, phase: str) -> dict[str, Any]:
        """Train one phase; the model ends with its best epoch (finetuning) or its last (pretraining)."""
        validated = phase == FINETUNE and self.cases is not None
        folder = self.folder / CHECKPOINTS / phase
        args = arguments(
            self.config, folder, self._epochs(phase), self._learning_rate(phase), self.device, validated
        )
        examples = self._examples(phase)
        config = self.config
        batches = LengthGroupedBatches(examples.lengths(), config.batch_size, config.epoch_examples, config.seed)
        collator = Collator(examples, self.built.scheme, self.builder, config.user_dropout, config.seed)
        started = time.perf_counter()
        with self.reporter.task(phase, len(batches) * self._epochs(phase)) as task:
            validate = self.validate if validated else None
            trainer = make_trainer(
                self.built.model, config, args, batches, collator, validate, task, self.save_every
            )
            trainer.on_epoch = lambda: self._note_epoch(phase, trainer)
            checkpoint = last_whole_checkpoint(folder)
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        seconds = time.perf_counter() - started
        self.built.model = trainer.model
        return {
            "epochs": round(trainer.state.epoch or 0),
            "best_epoch": best_epoch(epochs_of(phase, trainer.state.log_history)),
            "seconds": seconds,
            "training_seconds": seconds - trainer.validation_seconds,
            "examples": trainer.steps_done * config.batch_size,
        }

    def _examples(self, phase: str) -> Examples:
        mask, most = self.builder.mask_item, self.builder.max_items
        if phase == PRETRAIN:
            return PretrainExamples(self.train_sequences, mask, most, self.config.seed)
        return FinetuneExamples(self.train_sequences, mask, most, self.config.prefixes == "all")

    def _epochs(self, phase: str) -> int:
        return self.config.pretrain_epochs if phase == PRETRAIN else self.config.finetune_epochs

    def _learning_rate(self, phase: str) -> float:
        if phase == PRETRAIN and self.config.pretrain_learning_rate:
            return self.config.pretrain_learning_rate
        return self.config.learning_rate

    def _cases(self) -> Cases | None:
        longest = int(self.data.sequences.lengths.max(initial=0))
        if longest < 3:
            self.reporter.warn("no user has the three interactions of a validation item; the last epoch is kept")
            return None
        return make_cases(self.data.sequences, "valid", self.config.valid_users, self.config.seed)

    def _weights(self, phase: str) -> Path:
        return self.folder / CHECKPOINTS / f"{phase}-done"

    def _mark_done(self, phase: str, facts: dict[str, Any]) -> None:
        """Keep the phase's weights, then note in run.json that it is over, then drop its checkpoints."""
        self.built.model.save_pretrained(self._weights(phase))
        info = read_json(self.folder / RUN_FILE)
        info["done"][phase] = facts
        write_json(self.folder / RUN_FILE, info)
        remove(self.folder / CHECKPOINTS / phase)

    def _best(self, done: dict[str, Any]) -> dict[str, Any]:
        last = done.get(FINETUNE) or done.get(PRETRAIN) or {}
        valid = {}
        if self.cases is not None:
            self.built.model.to(self.device).eval()
            valid = self.validate()
        return {"epoch": last.get("best_epoch", 0), "valid": valid}

    def _note_epoch(self, phase: str, trainer: PhaseTrainer) -> None:
        """Keep metrics.jsonl up to date and tell of an epoch once all about it is known."""
        epochs = epochs_of(phase, trainer.state.log_history)
        write_history(self.folder / METRICS_FILE, phase, epochs)
        last = epochs[-1]
        complete = "valid" in last or trainer.validate is None
        if complete and (phase, last["epoch"]) != self._told:
            self._told = phase, last["epoch"]
            self.reporter.info(describe(last, self._epochs(phase)))

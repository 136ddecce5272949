"""Time and memory of a phase before its first step, and the largest batch that fits."""

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import psutil
import torch
from torch import Tensor

from genrec.data.memory import machine_memory
from genrec.training.batches import LengthGroupedBatches, Place
from genrec.training.guards import is_out_of_memory
from genrec.training.lanes import Inputs, Lanes
from genrec.training.trainable import BatchMaker

LARGEST_BATCH = 1024
"""What `batch_size=auto` goes up to: larger steps learn little more each."""

LEAST_STEPS = 100
"""Steps that an epoch keeps under `batch_size=auto`, whatever would fit."""

_TIMED = 3
"""Batches that are computed to learn how long one takes."""

_SURVEYED = 200
"""Batches among which those are looked for; the lengths of batches differ much."""

_PROBED = 4
"""Examples whose activations are counted; those of twice as many tell what is there whatever the batch."""

_WEIGHT_BYTES = 16
"""Of each weight in training: itself, its gradient and Adam's two moments, 4 bytes each."""

_TEMPORARY = 1.5
"""Peak of the backward pass over what the forward pass saved for it."""

_USABLE = 0.8
"""Share of the free memory that a batch may take."""


@dataclass(frozen=True)
class Estimate:
    """What a phase will take.

    Attributes:
        seconds_per_step: Of one step, without validation and checkpoints.
        memory: Bytes, of the process on a CPU and of the GPU on CUDA.
        free: Bytes that there are.
    """

    seconds_per_step: float
    memory: int
    free: int


class Rehearsal:
    """Computes batches of a phase without learning from them; leaves weights and random states as they were.

    Args:
        model: On its device.
        collator: Makes a batch.
        batches: The phase's.
        precision: "fp32", "bf16" or "fp16".
        lanes: What the training computes with, if it does.
    """

    def __init__(
        self,
        model: Any,
        collator: BatchMaker,
        batches: LengthGroupedBatches,
        precision: str,
        lanes: Lanes | None = None,
    ) -> None:
        self.model, self.collator, self.batches, self.lanes = model, collator, batches, lanes
        self.dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
        self.parameters = sum(weight.numel() for weight in model.parameters())
        longest_first = np.argsort(-batches.lengths, kind="stable")[:LARGEST_BATCH]
        self.longest: list[Place] = [(0, int(example)) for example in longest_first]

    def estimate(self) -> Estimate:
        """Time a few batches and count the longest one's memory."""
        started, timed = 0.0, 0
        with self._untouched():
            for number, batch in enumerate(self._typical()):
                if number == 1:
                    started = time.perf_counter()
                self._learn(batch)
                timed = number
            seconds = (time.perf_counter() - started) / timed if timed else 0.0
        parts = self.batches.share.parts
        at_once = -(-self.batches.batch_size // (self.batches.share.processes * parts))
        if self.lanes:
            at_once = min(at_once, self.lanes.most_examples(self._inputs(self.longest[:1])["input_ids"].shape[1]))
        held = self._held()
        return Estimate(seconds * parts, held + self._step_bytes(at_once), held + self._free())

    def _typical(self) -> list[list[Place]]:
        """Batches nearest to the mean length, with which a step's time grows: one to warm up and those to time."""
        batches = list(islice(self.batches, _SURVEYED))
        sizes = np.array([self._length(batch) for batch in batches])
        nearest = np.argsort(abs(sizes - sizes.mean()), kind="stable")
        return [batches[number] for number in nearest[: 1 + _TIMED * self.batches.share.parts]]

    def _length(self, batch: list[Place]) -> int:
        examples = np.array([example for _, example in batch])
        return int(self.batches.lengths[np.where(examples < 0, ~examples, examples)].sum())

    def largest_batch(self) -> int:
        """The largest power of two whose longest examples fit, that leaves an epoch its steps."""
        size = LARGEST_BATCH
        while size > 1 and (size * LEAST_STEPS > self.batches.size or not self._fits(size)):
            size //= 2
        return size

    def _fits(self, size: int) -> bool:
        at_once = -(-size // (self.batches.share.processes * self.batches.share.parts))
        if self._step_bytes(at_once) > _USABLE * self._free():
            return False
        if self.model.device.type == "cpu":
            return True
        try:
            with self._untouched():
                self._learn(self.longest[:at_once])
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            torch.cuda.empty_cache()
            return False
        return True

    def _step_bytes(self, examples: int) -> int:
        """Bytes that a step of the longest examples takes besides what is there already, as the weights are."""
        learning = (_WEIGHT_BYTES - 4) * self.parameters
        once, each = self._saved
        return int(learning + _TEMPORARY * (once + examples * each))

    @cached_property
    def _saved(self) -> tuple[float, float]:
        """Bytes that the forward pass keeps whatever the batch, and of each of the longest examples."""
        few, many = self.longest[:_PROBED], self.longest[: 2 * _PROBED]
        less, more = self._saved_of(few), self._saved_of(many)
        each = max(0.0, (more - less) / (len(many) - len(few))) if len(many) > len(few) else less / len(few)
        return max(0.0, less - len(few) * each), each

    def _saved_of(self, examples: list[Place]) -> float:
        """Bytes that the forward pass of these examples keeps, weights aside."""
        weights = {weight.untyped_storage().data_ptr() for weight in self.model.parameters()}
        sizes: dict[int, int] = {}

        def count(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                sizes[storage.data_ptr()] = storage.nbytes()
            return tensor

        with self._untouched(), torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            loss = self._loss(
                self._inputs(examples)
            )  # kept: a storage that is freed could be counted twice under its address
        del loss
        return float(sum(sizes.values()))

    def _learn(self, batch: list[Place]) -> None:
        inputs = self._inputs(batch)
        if self.lanes and self.lanes.fit(inputs):
            self.lanes(self._loss, inputs, [weight for weight in self.model.parameters() if weight.requires_grad])
        else:
            self._loss(inputs).backward()
        self.model.zero_grad(set_to_none=True)
        if self.model.device.type == "cuda":
            torch.cuda.synchronize()

    def _inputs(self, batch: list[Place]) -> Inputs:
        return {name: values.to(self.model.device) for name, values in self.collator(batch).items()}

    def _loss(self, inputs: Inputs) -> Tensor:
        with torch.autocast(self.model.device.type, dtype=self.dtype, enabled=self.dtype is not None):
            return self.model(**inputs).loss

    def _untouched(self) -> AbstractContextManager[None]:
        self.model.train()
        cuda = self.model.device.type == "cuda"
        return torch.random.fork_rng(devices=[self.model.device] if cuda else [])

    def _held(self) -> int:
        if self.model.device.type == "cuda":
            return torch.cuda.memory_allocated()
        return psutil.Process().memory_info().rss

    def _free(self) -> int:
        if self.model.device.type == "cuda":
            return torch.cuda.mem_get_info()[0]
        return min(psutil.virtual_memory().available, machine_memory())

"""genrec's own training loop for training.py: the trainer that `genrec train` runs, with a stopwatch inside."""

import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
from measuring import now

from genrec.config import TrainConfig
from genrec.data.dataset import Dataset
from genrec.data.split import train_part
from genrec.device import choose_device
from genrec.model.inputs import InputBuilder
from genrec.progress import SILENT
from genrec.training.arguments import arguments
from genrec.training.batches import Collator, LengthGroupedBatches
from genrec.training.build import build
from genrec.training.examples import FinetuneExamples, Ints
from genrec.training.heap import keep_pages
from genrec.training.lanes import lanes_for
from genrec.training.phase import PhaseTrainer


class Timed(PhaseTrainer):
    """Notes when steps end, and how long data and model take.

    Args:
        settled: Steps at whose end a GPU is waited for. It works behind the program's back, so "model" is only
            the time of asking for its work there.
    """

    def __init__(self, *arguments: Any, settled: Collection[int] = (), **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.settled = settled
        self.ends: list[float] = []
        self.data: list[float] = []
        self.model_seconds = 0.0
        self.model_by_step: list[float] = []

    def get_batch_samples(self, *arguments: Any, **options: Any) -> Any:
        """Data, that is what the step waits for."""
        if self.ends or self.data:
            settled = len(self.ends) in self.settled
            self.ends.append(now(self.args.device.type if settled else "cpu"))
            self.model_by_step.append(self.model_seconds)
        self.model_seconds = 0.0
        started = time.perf_counter()
        result = super().get_batch_samples(*arguments, **options)
        self.data.append(time.perf_counter() - started)
        return result

    def create_optimizer(self) -> Any:
        """Stopwatches round what computes."""
        optimizer = super().create_optimizer()
        started = [0.0]
        optimizer.register_step_pre_hook(lambda *_: started.__setitem__(0, time.perf_counter()))
        optimizer.register_step_post_hook(lambda *_: self._add(time.perf_counter() - started[0]))
        self.accelerator.clip_grad_norm_ = self._watched(self.accelerator.clip_grad_norm_)
        return optimizer

    def training_step(self, *arguments: Any, **options: Any) -> Any:
        """The forward and the backward pass."""
        return self._watched(super().training_step)(*arguments, **options)

    def _watched(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            started = time.perf_counter()
            result = work(*arguments, **options)
            self._add(time.perf_counter() - started)
            return result

        return call

    def _add(self, seconds: float) -> None:
        self.model_seconds += seconds

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """None: what is measured is the step."""


class SampledBatches(LengthGroupedBatches):
    """A few batches of an epoch of all examples.

    The first and the last ones are any; those between are evenly spread over all lengths, so that long examples
    are as rare as they are in training, however few batches there are.

    Args:
        lengths: int64 [examples].
        batch_size: Examples in a step.
        seed: Of the sample.
        before: How many any batches come first; one more comes last.
        count: How many are between.
    """

    def __init__(self, lengths: Ints, batch_size: int, seed: int, before: int, count: int) -> None:
        super().__init__(lengths, batch_size, 0, seed)
        self.before, self.count = before, count

    @property
    def steps(self) -> int:
        """Steps of the shortened epoch."""
        return self.before + self.count + 1

    def whole_batches(self, epoch: int) -> list[Ints]:
        """The examples of each step."""
        batches = super().whole_batches(epoch)
        rng = np.random.default_rng([self.seed, epoch])
        order = np.argsort([self.lengths[batch].sum() for batch in batches], kind="stable")
        places = (np.arange(self.count) + rng.random()) * len(batches) / self.count
        chosen = rng.permutation(order[places.astype(np.int64)])
        return [*batches[: self.before], *(batches[number] for number in chosen), batches[-1]]


class OurWay:
    """Finetuning steps on next items, continued where the last call stopped."""

    def __init__(self, data: Dataset, config: TrainConfig, folder: Path, device: str = "cpu") -> None:
        self.device = choose_device(device)
        built = build(config, data)
        self.config, self.built, self.folder = built.config, built, folder
        builder = InputBuilder(built.scheme, built.model.config)
        self.examples = FinetuneExamples(train_part(data.sequences), builder.mask_item, builder.max_items, True)
        self.collator = Collator(self.examples, built.scheme, builder, config.user_dropout, config.seed)
        self.calls = 0
        self.places = self.examples.places[:0]
        """int64 [examples], where in the training part the targets of the last call's counted examples stand."""

    def measure(self, steps: int, warm: int = 3) -> dict[str, float]:
        """Speed and shares over some steps of another epoch each time.

        Returns:
            "examples_per_second", "outside": share of a step that is neither model nor data, "data": its share,
            "flops": counted as six per weight that a token passes, per second.
        """
        self.calls += 1
        size = self.config.step_examples
        batches = SampledBatches(self.examples.lengths(), size, self.calls, warm, steps)
        args = arguments(self.config, self.folder, 1, 1e-4, self.device, validated=False)
        keep_pages()
        width = self.built.model.config.d_model
        with SILENT.task("measure") as task, lanes_for(self.config, width, self.device) as lanes:
            trainer = Timed(
                model=self.built.model,
                config=self.config,
                args=args,
                batches=batches,
                collator=self.collator,
                validate=None,
                task=task,
                save_every=None,
                lanes=lanes,
                settled=(warm - 1, warm + steps - 1),
            )
            trainer.train()
        self.built.model = trainer.model
        seconds = trainer.ends[-1] - trainer.ends[warm - 1]
        data, model = sum(trainer.data[warm:-1]), sum(trainer.model_by_step[warm:])
        counted = len(trainer.ends) - warm
        assert counted == steps  # the last step's end is not noted
        shown = list(batches)[warm : warm + counted]
        self.places = self.examples.places[[example for batch in shown for _, example in batch]]
        work = sum(self._flops(batch) for batch in shown)
        return {
            "examples_per_second": counted * size / seconds,
            "outside": (seconds - data - model) / (seconds - data),
            "data": data / seconds,
            "flops": work / seconds,
        }

    def _flops(self, batch: list[tuple[int, int]]) -> float:
        """Six operations for each weight that a real token passes: encoder, decoder and heads."""
        inputs = self.collator(batch)
        model, config = self.built.model.model, self.built.model.config
        read, written = int(inputs["attention_mask"].sum()), int((inputs["labels"] != -100).sum())
        encoder = sum(weight.numel() for weight in model.encoder.layers.parameters())
        decoder = sum(weight.numel() for weight in model.decoder.layers.parameters())
        keys = (
            config.decoder_layers * 2 * config.d_model**2
        )  # of the cross-attention: read, not written tokens pass
        head = config.d_model * config.vocab_size
        asked = len(batch) * model.encoder.item_embedding.weight.numel() if config.item_loss else 0
        return 6.0 * (read * (encoder + keys) + written * (decoder - keys + head) + asked)

"""What every reference model is: a module that learns from items, or counts them, and scores all of them.

A model's module is named after it and says `MODEL = ItsClass`.
"""

import json
from abc import ABC, abstractmethod
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from genrec.baselines.examples import ItemExamples
from genrec.baselines.losses import unseen_bias
from genrec.baselines.settings import CONFIGS, BaselineConfig
from genrec.data.dataset import Dataset
from genrec.data.split import train_part
from genrec.data.tables import Sequences
from genrec.errors import GenRecError
from genrec.files import read_json
from genrec.ids import CONFIG_FILE, WEIGHTS_FILE
from genrec.model.modeling import IGNORED


class Learned(NamedTuple):
    """What a step of training needs."""

    loss: Tensor


S = TypeVar("S", bound=BaselineConfig)


class ItemRanker(nn.Module, ABC, Generic[S]):
    """A model that scores all items.

    Args:
        settings: Of the class that `genrec.baselines.settings.CONFIGS` names.
        user_count: U.
        item_count: I.
    """

    known: Tensor
    """bool [items + 1]: items that the training part shows; the others keep out of the loss."""

    def __init__(self, settings: S, user_count: int, item_count: int) -> None:
        super().__init__()
        self.settings, self.user_count, self.item_count = settings, user_count, item_count
        self.register_buffer("known", torch.arange(item_count + 1) > 0)

    @abstractmethod
    def score(self, items: Tensor, users: Tensor) -> Tensor:
        """Logits of all items as the next one: float [batch, items + 1]; column 0 says nothing.

        Export traces it: sizes are taken from `.shape` (`len` would be a constant), and nothing is decided by
        looking into a tensor.

        Args:
            items: int64 [batch, n], n at most `max_length`, oldest first, zeros on the right.
            users: int64 [batch]; 0 is an unknown user.
        """

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.known.device

    @classmethod
    def of(cls, settings: S, data: Dataset) -> Self:
        """A new model for a dataset. A model that reads more than interactions extends this."""
        model = cls(settings, data.user_count, data.item_count)
        model.observe(train_part(data.sequences))
        return model

    @property
    def sizes(self) -> dict[str, Any]:
        """What else than settings and counts `__init__` must know, by name."""
        return {}

    @torch.no_grad()
    def observe(self, train: Sequences) -> None:
        """Note which items the training part shows. A model that learns more from the data extends this."""
        self.known.zero_()
        self.known[torch.from_numpy(train.items).long()] = True

    def save_pretrained(self, folder: Path | str) -> None:
        """Write config.json and model.safetensors."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        content = {
            "user_count": self.user_count,
            "item_count": self.item_count,
            "sizes": self.sizes,
            "settings": self.settings.model_dump(),
        }
        (folder / CONFIG_FILE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        state = {name: tensor.contiguous() for name, tensor in self.state_dict().items()}
        save_file(state, folder / WEIGHTS_FILE, metadata={"format": "pt"})


class ItemModel(ItemRanker[S]):
    """A reference model that is trained: says what its examples are, and what their loss is."""

    accepts_loss_kwargs: ClassVar[bool] = True
    """Tells Trainer that the loss can be divided by `num_items_in_batch`."""

    items: nn.Embedding
    """Rows [items + 1] that the items of a history are looked up in; row 0 is padding and stays zero."""

    @abstractmethod
    def examples(self, phase: str, train: Sequences) -> ItemExamples:
        """The examples of a phase ("pretrain", if the model has it, or "finetune").

        Args:
            phase: The phase.
            train: Training part of all sequences.
        """

    @abstractmethod
    def loss(self, labels: Tensor, **inputs: Tensor) -> Tensor:
        """The sum of the losses over the labels.

        Args:
            labels: int64 [batch, ...] items; `IGNORED` (-100) where there is nothing to learn.
            inputs: What else the examples hold.
        """

    def forward(self, labels: Tensor, num_items_in_batch: Tensor | None = None, **inputs: Tensor) -> Learned:
        """The mean loss over the labels, or their sum divided by those of the whole step."""
        total = self.loss(labels, **inputs)
        count = (labels != IGNORED).sum().clamp(min=1) if num_items_in_batch is None else num_items_in_batch
        return Learned(total / count)

    def unseen_bias(self) -> Tensor:
        """float [items + 1]: -inf for padding and for items that the training part does not show, else 0."""
        return unseen_bias(self.known)

    @torch.no_grad()
    def observe(self, train: Sequences) -> None:
        """The rows of items that the training part does not show, which nothing teaches, say nothing."""
        super().observe(train)
        self.items.weight.mul_(self.known.unsqueeze(1))

    def rank(self, states: Tensor, table: Tensor, bias: Tensor | None = None) -> Tensor:
        """The score of each item under each state: float [batch, items + 1].

        An item that the training part does not show scores as much as the average of the others: its row was never
        learned.

        Args:
            states: float [batch, width].
            table: float [items + 1, width].
            bias: float [items + 1].
        """
        bias = torch.zeros_like(table[:, 0]) if bias is None else bias
        scores = functional.linear(states, table, bias)
        share = self.known.to(scores.dtype)
        average = functional.linear(scores, (share / share.sum()).unsqueeze(0))  # [batch, 1]
        return torch.where(self.known, scores, average)


def newest_state(states: Tensor, items: Tensor) -> Tensor:
    """The state at each row's newest item: float [batch, width]; of an empty row, that at its first place.

    Args:
        states: float [batch, n, width].
        items: int64 [batch, n], zeros on the right.
    """
    last = ((items != 0).sum(1) - 1).clamp(min=0)
    return states[torch.arange(items.shape[0], device=items.device), last]


def model_class(name: str) -> type[ItemRanker[Any]]:
    """The class of the reference model of a name that `CONFIGS` has."""
    return import_module(f"genrec.baselines.{name}").MODEL


def load_item_model(folder: Path) -> ItemRanker[Any]:
    """Load the weights of a folder, strictly: nothing may be missing or left over.

    Raises:
        GenRecError: Weights or config.json are missing or damaged, or do not fit each other.
    """
    content = read_json(folder / CONFIG_FILE)
    try:
        name = content["settings"]["model"]
        settings = CONFIGS[name](**content["settings"])
        sizes = content.get("sizes", {})
        model = model_class(name)(settings, content["user_count"], content["item_count"], **sizes)
        model.load_state_dict(load_file(folder / WEIGHTS_FILE))
    except (OSError, KeyError, TypeError, ValueError, MemoryError, RuntimeError, SafetensorError) as error:
        raise GenRecError(
            f"{folder / WEIGHTS_FILE} or {CONFIG_FILE} beside it is damaged or missing: "
            f"{next(iter(str(error).splitlines()), type(error).__name__)}; train again or copy the run again"
        ) from error
    return model

"""Small reference models with random weights, and training without a session."""

from typing import Any

import numpy as np
import torch

from genrec.baselines.base import ItemModel, model_class
from genrec.baselines.examples import ItemCollator
from genrec.baselines.settings import CONFIGS, P5, make_baseline_config
from genrec.config import GENREC
from genrec.data.tables import Sequences

MODELS = [name for name, kind in CONFIGS.items() if name not in (GENREC, P5) and not kind.counted]
"""Those that score items, and are trained."""
USERS, ITEMS = 4, 12
TRANSFORMER = {"heads": 2, "ffn_dim": 16}
SMALL: dict[str, dict[str, Any]] = {
    "bert4rec": TRANSFORMER,
    "caser": {"horizontal": 3, "vertical": 2},
    "fdsa": TRANSFORMER,
    "gru4rec": {"hidden": 10},
    "hgn": {},
    "s3rec": {**TRANSFORMER, "pretrain_epochs": 1},
    "sasrec": TRANSFORMER,
}
"""What makes each model small."""
READ_ATTRIBUTES = {"fdsa", "s3rec"}


def make_model(
    name: str,
    items: int = ITEMS,
    users: int = USERS,
    attributes: list[list[int]] | None = None,
    **settings: Any,
) -> ItemModel[Any]:
    """A model on its own, with the weights that it begins with.

    Args:
        name: The model's.
        items: I.
        users: U.
        attributes: Those of each item, from 1, of two each; by default few, and none for every fifth item.
        settings: Not those of SMALL.
    """
    torch.manual_seed(3)
    config = make_baseline_config({"model": name, "d_model": 8, "max_length": 5, **SMALL[name], **settings})
    if name not in READ_ATTRIBUTES:
        return model_class(name)(config, users, items)
    each = attributes or [[n % 3 + 1, 4] if n % 2 else [n % 3 + 1, 0] if n % 5 else [0, 0] for n in range(items)]
    table = torch.tensor([[0, 0], *each])
    model = model_class(name)(config, users, items, attributes=int(table.max()), attributes_each=2)
    model.item_attributes.copy_(table)
    return model


def random_model(name: str, **settings: Any) -> ItemModel[Any]:
    """A model for evaluation whose weights are all random and far from zero."""
    model = make_model(name, **settings)
    for weight in model.parameters():
        torch.nn.init.normal_(weight)
    for module in model.modules():
        if isinstance(module, torch.nn.Embedding) and module.padding_idx is not None:
            module.weight.data[module.padding_idx] = 0
    return model.eval()


def sequences(rows: list[list[int]]) -> Sequences:
    """Everybody's items."""
    flat = np.concatenate([np.asarray(row, np.int32) for row in rows])
    return Sequences(flat, np.cumsum([0, *map(len, rows)]).astype(np.int64))


def batch_of(
    model: ItemModel[Any], rows: list[list[int]], phase: str = "finetune", epoch: int = 0
) -> dict[str, Any]:
    """All examples of a phase in one batch."""
    examples = model.examples(phase, sequences(rows))
    return ItemCollator(examples)([(epoch, number) for number in range(len(examples))])


def score(model: ItemModel[Any], rows: list[list[int]], users: list[int] | None = None) -> torch.Tensor:
    """Scores after histories, padded to the same length."""
    width = max(map(len, rows))
    items = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    return model.score(items, torch.tensor(users or [0] * len(rows))).detach()


def learn(
    model: ItemModel[Any], rows: list[list[int]], steps: int, rate: float, phase: str = "finetune", size: int = 64
) -> None:
    """Take steps of training on random batches, each epoch's examples as they come."""
    examples = model.examples(phase, sequences(rows))
    collate, rng = ItemCollator(examples), np.random.default_rng(0)
    optimiser = torch.optim.Adam(model.parameters(), rate)
    model.train()
    for step in range(steps):
        drawn = rng.integers(0, len(examples), min(size, len(examples)))
        loss = model(**collate([(step, int(number)) for number in drawn])).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval()


def hit_rate(model: ItemModel[Any], rows: list[list[int]], targets: list[int]) -> float:
    """Share of histories whose target is the best of all items."""
    limit = model.settings.max_length
    found = score(model, [row[-limit:] for row in rows])[:, 1:].argmax(1) + 1
    return float((found == torch.tensor(targets)).float().mean())

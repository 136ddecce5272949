"""The most popular items, the same for everybody: how often each stands in the training part."""

from typing import TypeVar

import torch
from torch import Tensor

from genrec.baselines.base import ItemRanker
from genrec.baselines.settings import CountedConfig
from genrec.data.tables import Sequences

C = TypeVar("C", bound=CountedConfig)

LEAST = 1e-9
"""What an item counts that the training part does not show."""


class Popularity(ItemRanker[C]):
    """Scores by counts alone."""

    counts: Tensor
    """float [items + 1]."""

    def __init__(self, settings: C, user_count: int, item_count: int) -> None:
        super().__init__(settings, user_count, item_count)
        self.register_buffer("counts", torch.zeros(item_count + 1))

    @torch.no_grad()
    def observe(self, train: Sequences) -> None:
        """Count."""
        super().observe(train)
        items = torch.from_numpy(train.items).long()
        self.counts.copy_(torch.bincount(items, minlength=self.item_count + 1))

    def score(self, items: Tensor, users: Tensor) -> Tensor:
        """Logarithms of the counts, whoever asks."""
        return (self.counts + LEAST).log().expand(items.shape[0], -1)


MODEL = Popularity

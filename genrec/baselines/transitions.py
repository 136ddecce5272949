"""What came soon after a history's newest items in the training part, and then the most popular items.

How far apart two items may stand (`genrec.data.followers`), training chooses by validation. The same counts are
GenRec's prior.
"""

from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from genrec.baselines.popularity import LEAST, Popularity
from genrec.baselines.settings import TransitionsConfig
from genrec.data.dataset import Dataset
from genrec.data.followers import REACHES, Followers, Reach, count_followers, told_reach
from genrec.data.split import train_part
from genrec.decoding.prior import TransitionPrior

_POPULARITY = 1e-6
"""The share of popularity in what is ranked by: it orders what the counts do not."""


class Transitions(Popularity[TransitionsConfig]):
    """Ranks by counts of pairs.

    Args:
        settings: Say nothing besides.
        user_count: U.
        item_count: I.
        decay: Of the counts' reach.
        pairs: How many of items are counted.
        widest: Most of one item.

    Raises:
        ValueError: `decay` is none.
    """

    def __init__(
        self, settings: TransitionsConfig, user_count: int, item_count: int, decay: float, pairs: int, widest: int
    ) -> None:
        super().__init__(settings, user_count, item_count)
        room = np.zeros(pairs, np.int64)
        empty = Followers(np.zeros(item_count + 2, np.int64), room, room.astype(np.float32))
        self.prior = TransitionPrior(empty, told_reach(decay), 1.0, kept=True)
        self.prior.widest = widest

    @property
    def sizes(self) -> dict[str, Any]:
        """Of the counts."""
        return {
            "decay": self.prior.reach.decay,
            "pairs": len(self.prior.follower) - 1,
            "widest": self.prior.widest,
        }

    @classmethod
    def of(cls, settings: TransitionsConfig, data: Dataset, reach: Reach = REACHES[0]) -> Self:
        """The counts of a dataset's training part."""
        train = train_part(data.sequences)
        found = count_followers(train, data.item_count, reach)
        model = cls(settings, data.user_count, data.item_count, reach.decay, len(found.items), found.widest)
        model.observe(train)
        model.prior = TransitionPrior(found, reach, 1.0, kept=True)
        return model

    def score(self, items: Tensor, users: Tensor) -> Tensor:
        """Logarithms of each item's share of what followed, and a little of its popularity."""
        popular = self.counts / self.counts.sum().clamp(min=1) + LEAST
        whole = self.prior.whole(items, popular.expand(items.shape[0], -1))
        return torch.log(whole + _POPULARITY * popular)


MODEL = Transitions

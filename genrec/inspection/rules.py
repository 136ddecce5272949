"""Rules that rank items without a model: what a dataset gives away for free."""

import numpy as np
from numpy.typing import NDArray

from genrec.evaluation.protocol import Ints


class RepeatRanker:
    """A list of one: the last item once more."""

    def __call__(self, users: Ints, histories: Ints, exclude_seen: bool) -> Ints:
        """Rank items; shapes as in `Ranker`."""
        last = histories[np.arange(len(histories)), (histories > 0).sum(1) - 1]
        return np.zeros_like(last)[:, None] if exclude_seen else last[:, None]


class NumberingRanker:
    """The history's largest number + 1, + 2, ..., in the numbering that the source came with.

    Args:
        numbers: int64 [items], the number of each item (from 1).
        count: Length of the list.
    """

    def __init__(self, numbers: NDArray[np.int64], count: int) -> None:
        self.numbers = np.concatenate([[np.iinfo(np.int64).min], numbers])  # padding is below every number
        self.order = np.argsort(self.numbers)
        self.steps = np.arange(1, count + 1)

    def __call__(self, users: Ints, histories: Ints, exclude_seen: bool) -> Ints:
        """Rank items; shapes as in `Ranker`. A number that no item has leaves a gap in the list."""
        wanted = self.numbers[histories].max(1)[:, None] + self.steps
        ascending = self.numbers[self.order]
        places = np.searchsorted(ascending, wanted).clip(max=len(ascending) - 1)
        return np.where(ascending[places] == wanted, self.order[places], 0)

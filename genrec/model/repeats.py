"""What the item head knows of repeats: a logit for items that are in the history already.

A state beside the newest item is like that item and others of the history, whether or not people take an item
twice; else embeddings must learn to be unlike themselves. RepeatNet (Ren et al. 2019, arXiv 1812.02646) has a mode
of its own for repeats; here they are a number added to a logit.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

_QUICK = 10.0
"""A logit is so many times its weight: Adam moves that by the learning rate or less, and logits have far to go."""


class Seen(NamedTuple):
    """Items of a history, each once, with the logits that being seen adds.

    Attributes:
        items: int64 [batch, length] or [batch, prefixes, length]; 0 where there is nothing to add.
        logits: float, of the same shape.
    """

    items: Tensor
    logits: Tensor

    def where(self, chosen: Tensor) -> "Seen":
        """Some of the rows: [n, length] by a bool tensor of all axes but the last."""
        return Seen(self.items[chosen], self.logits[chosen])


class Repeats(nn.Module):
    """Learned logits by how many other items came after an item's last appearance.

    Args:
        steps: Logits; from the last of them on, items share it.
    """

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(steps))

    def forward(self, item_ids: Tensor) -> Seen:
        """Of whole histories.

        Args:
            item_ids: int64 [batch, length], oldest first; zeros, wherever they stand, are no item.
        """
        return self._of(item_ids, (item_ids > 0) & ~_again(item_ids).any(2))

    def of_prefixes(self, item_ids: Tensor) -> Seen:
        """Of all prefixes, [batch, length, length]: the n-th ends with position n; `item_ids` as above."""
        length = item_ids.shape[1]
        place = torch.arange(length, device=item_ids.device)
        before = place <= place.unsqueeze(1)
        next_place = torch.where(_again(item_ids), place, length).amin(2)  # where each item comes again
        last = next_place.unsqueeze(1) > place.unsqueeze(1)
        rows = item_ids.unsqueeze(1).expand(-1, length, -1)
        return self._of(rows, (rows > 0) & before & last)

    def _of(self, items: Tensor, last: Tensor) -> Seen:
        """The logits of items where `last` says that they do not come again."""
        later = last.long().flip(-1).cumsum(-1).flip(-1) - 1
        logits = _QUICK * self.weight[later.clamp(0, len(self.weight) - 1)]
        return Seen(torch.where(last, items, 0), logits)


def _again(items: Tensor) -> Tensor:
    """bool [batch, length, length]: whether a row's item comes again at the column's place."""
    place = torch.arange(items.shape[1], device=items.device)
    return (items.unsqueeze(1) == items.unsqueeze(2)) & (place > place.unsqueeze(1))

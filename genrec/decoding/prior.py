"""A prior from transition counts: what followed the last items of a history in the training part.

Beside a decoder alone it is mixed in: `(1 - weight) * decoder + weight * prior` is what the search ranks by. Where
there is an item head, it multiplies that: `head * (prior + FLOOR) ** weight`, normalised, as a product of experts
(Hinton 2002). An item must then be likely by both, which Amazon Beauty's validation items prefer to a mixture.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from genrec.data.followers import Followers, Reach

FLOOR = 1e-4
"""Added to each item's probability before it multiplies another's: what never followed may still come."""


class Likely(NamedTuple):
    """The prior's distribution for each user, over the few items that it knows of.

    Attributes:
        items: int64 [batch, n]; an item may stand there several times, its probabilities are added.
        probabilities: float32 [batch, n]; sum to 1, or to 0 where no item of the history has followers.
    """

    items: Tensor
    probabilities: Tensor


class TransitionPrior(nn.Module):
    """What usually follows the last items of a history.

    Args:
        followers: Counts of the training part.
        reach: By which they were counted; as far back a history is looked at, with the same decay.
        weight: Its share beside a decoder, between 0 and 1; the power to which it multiplies an item head.
        kept: Whether the counts belong to the weights of the model that has it.
    """

    start: Tensor
    follower: Tensor
    count: Tensor
    decay: Tensor

    def __init__(self, followers: Followers, reach: Reach, weight: float, kept: bool = False) -> None:
        super().__init__()
        self.weight, self.reach = weight, reach
        self.widest = followers.widest
        # One entry more than there are, for what is looked up past the last item's.
        columns = {
            "follower": torch.from_numpy(followers.items).int(),
            "count": torch.from_numpy(followers.counts),
        }
        for name, values in columns.items():
            self.register_buffer(name, functional.pad(values, (0, 1)), persistent=kept)
        weights = torch.from_numpy(reach.weights()).float()
        self.register_buffer("decay", weights.unsqueeze(1), persistent=False)
        self.register_buffer("start", torch.from_numpy(followers.starts).int(), persistent=kept)

    def forward(self, history: Tensor) -> Likely:
        """The prior for a batch; `history` int64 [batch, length] as the recommender takes it, known items only."""
        steps = self.reach.steps
        length = history.shape[1] + steps
        place = torch.arange(length, device=history.device) + 1
        padded = functional.pad(history, (steps, 0))
        newest = (torch.where(padded > 0, place, 0)).topk(steps, dim=1).values  # places from 1; 0 is none
        last = padded.gather(1, (newest - 1).clamp(min=0)) * (newest > 0)  # [batch, steps], the newest first
        start = self.start[last].long().unsqueeze(2)
        places = start + torch.arange(self.widest, device=history.device)  # [batch, steps, widest]
        exists = places < self.start[last + 1].long().unsqueeze(2)
        places = torch.where(exists, places, len(self.follower) - 1)
        weights = (self.count[places] * self.decay).flatten(1)
        probabilities = weights / weights.sum(1, keepdim=True).clamp(min=1e-9)
        return Likely(self.follower[places].long().flatten(1), probabilities)

    def log_factor(self, history: Tensor, like: Tensor) -> Tensor:
        """What multiplies an item head, as a logarithm: float32 [batch, items + 1]; 0 for what never followed.

        Args:
            history: As in `forward`.
            like: [batch, items + 1].
        """
        return self.weight * torch.log1p(self.whole(history, like) / FLOOR)

    def whole(self, history: Tensor, like: Tensor) -> Tensor:
        """The distribution over all items, float32 [batch, items + 1]; arguments as in `log_factor`."""
        return torch.zeros_like(like, dtype=torch.float32).scatter_add(1, *self(history))

"""A prior from transition counts: `(1 - weight) * model + weight * prior` is what the search ranks by."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from genrec.data.followers import Followers

LAST, DECAY = 5, 0.5
"""Items of a history whose followers count; each step back the weight is multiplied."""

WINDOW = 3
"""Steps ahead in which an item follows another; see `genrec.data.followers`."""

MOST = 64
"""Followers of an item that are looked at, the most frequent."""


class Mass(NamedTuple):
    """The prior's share of the mixture for each user.

    Attributes:
        items: int64 [batch, n]; an item may stand there several times, its masses are added.
        mass: float32 [batch, n]; sums to the prior's weight, or to 0 where no item of the history has followers.
        rest: float32 [batch, 1] what is left of 1 for the model.
    """

    items: Tensor
    mass: Tensor
    rest: Tensor


class TransitionPrior(nn.Module):
    """What usually follows the last items of a history.

    Args:
        followers: Counts of the training part, the most frequent first.
        weight: The prior's weight in the mixture, between 0 and 1.
    """

    start: Tensor
    follower: Tensor
    count: Tensor

    def __init__(self, followers: Followers, weight: float) -> None:
        super().__init__()
        self.weight = weight
        self.widest = min(MOST, int((followers.starts[1:] - followers.starts[:-1]).max(initial=1)))
        # One entry more than there are, for what is looked up past the last item's.
        for name, values in (("follower", followers.items), ("count", followers.counts)):
            self.register_buffer(name, functional.pad(torch.from_numpy(values).int(), (0, 1)), persistent=False)
        self.register_buffer("start", torch.from_numpy(followers.starts).int(), persistent=False)

    def forward(self, history: Tensor) -> Mass:
        """The prior for a batch; `history` int64 [batch, length] as the recommender takes it, known items only."""
        length = history.shape[1] + LAST
        place = torch.arange(length, device=history.device) + 1
        padded = functional.pad(history, (LAST, 0))
        newest = (torch.where(padded > 0, place, 0)).topk(LAST, dim=1).values  # places from 1; 0 is none
        last = padded.gather(1, (newest - 1).clamp(min=0)) * (newest > 0)  # [batch, LAST], the newest first
        start = self.start[last].long().unsqueeze(2)
        places = start + torch.arange(self.widest, device=history.device)  # [batch, LAST, widest]
        exists = places < self.start[last + 1].long().unsqueeze(2)
        places = torch.where(exists, places, len(self.follower) - 1)
        decay = DECAY ** torch.arange(LAST, device=history.device, dtype=torch.float32)
        weights = (self.count[places].float() * decay.unsqueeze(1)).flatten(1)
        total = weights.sum(1, keepdim=True)
        mass = weights * (self.weight / total.clamp(min=1e-9))
        return Mass(self.follower[places].long().flatten(1), mass, 1 - self.weight * (total > 0).float())

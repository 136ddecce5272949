"""What the models of users and windows share: rows for users, the newest items in fixed places, the loss."""

from typing import TypeVar

import torch
from torch import Tensor, nn

from genrec.baselines.base import ItemModel
from genrec.baselines.examples import ItemExamples, Windows
from genrec.baselines.losses import ranking_loss, with_bias
from genrec.baselines.settings.windowed import WindowConfig
from genrec.data.tables import Sequences
from genrec.model.learning import dropout
from genrec.model.modeling import IGNORED

W = TypeVar("W", bound=WindowConfig)


class Users(nn.Module):
    """Rows of users; those that training never shows, and some that it does, are user 0, the unknown one.

    Args:
        count: U.
        width: Of a row.
        share: Share of users that training shows as unknown.
    """

    learned: Tensor
    """bool [users + 1]."""

    def __init__(self, count: int, width: int, share: float) -> None:
        super().__init__()
        self.share = share
        self.rows = nn.Embedding(count + 1, width)
        self.register_buffer("learned", torch.arange(count + 1) > 0)
        nn.init.normal_(self.rows.weight, std=0.02)

    def observe(self, train: Sequences) -> None:
        """Note which users have anything to learn from."""
        self.learned[1:] = torch.from_numpy(train.lengths > 1)

    def forward(self, users: Tensor) -> Tensor:
        """Rows [batch, width] of int64 [batch]."""
        shown = self.learned[users]
        if self.training:
            shown = shown & (torch.rand(users.shape, device=users.device) >= self.share)
        return self.rows(torch.where(shown, users, 0))


def in_places(items: Tensor, length: int) -> Tensor:
    """The newest items in fixed places, int64 [batch, length]: the newest last, zeros on the left.

    Args:
        items: int64 [batch, n], n from 1 on, zeros on the right.
        length: How many.

    >>> in_places(torch.tensor([[5, 6, 0], [1, 2, 3]]), 2).tolist()
    [[5, 6], [2, 3]]
    >>> in_places(torch.tensor([[5, 0]]), 3).tolist()
    [[0, 0, 5]]
    """
    place = (items != 0).sum(1, keepdim=True) - length + torch.arange(length, device=items.device)
    return torch.where(place >= 0, items.gather(1, place.clamp(min=0)), 0)


class WindowModel(ItemModel[W]):
    """Makes a state of a user and the window before the next items, which an output table of its own scores.

    Args:
        settings: Of the model.
        user_count: U.
        item_count: I.
        width: Of the states.
    """

    def __init__(self, settings: W, user_count: int, item_count: int, width: int) -> None:
        super().__init__(settings, user_count, item_count)
        self.items = nn.Embedding(item_count + 1, settings.d_model, padding_idx=0)
        self.users = Users(user_count, settings.d_model, settings.user_dropout)
        self.outputs = nn.Embedding(item_count + 1, width)
        self.bias = nn.Parameter(torch.zeros(item_count + 1))
        nn.init.normal_(self.items.weight[1:], std=settings.d_model**-0.5)
        nn.init.normal_(self.outputs.weight, std=settings.d_model**-0.5)

    def state(self, window: Tensor, users: Tensor) -> Tensor:
        """States [batch, width].

        Args:
            window: int64 [batch, max_length], the newest item last, zeros on the left.
            users: int64 [batch].
        """
        raise NotImplementedError

    def observe(self, train: Sequences) -> None:
        """Note items and users that the training part shows."""
        super().observe(train)
        self.users.observe(train)

    def examples(self, phase: str, train: Sequences) -> ItemExamples:
        """The items after each window."""
        return Windows(train, self.settings.max_length, self.settings.ahead)

    def loss(self, labels: Tensor, items: Tensor, users: Tensor) -> Tensor:  # type: ignore[override]
        """The loss that the settings name.

        Args:
            labels: int64 [batch, ahead], the next items.
            items: int64 [batch, n], zeros on the right.
            users: int64 [batch].
        """
        row, _ = (labels != IGNORED).nonzero(as_tuple=True)
        states = self.state(in_places(items, self.settings.max_length), users)[row]
        states, table = with_bias(states, self.outputs.weight, self.bias)
        own = torch.cat([items, labels], dim=1)[row]
        return ranking_loss(self.settings, states, table, self.known, labels[labels != IGNORED], own)

    def score(self, items: Tensor, users: Tensor) -> Tensor:
        """Scores after the newest item."""
        state = self.state(in_places(items, self.settings.max_length), users)
        return self.rank(state, self.outputs.weight, self.bias)

    def drop(self, values: Tensor) -> Tensor:
        """Dropout in training."""
        return dropout(values, self.settings.dropout) if self.training else values

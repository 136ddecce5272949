"""Caser: convolutional sequence embeddings for sequential recommendation (Tang and Wang 2018, arXiv 1809.07426).

The newest items' embeddings are an image of `max_length` by `d_model`. Horizontal filters (section 3.2), as wide
as it and 1 to `max_length` high, look for runs of items, wherever they stand; vertical filters weigh the places. A
layer makes a state of what both found, and state and user score the next items (section 3.3).

Where we differ from the paper:

* Loss: by default cross-entropy over all items; `loss=bce` is the paper's (section 3.4), with items drawn for each
  target, whose losses are averaged as in the authors' code, where equation 13 sums them. They may be items of the
  user's that the example does not show.
* Users that training does not know, and by `user_dropout` some that it does, share one row.
* Windows shorter than `max_length` are examples too, and the last of a sequence teach fewer than `ahead` items.
* Embeddings are dropped as well as what the filters found; weights decay as AdamW's do.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from genrec.baselines.settings import CaserConfig
from genrec.baselines.windowed import WindowModel


class Caser(WindowModel[CaserConfig]):
    """The paper's model; its activations are ReLU."""

    def __init__(self, settings: CaserConfig, user_count: int, item_count: int) -> None:
        width, length = settings.d_model, settings.max_length
        super().__init__(settings, user_count, item_count, 2 * width)
        heights = range(1, length + 1)
        self.horizontal = nn.ModuleList(nn.Conv1d(width, settings.horizontal, height) for height in heights)
        self.vertical = nn.Linear(length, settings.vertical, bias=False)
        self.joined = nn.Linear(length * settings.horizontal + settings.vertical * width, width)

    def state(self, window: Tensor, users: Tensor) -> Tensor:
        """What the filters found, and the user: [batch, 2 * d_model].

        Args:
            window: int64 [batch, max_length], the newest item last, zeros on the left.
            users: int64 [batch].
        """
        image = self.drop(self.items(window)).transpose(1, 2)  # [batch, d_model, max_length]
        found = [functional.relu(filters(image)).amax(2) for filters in self.horizontal]
        found.append(self.vertical(image).flatten(1))
        state = functional.relu(self.joined(self.drop(torch.cat(found, 1))))
        return torch.cat([state, self.users(users)], 1)


MODEL = Caser

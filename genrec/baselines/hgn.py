"""HGN: hierarchical gating networks for sequential recommendation (Ma, Kang and Liu 2019, arXiv 1906.09217).

Gates that know the user choose among the features of the newest items (feature gating), then among these items
(instance gating). Their average, the items as they are (item-item product) and the user score the next items. With
E the items of the window (a row each), u the user and w an item that may come next:

    F = E * sigmoid(E W1 + b + u W2)      feature gating
    G = F * sigmoid(F w3 + u W4)          instance gating, one gate an item
    score = (u + mean(G) + sum(E)) w + b  user, gated items, item-item product

The score is a sum of terms that know one item of the window each, with its place and the user, so a next item that
only two items together tell ("next = f(last two)") is beyond it.

Where we differ from the paper:

* Loss: by default cross-entropy over all items; `loss=bpr` is the paper's, with items drawn anew for each target;
  they may be items of the user's that the example does not show.
* Users that training does not know, and by `user_dropout` some that it does, share one row.
* The average is over the items that are there, without the authors' code's division by the gates.
* Each item has a bias, as in the authors' code. Embeddings are dropped in training; weights decay as AdamW's do.
* Windows shorter than `max_length` are examples too, and the last of a sequence teach fewer than `ahead` items.
"""

import torch
from torch import Tensor, nn

from genrec.baselines.settings import HGNConfig
from genrec.baselines.windowed import WindowModel


class HGN(WindowModel[HGNConfig]):
    """The paper's model with average pooling."""

    def __init__(self, settings: HGNConfig, user_count: int, item_count: int) -> None:
        width = settings.d_model
        super().__init__(settings, user_count, item_count, width)
        self.feature_item, self.feature_user = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.instance_item = nn.Linear(width, 1, bias=False)
        self.instance_user = nn.Linear(width, settings.max_length, bias=False)

    def state(self, window: Tensor, users: Tensor) -> Tensor:
        """User, gated items and items, summed: what the paper multiplies with an item's row in three products.

        Args:
            window: int64 [batch, max_length], the newest item last, zeros on the left.
            users: int64 [batch].
        """
        user, items = self.users(users), self.drop(self.items(window))  # [batch, d], [batch, L, d]
        gated = items * torch.sigmoid(self.feature_item(items) + self.feature_user(user).unsqueeze(1))
        share = torch.sigmoid(self.instance_item(gated).squeeze(2) + self.instance_user(user))  # [batch, L]
        pooled = (gated * share.unsqueeze(2)).sum(1) / (window != 0).sum(1, keepdim=True).clamp(min=1)
        return user + pooled + items.sum(1)


MODEL = HGN

"""SASRec: self-attentive sequential recommendation (Kang and McAuley 2018, arXiv 1808.09781).

A causal Transformer reads the items; its state at an item, times the item embeddings, scores the next one.

Where we differ from the paper:

* Loss: by default cross-entropy over all items (Klenitskiy and Vasilev 2023, "Turning Dross Into Gold Loss",
  arXiv 2309.07602) in place of the binary cross-entropy, which `loss=bce` brings back.
* Blocks: normalised after each part and after the embeddings, GELU, a wider inner layer, and attention with biases
  and a map of its output, as in the published code of S3-Rec and in RecBole; the paper normalises before each
  part, has ReLU, as many inner units as outer, and neither biases nor such a map.
* Drawn items (`loss=bce`) may be others of the user's that the example does not show; the paper's are not.
* Attention weights are dropped too, as in the authors' code.
* By default each prefix is an example of its own (`targets=last`), and only its newest state learns. Positions are
  counted from the newest item, as the paper's padding on the left does; where one pass teaches all items
  (`targets=every`, the paper's), few targets stand where every prediction is made from: on Amazon Beauty that is
  quicker and learns a tenth less.
* A training part longer than `max_length` is learned whole, in pieces.
"""

from typing import TypeVar

import torch
from torch import Tensor, nn

from genrec.baselines.base import ItemModel, newest_state
from genrec.baselines.examples import ItemExamples, NextItems, Prefixes
from genrec.baselines.losses import ranking_loss
from genrec.baselines.settings.attention import CausalConfig
from genrec.baselines.transformer import Encoder, initialise
from genrec.data.tables import Sequences
from genrec.model.modeling import IGNORED

C = TypeVar("C", bound=CausalConfig)


class SASRec(ItemModel[C]):
    """The paper's model, with shared item embeddings."""

    def __init__(self, settings: C, user_count: int, item_count: int) -> None:
        super().__init__(settings, user_count, item_count)
        self.items = nn.Embedding(item_count + 1, settings.d_model, padding_idx=0)
        self.encoder = Encoder(settings, settings.max_length)
        self.apply(initialise)

    def examples(self, phase: str, train: Sequences) -> ItemExamples:
        """Each item of the training part after the items before it."""
        kind = Prefixes if self.settings.targets == "last" else NextItems
        return kind(train, self.settings.max_length)

    def states(self, items: Tensor) -> Tensor:
        """States [batch, n, d_model] after each item of int64 [batch, n], zeros on the right."""
        return self.encoder(self.items(items), (items != 0).sum(1, keepdim=True))  # equations 1 to 5

    def loss(self, labels: Tensor, items: Tensor) -> Tensor:  # type: ignore[override]
        """Cross-entropy over all items that the training part shows, or the paper's with drawn items.

        Args:
            labels: int64 [batch, n], the item after each.
            items: int64 [batch, n], zeros on the right.
        """
        learned = labels != IGNORED
        states, targets = self.states(items)[learned], labels[learned]  # [targets, d_model], [targets]
        own = torch.cat([items, labels], dim=1)[learned.nonzero()[:, 0]]  # [targets, 2n]
        return ranking_loss(self.settings, states, self.items.weight, self.known, targets, own)

    def score(self, items: Tensor, users: Tensor) -> Tensor:
        """Scores (the paper's r) after the newest item; users are known by their items alone."""
        return self.rank(newest_state(self.states(items), items), self.items.weight)


MODEL = SASRec

"""GRU4Rec: session-based recommendations with recurrent networks (Hidasi and others 2016, arXiv 1511.06939; Hidasi
and Karatzoglou 2018, "Recurrent Neural Networks with Top-k Gains", arXiv 1706.03847).

Gated recurrent units (equations 2 to 5 of the first paper) read the items; their state scores the next one.

Where we differ from the papers:

* Loss: by default cross-entropy over all items, which the second paper has over sampled ones; `loss=bpr`, `top1`
  (the first paper's) and `bpr-max` (the second's) compare with items that are drawn evenly for each target, where
  the papers take the targets of the rest of the batch and, in the second, more by popularity.
* PyTorch's units: the reset gate multiplies U h, where equation 4 has U (r h), and all maps have biases.
* A user's whole history is one sequence, there being no sessions, and batches hold whole sequences, so nothing is
  carried from one batch to the next.
* Items are read and scored by one table (the second paper's "unified item representations"; the first reads them
  as they are, one of N), so a linear layer brings states to its width. Scores are not squashed, where the first
  paper has tanh. Embeddings and states are dropped in training.
* Drawn items may be others of the user's that the example does not show.
* A training part longer than `max_length` is learned in pieces.
"""

import torch
from torch import Tensor, nn

from genrec.baselines.base import ItemModel, newest_state
from genrec.baselines.examples import ItemExamples, NextItems, Prefixes
from genrec.baselines.losses import ranking_loss, with_bias
from genrec.baselines.settings import GRU4RecConfig
from genrec.data.tables import Sequences
from genrec.model.learning import dropout
from genrec.model.modeling import IGNORED


class GRU4Rec(ItemModel[GRU4RecConfig]):
    """Layers of gated recurrent units between two uses of the item embeddings."""

    def __init__(self, settings: GRU4RecConfig, user_count: int, item_count: int) -> None:
        super().__init__(settings, user_count, item_count)
        self.items = nn.Embedding(item_count + 1, settings.d_model, padding_idx=0)
        self.units = nn.GRU(settings.d_model, settings.hidden, settings.layers, batch_first=True)
        self.output = nn.Linear(settings.hidden, settings.d_model)
        self.bias = nn.Parameter(torch.zeros(item_count + 1))
        nn.init.normal_(self.items.weight[1:], std=settings.d_model**-0.5)

    def examples(self, phase: str, train: Sequences) -> ItemExamples:
        """Each item of the training part after the items before it."""
        kind = Prefixes if self.settings.targets == "last" else NextItems
        return kind(train, self.settings.max_length)

    def states(self, items: Tensor) -> Tensor:
        """States [batch, n, d_model] after each item of int64 [batch, n], zeros on the right."""
        states, _ = self.units(self._drop(self.items(items)))
        return self.output(self._drop(states))

    def loss(self, labels: Tensor, items: Tensor) -> Tensor:  # type: ignore[override]
        """The loss that the settings name.

        Args:
            labels: int64 [batch, n], the item after each.
            items: int64 [batch, n], zeros on the right.
        """
        learned = labels != IGNORED
        states, table = with_bias(self.states(items)[learned], self.items.weight, self.bias)
        own = torch.cat([items, labels], dim=1)[learned.nonzero()[:, 0]]  # [targets, 2n]
        return ranking_loss(self.settings, states, table, self.known, labels[learned], own)

    def score(self, items: Tensor, users: Tensor) -> Tensor:
        """Scores after the newest item; users are known by their items alone."""
        return self.rank(newest_state(self.states(items), items), self.items.weight, self.bias)

    def _drop(self, values: Tensor) -> Tensor:
        return dropout(values, self.settings.dropout) if self.training else values


MODEL = GRU4Rec

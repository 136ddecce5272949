"""BERT4Rec: sequential recommendation with a bidirectional Transformer (Sun and others 2019, arXiv 1904.06690).

Hidden items are predicted from all others, before and after them (the cloze task, equation 8). To recommend, a
hidden item is appended, and its state scores all items (equation 7).

Where we differ from the paper:

* Positions are counted from the newest item. Examples are drawn in each epoch, as the paper has it; the authors'
  code draws ten of each beforehand. Each item is hidden by chance, not a fixed number of them, and the loss is the
  mean over hidden items, not over sequences.
* Every prefix is an example, unless `prefixes=last`, and `newest_share` of the examples hide their newest item
  alone. The paper adds such examples too, and does not say how many; its code has one of eleven.
* Embeddings and outputs are normalised, as in BERT's code; attention weights are not dropped.
* Values and outputs of attention begin as identities, so that a hidden place begins with the mean of what it sees.
  From BERT's small random weights a model of Amazon Beauty needs three times as many epochs. W^P begins as an
  identity whose every other sign is turned, so that this mean is at first no more like the items that it is of
  than like any others; else that people seldom take an item twice must be learned first.
* A training part longer than the model reads is learned in pieces.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from genrec.baselines.base import ItemModel
from genrec.baselines.examples import Cloze, ItemExamples
from genrec.baselines.losses import with_bias
from genrec.baselines.settings import BERT4RecConfig
from genrec.baselines.transformer import Encoder, initialise, let_through
from genrec.data.tables import Sequences
from genrec.model.losses import full_cross_entropy
from genrec.model.modeling import IGNORED

_STRAIGHT = 2.0
"""Normalised states are mostly between -1 and 1, and GELU of 1, 2 and 3 is 0.84, 1.95 and 3.00."""


class BERT4Rec(ItemModel[BERT4RecConfig]):
    """The paper's model; what it predicts shares the item embeddings."""

    def __init__(self, settings: BERT4RecConfig, user_count: int, item_count: int) -> None:
        super().__init__(settings, user_count, item_count)
        self.items = nn.Embedding(item_count + 1, settings.d_model, padding_idx=0)
        self.hidden = nn.Embedding(1, settings.d_model)
        self.encoder = Encoder(settings, settings.max_length + 1)
        self.output = nn.Linear(settings.d_model, settings.d_model)
        self.output_norm = nn.LayerNorm(settings.d_model)
        self.bias = nn.Parameter(torch.zeros(item_count + 1))
        self.apply(initialise)
        let_through(self.encoder)
        turn(self.output)

    def examples(self, phase: str, train: Sequences) -> ItemExamples:
        """The training part with items to hide."""
        given = self.settings
        every = given.prefixes == "all"
        return Cloze(train, given.max_length + 1, given.mask_share, given.newest_share, given.seed, every)

    def states(self, items: Tensor, hidden: Tensor, count: Tensor) -> Tensor:
        """What each place would be, [batch, n, d_model]; equation 7 but for the product with the items.

        Args:
            items: int64 [batch, n], zeros on the right.
            hidden: bool [batch, n], the places that show no item.
            count: int64 [batch, 1], places that are no padding.
        """
        embedded = torch.where(hidden.unsqueeze(2), self.hidden.weight[0], self.items(items))
        return self.output_norm(functional.gelu(self.output(self.encoder(embedded, count, causal=False))))

    def loss(self, labels: Tensor, items: Tensor) -> Tensor:  # type: ignore[override]
        """Equation 8, summed.

        Args:
            labels: int64 [batch, n], the items to hide.
            items: int64 [batch, n], zeros on the right.
        """
        hidden = labels != IGNORED
        states = self.states(items, hidden, (items != 0).sum(1, keepdim=True))[hidden]
        return full_cross_entropy(
            *with_bias(states, self.items.weight, self.bias), self.unseen_bias(), labels[hidden]
        )

    def score(self, items: Tensor, users: Tensor) -> Tensor:
        """Scores at a hidden item after the newest; users are known by their items alone."""
        count = (items != 0).sum(1, keepdim=True)
        items = functional.pad(items, (0, 1))
        hidden = torch.arange(items.shape[1], device=items.device) == count
        states = self.states(items, hidden, count + 1)
        state = states[torch.arange(items.shape[0], device=items.device), count[:, 0]]
        return self.rank(state, self.items.weight, self.bias)


@torch.no_grad()
def turn(output: nn.Linear) -> None:
    """Let a map before GELU begin as an identity with every other sign turned, where GELU is nearly straight."""
    signs = torch.ones(output.in_features)
    signs[1::2] = -1.0
    output.weight += signs.diag()
    output.bias.fill_(_STRAIGHT)


MODEL = BERT4Rec

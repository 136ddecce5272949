"""SASRec: self-attentive sequential recommendation (Kang and McAuley 2018, arXiv 1808.09781).

A causal Transformer reads the items; its state at an item, times the item embeddings, scores the next one.

Where we differ from the paper:

* Loss: by default cross-entropy over all items (Klenitskiy and Vasilev 2023, "Turning Dross Into Gold Loss",
  arXiv 2309.07602) in place of the binary cross-entropy, which `loss=bce` brings back.
* Blocks: normalised after each part and after the embeddings, GELU, and a wider inner layer, as in the published
  code of S3-Rec and in RecBole; the paper normalises before each part, has ReLU, and as many inner units as outer.
* Attention weights are dropped too, as in the authors' code.
* By default each prefix is an example of its own (`targets=last`), and only its newest state learns. Positions are
  counted from the newest item, as the paper's padding on the left does; where one pass teaches all items
  (`targets=every`, the paper's), few targets stand where every prediction is made from: on Amazon Beauty that is
  quicker and learns a tenth less.
* A training part longer than `max_length` is learned whole, in pieces.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from genrec.baselines.base import ItemModel
from genrec.baselines.examples import ItemExamples, NextItems, Prefixes
from genrec.baselines.scores import score_items
from genrec.baselines.settings import SASRecConfig
from genrec.data.tables import Sequences
from genrec.model.learning import dropout
from genrec.model.losses import full_cross_entropy
from genrec.model.modeling import IGNORED


class Block(nn.Module):
    """Self-attention and a feed-forward network, each as LayerNorm(x + Dropout(g(x)))."""

    def __init__(self, settings: SASRecConfig) -> None:
        super().__init__()
        width = settings.d_model
        self.heads, self.share = settings.heads, settings.dropout
        self.project, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.inner, self.outer = nn.Linear(width, settings.ffn_dim), nn.Linear(settings.ffn_dim, width)
        self.attention_norm, self.outer_norm = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, states: Tensor) -> Tensor:
        """Equations 2 to 5 on [batch, n, d_model]; a position sees itself and those before it."""
        parts = self.project(states).unflatten(-1, (3, self.heads, -1))
        query, key, value = parts.transpose(1, 3).unbind(2)  # each [batch, heads, n, d_model / heads]
        share = self.share if self.training else 0.0
        found = functional.scaled_dot_product_attention(query, key, value, dropout_p=share, is_causal=True)
        found = self.output(found.transpose(1, 2).flatten(2))
        states = self.attention_norm(states + self._drop(found))
        return self.outer_norm(states + self._drop(self.outer(functional.gelu(self.inner(states)))))

    def _drop(self, values: Tensor) -> Tensor:
        return dropout(values, self.share) if self.training else values


class SASRec(ItemModel[SASRecConfig]):
    """The paper's model, with shared item embeddings."""

    def __init__(self, settings: SASRecConfig, user_count: int, item_count: int) -> None:
        super().__init__(settings, user_count, item_count)
        self.items = nn.Embedding(item_count + 1, settings.d_model, padding_idx=0)
        self.positions = nn.Embedding(settings.max_length, settings.d_model)
        self.blocks = nn.ModuleList(Block(settings) for _ in range(settings.layers))
        self.norm = nn.LayerNorm(settings.d_model)
        self.apply(_initialise)

    def examples(self, phase: str, train: Sequences) -> ItemExamples:
        """Each item of the training part after the items before it."""
        kind = Prefixes if self.settings.targets == "last" else NextItems
        return kind(train, self.settings.max_length)

    def states(self, items: Tensor) -> Tensor:
        """States [batch, n, d_model] after each item of int64 [batch, n], zeros on the right."""
        count = (items != 0).sum(1, keepdim=True)
        back = count - 1 - torch.arange(items.shape[1], device=items.device)
        states = self.items(items) + self.positions(back.clamp(min=0))  # equation 1
        states = self.norm(states)
        states = dropout(states, self.settings.dropout) if self.training else states
        for block in self.blocks:
            states = block(states)
        return states

    def loss(self, labels: Tensor, items: Tensor) -> Tensor:  # type: ignore[override]
        """Cross-entropy over all items that the training part shows, or the paper's with drawn items.

        Args:
            labels: int64 [batch, n], the item after each.
            items: int64 [batch, n], zeros on the right.
        """
        learned = labels != IGNORED
        states, targets = self.states(items)[learned], labels[learned]  # [targets, d_model], [targets]
        if self.settings.loss == "ce":
            return full_cross_entropy(states, self.items.weight, self.unseen_bias(), targets)
        own = torch.einsum("td,td->t", states, self.items(targets))
        drawn, wrong = self._negatives(labels, items)
        others = torch.einsum("td,tnd->tn", states, self.items(drawn))
        loss = -functional.logsigmoid(own).sum()
        return loss - (functional.logsigmoid(-others) * wrong).sum() / self.settings.negatives

    def _negatives(self, labels: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """Items drawn for each target, int64 [targets, negatives], and whether each is none of the user's."""
        known = self.known.nonzero().flatten()
        learned = labels != IGNORED
        size = (int(learned.sum()), self.settings.negatives)
        drawn = known[torch.randint(len(known), size, device=known.device)]
        own = torch.cat([items, labels], dim=1)[learned.nonzero()[:, 0]]  # [targets, 2n]
        return drawn, (drawn.unsqueeze(2) != own.unsqueeze(1)).all(2)

    def score(self, items: Tensor, users: Tensor) -> Tensor:
        """Scores (the paper's r) after the newest item; users are known by their items alone.

        An item that the training part does not show scores as much as the average of the others: its row was never
        learned.
        """
        last = ((items != 0).sum(1) - 1).clamp(min=0)
        states = self.states(items)[torch.arange(items.shape[0], device=items.device), last]
        table = self.items.weight
        share = self.known / self.known.sum()  # a product, which export computes once, as no selection of rows is
        return torch.where(self.known, score_items(states, table), (states @ (share @ table)).unsqueeze(1))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        nn.init.zeros_(module.weight[module.padding_idx])


MODEL = SASRec

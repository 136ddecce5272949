"""S3-Rec: self-supervised learning for sequential recommendation (Zhou and others 2020, arXiv 2008.07873).

A Transformer that sees both ways is pretrained on four objectives (section 4 of the paper), then finetuned as
SASRec, looking back only:

* AAP, associated attribute prediction: an item's embedding e tells each attribute a, by sigmoid(e W a);
* MIP, masked item prediction: the state s at a hidden item tells the item, by s W e;
* MAP, masked attribute prediction: and its attributes, by sigmoid(s W a);
* SP, segment prediction: a sequence whose segment is hidden (its newest state s) tells that segment from another
  user's (their newest states t and t'), by sigmoid(s W t - s W t').

Where we differ from the paper:

* All that SASRec's file says, but for the loss of finetuning: `loss=bce` is the authors' code's, where the paper's
  equation 18 compares pairs.
* MIP has a softmax over all items under `loss=ce`, which equation 12 is close to; else the log-losses of the item
  and of drawn ones, where the authors' code compares with one. Scores are not squashed by a sigmoid before they
  are compared.
* Each attribute is predicted by itself, against all others, as in the authors' code; an objective's loss is its
  mean over items, hidden items or sequences, which the paper's weights weigh; the code weighs sums. AAP reads
  embeddings, as equation 11 does, where the code reads states.
* A training part is one example; the code has every prefix, whose last item is always hidden.
* SP compares one stretch of the same length, from anywhere in all users' items, as in the authors' code.
* Those means are over what a process computes at once: pretraining in several processes, or in parts, differs.
* Pretraining takes fewer epochs than the paper's hundred, and attributes that only one item has are left out.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from genrec.baselines.attributes import AttributeModel
from genrec.baselines.base import newest_state
from genrec.baselines.examples import Cloze, Ints, ItemExamples
from genrec.baselines.losses import ranking_loss
from genrec.baselines.sasrec import SASRec
from genrec.baselines.settings import S3RecConfig
from genrec.data.tables import Sequences
from genrec.data.windows import windows
from genrec.ids import PRETRAIN
from genrec.model.modeling import IGNORED


class Segments(Cloze):
    """Hidden items, and a segment of each sequence beside a stranger's of the same length."""

    def arrays(self, examples: Ints, epoch: int) -> dict[str, Ints]:
        """Those of the cloze task; "segment", 1 where the segment is; "stranger", the other items there."""
        found = super().arrays(examples, epoch)
        lengths = self.lengths()[examples]
        size, first, other = self.drawn(examples, epoch, np.array([-2, -3, -4])).T
        sizes = 1 + (size * np.maximum(lengths // 2, 1)).astype(np.int64)
        firsts = (first * (lengths - sizes + 1)).astype(np.int64)
        place = np.arange(found["items"].shape[1])
        segment = (place >= firsts[:, None]) & (place < (firsts + sizes)[:, None])
        starts = (other * (len(self.train.items) - sizes + 1)).astype(np.int64)
        rows = windows(self.train.items, starts, starts + sizes)
        stranger = np.zeros_like(found["items"])
        stranger[segment] = rows[rows > 0]
        return {**found, "segment": segment.astype(np.int64), "stranger": stranger}


class Objectives(nn.Module):
    """What only pretraining needs.

    Args:
        width: d_model.
        attributes: Their number.
    """

    def __init__(self, width: int, attributes: int) -> None:
        super().__init__()
        self.hidden = nn.Embedding(1, width)
        self.attributes = nn.Embedding(attributes + 1, width)
        self.aap, self.mip, self.map, self.sp = (nn.Linear(width, width, bias=False) for _ in range(4))
        nn.init.normal_(self.hidden.weight, std=0.02)
        # A product of three small factors would hardly learn.
        nn.init.normal_(self.attributes.weight, std=width**-0.5)


class S3Rec(SASRec[S3RecConfig], AttributeModel):
    """SASRec, pretrained."""

    def __init__(
        self, settings: S3RecConfig, user_count: int, item_count: int, attributes: int, attributes_each: int
    ) -> None:
        super().__init__(settings, user_count, item_count)
        self.expect_attributes(attributes, attributes_each)
        self.objectives = Objectives(settings.d_model, attributes)

    def examples(self, phase: str, train: Sequences) -> ItemExamples:
        """Hidden items and segments, then next items; what only pretraining needs learns in it alone."""
        given = self.settings
        used = {"aap": given.aap, "mip": given.mip, "map": given.map, "sp": given.sp}
        used |= {"hidden": given.mip + given.map + given.sp, "attributes": given.aap + given.map}
        for name, part in self.objectives.named_children():
            part.requires_grad_(phase == PRETRAIN and used[name] > 0)
        if phase != PRETRAIN:
            return super().examples(phase, train)
        return Segments(train, given.max_length, given.mask_share, 0.0, given.seed, prefixes=False)

    def loss(self, labels: Tensor, items: Tensor, **others: Tensor) -> Tensor:  # type: ignore[override]
        """The four objectives where the examples are pretraining's, else SASRec's loss.

        Args:
            labels: int64 [batch, n], the items to hide, or the item after each.
            items: int64 [batch, n], zeros on the right.
            others: "segment" and "stranger", int64 [batch, n], in pretraining.
        """
        if not others:
            return super().loss(labels, items)
        weights = self.settings
        losses = (
            (weights.aap, lambda: self.aap(items)),
            (weights.mip, lambda: self.mip(labels, items)),
            (weights.map, lambda: self.map(labels, items)),
            (weights.sp, lambda: self.sp(items, **others)),
        )
        total = sum(weight * loss() for weight, loss in losses if weight)
        return total * (labels != IGNORED).sum()

    def aap(self, items: Tensor) -> Tensor:
        """Attributes of the items that are shown, by their embeddings; the mean over these items."""
        shown = items[items != 0].unique()
        return self._attribute_loss(self.objectives.aap(self.items(shown)), shown)

    def mip(self, labels: Tensor, items: Tensor) -> Tensor:
        """Hidden items by their states; their mean. Arguments as of `loss`."""
        masked = labels != IGNORED
        own = torch.cat([items, torch.where(masked, labels, 0)], 1)[masked.nonzero()[:, 0]]
        states, table = self.objectives.mip(self._hidden_states(labels, items)), self.items.weight
        loss = ranking_loss(self.settings, states, table, self.known, labels[masked], own)
        return loss / max(1, len(states))

    def map(self, labels: Tensor, items: Tensor) -> Tensor:
        """Attributes of hidden items by their states; the mean over these items. Arguments as of `loss`."""
        states = self.objectives.map(self._hidden_states(labels, items))
        return self._attribute_loss(states, labels[labels != IGNORED])

    def sp(self, items: Tensor, segment: Tensor, stranger: Tensor) -> Tensor:
        """A sequence's own segment against a stranger's, by the rest of it; the mean over sequences."""
        inside = segment != 0
        context = newest_state(self._both_ways(items, inside), items)
        right = newest_state(self._both_ways(items, ~inside), items)
        wrong = newest_state(self._both_ways(torch.where(inside, stranger, items), ~inside), items)
        return -functional.logsigmoid((self.objectives.sp(context) * (right - wrong)).sum(1)).mean()

    def _hidden_states(self, labels: Tensor, items: Tensor) -> Tensor:
        masked = labels != IGNORED
        return self._both_ways(items, masked)[masked]

    def _both_ways(self, items: Tensor, hidden: Tensor) -> Tensor:
        """States [batch, n, d_model] of items (int64 [batch, n]) that are seen but where bool `hidden` says."""
        count = (items != 0).sum(1, keepdim=True)
        embedded = torch.where(hidden.unsqueeze(2), self.objectives.hidden.weight[0], self.items(items))
        return self.encoder(embedded, count, causal=False)

    def _attribute_loss(self, states: Tensor, items: Tensor) -> Tensor:
        """The log-loss of all attributes of items (int64 [n]), by a state each, averaged over the items."""
        table = self.objectives.attributes.weight
        told = torch.zeros(len(items), len(table), device=states.device)
        told.scatter_(1, self.item_attributes[items], 1.0)
        logits = functional.linear(states, table).float()[:, 1:]
        loss = functional.binary_cross_entropy_with_logits(logits, told[:, 1:], reduction="sum")
        return loss / max(1, len(items))


MODEL = S3Rec

"""FDSA: feature-level deeper self-attention for sequential recommendation (Zhang and others, IJCAI 2019).

One Transformer reads the items, another their features; a layer joins their states, which score the next item. An
item's feature is the sum of its attributes' embeddings, weighed by attention ("vanilla attention" in the paper).
With a the attributes of an item, s the states of both Transformers at the newest item and w an item that may come
next:

    feature = sum_a softmax_a(a v) a
    score = ([s_items, s_features] W + b) w

Where we differ from the paper:

* All that SASRec's file says, whose code this is but for the features: cross-entropy over all items by default,
  its blocks, dropout and targets.
* A score for each attribute decides its weight, whatever kind of attribute it is; the paper has one attribute of
  each kind (category, brand), and texts.
* Attributes that only one item has are left out, and texts are not read.
"""

import torch
from torch import Tensor, nn

from genrec.baselines.attributes import AttributeModel
from genrec.baselines.sasrec import SASRec
from genrec.baselines.settings import FDSAConfig
from genrec.baselines.transformer import Encoder, initialise


class FDSA(SASRec[FDSAConfig], AttributeModel):
    """SASRec with a second encoder."""

    def __init__(
        self, settings: FDSAConfig, user_count: int, item_count: int, attributes: int, attributes_each: int
    ) -> None:
        super().__init__(settings, user_count, item_count)
        self.expect_attributes(attributes, attributes_each)
        width = settings.d_model
        self.attributes = nn.Embedding(attributes + 1, width, padding_idx=0)
        self.weigh = nn.Linear(width, 1, bias=False)
        self.feature_encoder = Encoder(settings, settings.max_length)
        self.joined = nn.Linear(2 * width, width)
        self.apply(initialise)

    def states(self, items: Tensor) -> Tensor:
        """States [batch, n, d_model] after each item of int64 [batch, n], zeros on the right."""
        count = (items != 0).sum(1, keepdim=True)
        states = self.encoder(self.items(items), count)
        features = self.feature_encoder(self.features(items), count)
        return self.joined(torch.cat([states, features], 2))

    def features(self, items: Tensor) -> Tensor:
        """Features [batch, n, d_model] of int64 [batch, n]; zeros where an item has no attribute."""
        numbers = self.item_attributes[items]  # [batch, n, attributes_each]
        rows = self.attributes(numbers)
        weights = self.weigh(rows).squeeze(3).masked_fill(numbers == 0, torch.finfo(rows.dtype).min).softmax(2)
        return torch.einsum("bna,bnad->bnd", weights, rows)


MODEL = FDSA

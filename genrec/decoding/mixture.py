"""What is mixed with the decoder's distribution over the catalogue, inside the search.

Distributions are mixed item by item. In each of them a prefix of item tokens has the mass of all items below it:
the search mixes exactly at each step, and exp(score) still sums to 1 over the catalogue.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from genrec.decoding.item_head import ItemHead
from genrec.decoding.prior import TransitionPrior
from genrec.model.inputs import EncoderInputs
from genrec.model.modeling import GenRecForConditionalGeneration


class Mixture(NamedTuple):
    """The parts of the mixture for a batch of users.

    Attributes:
        decoder: float32 [batch, 1], the share of what the decoder generates; positive.
        listed: int64 [batch, n] items and float32 [batch, n] their masses, of a prior that knows few; an item may
            stand there several times, its masses are added.
        every: float32 [batch, items + 1], the mass of every item by the item head; 0 in column 0.
    """

    decoder: Tensor
    listed: tuple[Tensor, Tensor] | None
    every: Tensor | None


class Mixer(nn.Module):
    """Makes the mixture that a model was trained for: the decoder, and an item head or a prior.

    Args:
        head: Shares the mass with the decoder; a prior is a part of it.
        prior: Shares the mass with the decoder where there is no head.
    """

    def __init__(self, head: ItemHead | None, prior: TransitionPrior | None) -> None:
        super().__init__()
        self.head, self.prior = head, prior

    def forward(self, history: Tensor, inputs: EncoderInputs, states: Tensor) -> Mixture | None:
        """The mixture for a batch; None where there is the decoder alone.

        Args:
            history: int64 [batch, length] known items, zeros are padding.
            inputs: What the encoder read.
            states: [batch, length, d_model] its states.
        """
        if self.head is not None:
            rest = torch.full_like(states[:, 0, :1], 1 - self.head.share, dtype=torch.float32)
            return Mixture(rest, None, self.head(history, inputs, states) * self.head.share)
        if self.prior is None:
            return None
        items, probabilities = self.prior(history)
        mass = probabilities * self.prior.weight
        return Mixture(1 - mass.sum(1, keepdim=True), (items, mass), None)


def make_mixer(
    model: GenRecForConditionalGeneration, prior: TransitionPrior | None, item_share: float | None = None
) -> Mixer:
    """The mixer of a model.

    Args:
        model: A model.
        prior: What goes with its item head, or with its decoder where it has none.
        item_share: Of its item head, 0 leaves the decoder alone; None takes the model's own.
    """
    share = model.config.item_share if item_share is None else item_share
    return Mixer(ItemHead(model, share, prior), None) if share else Mixer(None, prior)


def mix(likelihood: Tensor, mass: Tensor, share: Tensor) -> Tensor:
    """log(share * exp(likelihood) + mass), where `mass` may be 0 and `likelihood` very low.

    Args:
        likelihood: [batch, n] log-probabilities.
        mass: [batch, n].
        share: [batch, 1], positive.
    """
    own = likelihood + share.log()
    other = mass.clamp(min=1e-30).log()
    higher = torch.maximum(own, other)
    both = higher + torch.log1p(torch.exp(-(own - other).abs()))
    return torch.where(mass > 0, both, own)

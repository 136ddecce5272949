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
    """Makes the mixture that a model was trained for: the decoder, an item head, a prior.

    Args:
        head: Shares what the prior leaves with the decoder.
        prior: From the history alone.
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
        if self.head is None and self.prior is None:
            return None
        rest, listed, every = torch.ones_like(states[:, 0, :1], dtype=torch.float32), None, None
        if self.prior is not None:
            items, mass, rest = self.prior(history)
            listed = items, mass
        if self.head is not None:
            every = self.head(inputs, states) * (self.head.share * rest)
            rest = rest * (1 - self.head.share)
        return Mixture(rest, listed, every)


def make_mixer(
    model: GenRecForConditionalGeneration, prior: TransitionPrior | None, item_share: float | None = None
) -> Mixer:
    """The mixer of a model.

    Args:
        model: A model.
        prior: What is mixed with it.
        item_share: Of its item head, 0 leaves the decoder alone; None takes the model's own.
    """
    share = model.config.item_share if item_share is None else item_share
    return Mixer(ItemHead(model, share) if share else None, prior)


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

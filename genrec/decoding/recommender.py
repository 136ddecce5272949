"""The whole recommender as one module: item indexes in, ranked item indexes and scores out."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from genrec.decoding.decoder import generator_of
from genrec.decoding.encoder import EncoderPass
from genrec.decoding.exclusion import list_exclusions
from genrec.decoding.mixture import Mixture, make_mixer
from genrec.decoding.prior import TransitionPrior
from genrec.decoding.search import BeamSearch
from genrec.indexing.tokens import TokenScheme
from genrec.indexing.trie import build_trie
from genrec.model.inputs import InputBuilder
from genrec.model.modeling import GenRecForConditionalGeneration


class Encoded(NamedTuple):
    """What a search starts from.

    Attributes:
        states: [batch * length, d_model] of the encoder.
        padding: [batch, 1, 1, length]; 0, or -inf on padding.
        mixture: What the decoder's distribution is a part of.
    """

    states: Tensor
    padding: Tensor
    mixture: Mixture | None = None


class SearchRecommender(nn.Module, ABC):
    """Reads users and searches the trie; what evaluation runs is what export traces.

    Args:
        user_count: U.
        item_count: I.
        search: With at least as many beams as lists are long.
        k: Length of the lists.
    """

    def __init__(self, user_count: int, item_count: int, search: BeamSearch, k: int) -> None:
        super().__init__()
        self.user_count, self.item_count, self.search, self.k = user_count, item_count, search, k

    @abstractmethod
    def read(self, history: Tensor, user: Tensor) -> Encoded:
        """Encode a batch of users.

        Args:
            history: int64 [batch, length] known items, oldest first; zeros, wherever they stand, are padding.
            user: int64 [batch]; 0 is an unknown user.
        """

    def forward(
        self, history: Tensor, user: Tensor, exclude_seen: Tensor, banned: Tensor, allowed: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Recommend to a batch of users.

        Numbers that are no item's (negative, too large) count as padding, such user numbers as unknown.

        Args:
            history: int64 [batch, length] item indexes, oldest first; zeros, wherever they stand, are padding.
            user: int64 [batch]; 0 = unknown.
            exclude_seen: bool scalar; true keeps items of the whole history out.
            banned: int64 [batch, n] items to keep out; zeros are padding.
            allowed: int64 [batch, m]; a row with a number, an item's or not, keeps everything else out; zeros are
                padding.

        Returns:
            items int64 [batch, k] and scores float32 [batch, k], descending; (0, -inf) where fewer are allowed.
        """
        # Looked at first: a list that names no known item (any more) allows nothing, not everything.
        only_listed = (allowed != 0).any(dim=1, keepdim=True)
        history, banned, allowed = (_known(numbers, self.item_count) for numbers in (history, banned, allowed))
        seen = history * exclude_seen.to(history.dtype)
        exclusion = list_exclusions(torch.cat([seen, banned], dim=1), allowed, only_listed)
        states, padding, mixture = self.read(history, _known(user, self.user_count))
        items, scores = self.search(states, padding, exclusion, mixture)
        return _widen(items[:, : self.k], scores[:, : self.k], self.k)


class RecommenderModule(SearchRecommender):
    """GenRec: input building, encoder, beam search, and what is mixed with it.

    Args:
        model: The trained model.
        scheme: Its tokens.
        beams: Beams of the search.
        k: Length of the lists.
        prior: Mixed with the model's distribution; None leaves the model alone.
        item_share: As in `make_mixer`.
    """

    def __init__(
        self,
        model: GenRecForConditionalGeneration,
        scheme: TokenScheme,
        beams: int,
        k: int,
        prior: TransitionPrior | None = None,
        item_share: float | None = None,
    ) -> None:
        search = BeamSearch(generator_of(model), build_trie(scheme.item_tokens), max(beams, k))
        super().__init__(model.config.user_count, scheme.item_count, search, k)
        self.mixer = make_mixer(model, prior, item_share)
        self.inputs = InputBuilder(scheme, model.config)
        self.encoder = EncoderPass(model.model.encoder)

    def read(self, history: Tensor, user: Tensor) -> Encoded:
        """Encode histories with a [MASK] after each."""
        mask_item = torch.zeros_like(user).unsqueeze(1) + self.inputs.mask_item
        inputs = self.inputs(torch.cat([history, mask_item], dim=1), user)
        states, padding = self.encoder(inputs)
        mixture = self.mixer(history, inputs, states.view(*inputs.attention_mask.shape, -1))
        return Encoded(states, padding, mixture)


def _known(numbers: Tensor, highest: int) -> Tensor:
    return torch.where(numbers.clamp(0, highest) == numbers, numbers, 0)


def _widen(items: Tensor, scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Fill up to k columns where the catalogue has fewer items."""
    missing = k - items.shape[1]
    if missing <= 0:
        return items, scores
    return (
        nn.functional.pad(items, (0, missing), value=0),
        nn.functional.pad(scores, (0, missing), value=float("-inf")),
    )

"""The whole recommender as one module: item indexes in, ranked item indexes and scores out."""

import torch
from torch import Tensor, nn

from genrec.decoding.encoder import EncoderPass
from genrec.decoding.exclusion import list_exclusions
from genrec.decoding.mixture import make_mixer
from genrec.decoding.prior import TransitionPrior
from genrec.decoding.search import BeamSearch
from genrec.indexing.tokens import TokenScheme
from genrec.indexing.trie import build_trie
from genrec.model.inputs import InputBuilder
from genrec.model.modeling import GenRecForConditionalGeneration


class RecommenderModule(nn.Module):
    """Input building, encoder and beam search; what evaluation runs is what export traces.

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
        super().__init__()
        self.k = k
        self.mixer = make_mixer(model, prior, item_share)
        self.user_count = model.config.user_count
        self.inputs = InputBuilder(scheme, model.config)
        self.encoder = EncoderPass(model.model.encoder)
        self.search = BeamSearch(model, build_trie(scheme.item_tokens), max(beams, k))

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
        history, banned, allowed = (self._known(x, self.inputs.item_count) for x in (history, banned, allowed))
        user = self._known(user, self.user_count)
        seen = history * exclude_seen.to(history.dtype)
        exclusion = list_exclusions(torch.cat([seen, banned], dim=1), allowed, only_listed)
        mask_item = torch.zeros_like(user).unsqueeze(1) + self.inputs.mask_item
        inputs = self.inputs(torch.cat([history, mask_item], dim=1), user)
        states, padding = self.encoder(inputs)
        mixture = self.mixer(history, inputs, states.view(*inputs.attention_mask.shape, -1))
        items, scores = self.search(states, padding, exclusion, mixture)
        return _widen(items[:, : self.k], scores[:, : self.k], self.k)

    @staticmethod
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

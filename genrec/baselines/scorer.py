"""Items ranked by a reference model: a softmax over the catalogue, exclusions inside."""

from typing import Any

import torch
from torch import Tensor, nn

from genrec.baselines.base import ItemRanker
from genrec.decoding.scorer import ModuleScorer
from genrec.decoding.top import in_order, top
from genrec.scoring import batch_users, item_batch_users

K = 20
"""Length of the lists, unless another is asked for."""


class ItemRecommender(nn.Module):
    """Histories in, ranked items out, as evaluation runs it and export traces it.

    Inputs and outputs are those of `genrec.decoding.recommender`.

    A score is the log-softmax over the whole catalogue, so exclusions change the list, never a score.
    """

    def __init__(self, model: ItemRanker[Any], k: int) -> None:
        super().__init__()
        self.model, self.k = model, k

    def forward(
        self, history: Tensor, user: Tensor, exclude_seen: Tensor, banned: Tensor, allowed: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Recommend to a batch of users.

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
        count = self.model.item_count
        only_listed = (allowed != 0).any(dim=1, keepdim=True)
        history, banned, allowed = (_known(numbers, count) for numbers in (history, banned, allowed))
        # A column more, for models cannot read histories of no length.
        recent = newest(nn.functional.pad(history, (0, 1)), self.model.settings.max_length)
        logits = self.model.score(recent, _known(user, self.model.user_count)).float()
        scores = torch.log_softmax(logits[:, 1:], dim=1)  # [batch, items]
        out = _marked(torch.cat([history * exclude_seen.to(history.dtype), banned], dim=1), count)
        out = out | (only_listed & ~_marked(allowed, count))
        return best(scores.masked_fill(out, -torch.inf), self.k)


def newest(items: Tensor, length: int) -> Tensor:
    """The newest items of each row, int64 [batch, min(n, length)], oldest first, zeros on the right.

    Args:
        items: int64 [batch, n], n from 1 on, oldest first; zeros, wherever they stand, are padding.
        length: How many.

    >>> newest(torch.tensor([[0, 5, 0, 6, 7], [8, 0, 0, 0, 0]]), 2).tolist()
    [[6, 7], [8, 0]]
    """
    width = items.shape[1]
    place = torch.arange(width, device=items.device)
    real = items != 0
    order = torch.where(real, place, place + width).argsort(1)
    count = real.sum(1, keepdim=True)
    kept = place[:length]
    at = ((count - length).clamp(min=0) + kept).clamp(max=width - 1)
    return torch.where(kept < count, items.gather(1, order.gather(1, at)), 0)


def best(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best items of each row and their scores, ties by lower index; (0, -inf) where none are left.

    Args:
        scores: float32 [batch, items], the first column item 1; -inf is no candidate.
        k: Length of the lists.
    """
    kept = min(k, int(scores.shape[1]))
    found, places = top(scores, kept)
    # ONNX's TopK is defined to put the first of equals first, so a trace is done here.
    if torch.onnx.is_in_onnx_export():
        return _filled(places, found, k)
    least = found[:, -1:]
    if ((scores >= least).sum(1) > kept).logical_and(least[:, 0] > -torch.inf).any():
        places = _best_of_ties(scores, kept)
    places = places.sort(dim=1).values
    found, order = in_order(scores.gather(1, places))
    return _filled(places.gather(1, order), found, k)


def _filled(places: Tensor, found: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Items of places and their scores, [batch, k]; (0, -inf) where nothing was left."""
    items = torch.where(found > -torch.inf, places + 1, 0)
    missing = k - int(found.shape[1])
    return (
        nn.functional.pad(items, (0, missing)),
        nn.functional.pad(found, (0, missing), value=float("-inf")),
    )


def _best_of_ties(scores: Tensor, k: int) -> Tensor:
    """Places of the k best where torch's choice among equals would matter; ten times as slow as `topk`."""
    count = scores.shape[1]
    # Floats as integers of the same order, the item's place below: no two keys are alike.
    bits = (scores + 0.0).view(torch.int32).long()
    ordered = torch.where(bits < 0, -(bits & 0x7FFFFFFF), bits)
    return (ordered * count - torch.arange(count, device=scores.device)).topk(k, dim=1).indices


def _known(numbers: Tensor, highest: int) -> Tensor:
    return torch.where(numbers.clamp(0, highest) == numbers, numbers, 0)


def _marked(items: Tensor, count: int) -> Tensor:
    """bool [batch, items]: which items a row lists (int64 [batch, n], zeros are padding)."""
    marks = torch.zeros(items.shape[0], count + 1, dtype=torch.bool, device=items.device)
    return marks.scatter(1, items, torch.ones_like(items, dtype=torch.bool))[:, 1:]


class ItemScorer(ModuleScorer):
    """Runs a reference model; a `genrec.scoring.Scorer`.

    Args:
        model: Stays on the device where it is.
    """

    def __init__(self, model: ItemRanker[Any]) -> None:
        most = batch_users(model.device.type == "cpu")
        super().__init__(model.device, item_batch_users(model.item_count, most), K)
        self.model = model

    def make_module(self, k: int) -> ItemRecommender:
        """The module for lists of `k` items."""
        return ItemRecommender(self.model, k)

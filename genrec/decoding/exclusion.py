"""Which items a search may return, counted per node of the trie from short lists, never over the catalogue."""

from typing import NamedTuple

import torch
from torch import Tensor


class Exclusion(NamedTuple):
    """Listed items, each once, with what each changes in the number of items left below its ancestors.

    Attributes:
        items: int64 [batch, n] item indexes, ascending; 0 where the entry says nothing.
        change: int64 [batch, n]: -1 for an excluded item, or in a row with an allow list +1 for an item of it.
        only_listed: bool [batch, 1]: the row has an allow list, so nothing else is left.
    """

    items: Tensor
    change: Tensor
    only_listed: Tensor


def list_exclusions(excluded: Tensor, allowed: Tensor, only_listed: Tensor) -> Exclusion:
    """Join the lists; an item that is on both is excluded, and repeats count once.

    Args:
        excluded: int64 [batch, n] items that must not be returned; zeros are padding.
        allowed: int64 [batch, m] items that may be returned where a row has such a list; zeros are padding.
        only_listed: bool [batch, 1]: the row has such a list, be it without a known item.
    """
    # Sorted by item, the excluded entry of an item stands before its allowed one; all but the first are void.
    keys = torch.cat([excluded * 2, allowed * 2 + 1], dim=1).sort(dim=1).values
    items = torch.div(keys, 2, rounding_mode="trunc")
    is_allowed = keys - items * 2
    before = torch.cat([torch.zeros_like(items[:, :1]), items[:, :-1]], dim=1)
    first = ((items != before) & (items > 0)).long()
    change = torch.where(only_listed, first * is_allowed, first * (is_allowed - 1))
    return Exclusion(items * first, change, only_listed)


def items_left(exclusion: Exclusion, leaves: Tensor, place: Tensor, below: Tensor) -> Tensor:
    """How many items may still be returned below each candidate child.

    Args:
        exclusion: Of `list_exclusions`.
        leaves: int64 [batch, beams, slots] items below each child in the whole catalogue, or with 1 for the batch.
        place: int64 [batch, n] of `locate`, for the listed items.
        below: As `place`.

    Returns:
        int64 [batch, beams * slots].
    """
    change = exclusion.change * below
    start = torch.where(exclusion.only_listed, 0, leaves.flatten(1))  # [batch, beams * slots]
    return start.scatter_add(1, torch.where(change != 0, place, 0), change)

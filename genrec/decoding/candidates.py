"""Where listed items stand among a search's candidates, the children of its beams' nodes."""

import torch
from torch import Tensor


def locate(
    parents: Tensor, parent_of_item: Tensor, slot_of_item: Tensor, slots: int, single: bool
) -> tuple[Tensor, Tensor]:
    """Find the candidate that each listed item is below of.

    Args:
        parents: int64 [batch, beams] distinct nodes, or [1, beams]; a dead beam's is no item's ancestor.
        parent_of_item: int64 [batch, n] each listed item's ancestor at the parents' depth.
        slot_of_item: int64 [batch, n] that ancestor's child on the item's path.
        slots: Children that a beam has room for.
        single: Whether there is one node at the parents' depth, everything's ancestor.

    Returns:
        int64 [batch, n]: the place among the candidates [batch, beams * slots], and 1 where there is one, else 0.
    """
    if single:
        return slot_of_item, torch.ones_like(slot_of_item)
    below = (parent_of_item.unsqueeze(2) == parents.unsqueeze(1)).long()  # [batch, n, beams], at most one 1
    beam = (below * torch.arange(parents.shape[1], device=parents.device)).sum(2)
    return beam * slots + slot_of_item, below.sum(2)

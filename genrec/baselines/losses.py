"""Losses of the items that rank, over the whole catalogue or against a few that are drawn."""

import torch
from torch import Tensor
from torch.nn import functional

from genrec.baselines.settings.base import RankingConfig
from genrec.model.losses import full_cross_entropy

_PENALTY = 1.0
"""Weight of the drawn items' scores in `bpr-max`, the paper's lambda; the value is its code's."""


def ranking_loss(
    settings: RankingConfig, states: Tensor, table: Tensor, known: Tensor, targets: Tensor, own: Tensor
) -> Tensor:
    """The sum of the losses of targets, each ranked by its state, under the loss that the settings name.

    Args:
        settings: Name the loss.
        states: float [n, width].
        table: float [items + 1, width].
        known: bool [items + 1], the items that take part.
        targets: int64 [n].
        own: int64 [n, m], items that are never drawn against the target; zeros are padding.
    """
    if settings.loss == "ce":
        return full_cross_entropy(states, table, unseen_bias(known), targets)
    candidates = known.nonzero().flatten()
    size = (len(targets), settings.negatives)
    drawn = candidates[torch.randint(len(candidates), size, device=known.device)]
    wrong = (drawn.unsqueeze(2) != own.unsqueeze(1)).all(2)
    positive = torch.einsum("td,td->t", states, table[targets])
    negative = torch.einsum("td,tnd->tn", states, table[drawn])
    return sampled_loss(settings.loss, positive, negative, wrong)


def unseen_bias(known: Tensor) -> Tensor:
    """float [items + 1]: -inf for the items that bool `known` leaves out, else 0."""
    return torch.zeros_like(known, dtype=torch.float32).masked_fill_(~known, -torch.inf)


def with_bias(states: Tensor, table: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """States and a table, a column wider, whose products are those of the given ones plus the items' bias.

    Args:
        states: float [n, width].
        table: float [items + 1, width].
        bias: float [items + 1].
    """
    return torch.cat([states, torch.ones_like(states[:, :1])], 1), torch.cat([table, bias.unsqueeze(1)], 1)


def sampled_loss(name: str, positive: Tensor, negative: Tensor, wrong: Tensor) -> Tensor:
    """The sum of the losses of targets against drawn items, each the mean over its drawn items.

    * `bce`: log-loss of the target as 1 and of the drawn items as 0 (SASRec, Caser);
    * `bpr`: log-loss of the target's lead (Rendle and others 2009);
    * `top1`: the target's approximate relative rank, and the drawn items' scores towards zero (GRU4Rec);
    * `bpr-max`: log-loss of the lead, each drawn item weighed by its softmax among them, and their scores, weighed
      too, towards zero (Hidasi and Karatzoglou 2018).

    Args:
        name: One of these.
        positive: float [n], the targets' scores.
        negative: float [n, m], the drawn items'.
        wrong: bool [n, m], which of these the example does not show; the others don't count.
    """
    lead = positive.unsqueeze(1) - negative
    drawn = max(1, negative.shape[1])
    if name == "bce":
        return -functional.logsigmoid(positive).sum() - (functional.logsigmoid(-negative) * wrong).sum() / drawn
    if name == "bpr":
        return -(functional.logsigmoid(lead) * wrong).sum() / drawn
    if name == "top1":
        return ((torch.sigmoid(-lead) + torch.sigmoid(negative.square())) * wrong).sum() / drawn
    weights = torch.softmax(negative.masked_fill(~wrong, torch.finfo(negative.dtype).min), dim=1) * wrong
    better = (weights * torch.sigmoid(lead)).sum(1)
    return (_PENALTY * (weights * negative.square()).sum(1) - (better + 1e-24).log() * wrong.any(1)).sum()

"""What a search misses: the same users with several numbers of beams, and with every item scored."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from genrec.decoding.exact import ExactScores
from genrec.decoding.scorer import TorchScorer
from genrec.device import choose_device
from genrec.evaluation.bootstrap import compare
from genrec.evaluation.conditions import Conditions
from genrec.evaluation.metrics import Ranks, summarise
from genrec.evaluation.protocol import Ints, Ranker
from genrec.evaluation.rankers import ScorerRanker
from genrec.model.checkpoint import Run, load_run

BATCH_USERS: Final = 32
"""Users that are scored together: each has a score of every item, and states of many tokens."""


_USUAL_BEAMS: Final = 50
"""With more, batches have fewer users, so that a batch's states stay as many."""


class _Turn(NamedTuple):
    """Ranks and lists by one number of beams; the order of the lists is the same in all turns."""

    beams: int | None
    ranks: Ranks
    lists: Ints
    seconds: float


class ExactRanker:
    """Ranks with the exact scores of all items, ties by item index.

    Args:
        scores: Of the model.
        k: Length of the lists.
    """

    def __init__(self, scores: ExactScores, k: int) -> None:
        self.scores, self.k = scores, k

    def __call__(self, users: Ints, histories: Ints, exclude_seen: bool) -> Ints:
        """Rank items; shapes as in `Ranker`."""
        device = self.scores.device
        history = torch.from_numpy(histories).to(device)
        found = self.scores(history, torch.from_numpy(users).to(device))
        if exclude_seen:
            known = torch.where(history <= self.scores.item_count, history, 0)
            found = found.scatter(1, known, -torch.inf)
        best, items = found.sort(dim=1, descending=True, stable=True)
        items = torch.where(best > -torch.inf, items, 0)[:, : self.k]
        return items.cpu().numpy()


def calibrate(model: Path, conditions: Conditions, beams: Sequence[int], device: str) -> list[dict[str, Any]]:
    """Measure a run with several numbers of beams and with exact scores, at the largest cut-off.

    Args:
        model: Run.
        conditions: Of the evaluation.
        beams: Numbers of beams; fewer than the largest cut-off give lists as short.
        device: Where to compute.

    Returns:
        Beams ascending, exact scores last: [{"beams" (None: exact), "metrics", "intervals", "difference": of each
        metric from the exact one as in `bootstrap.compare`, "found": mean share of the exact list's items that are
        in the list, "seconds"}].

    Raises:
        GenRecError: The run is unfinished or damaged, or a single user does not fit into memory.
    """
    run = load_run(model, choose_device(device))
    k = conditions.width
    turns = [_take_turn(run, number, conditions) for number in (*sorted(set(beams)), None)]
    exact = turns[-1]
    return [
        {
            "beams": turn.beams,
            **dict(zip(("metrics", "intervals"), summarise(turn.ranks, (k,)), strict=True)),
            "difference": compare(turn.ranks, exact.ranks, (k,), conditions.seed),
            "found": found_share(turn.lists, exact.lists),
            "seconds": turn.seconds,
        }
        for turn in turns
    ]


def found_share(lists: Ints, exact: Ints) -> float:
    """The mean share of an exact list's items that the other list has too; both [users, n], zeros are no items.

    >>> found_share(np.array([[1, 2], [3, 0]]), np.array([[2, 5], [3, 0]]))
    0.75
    """
    wanted = exact > 0
    row = np.arange(len(exact))[:, None] * (1 + max(int(exact.max(initial=0)), int(lists.max(initial=0))))
    there = np.isin(row + exact, row + lists) & wanted
    shares = there.sum(1) / np.maximum(1, wanted.sum(1))
    return float(shares[wanted.any(1)].mean()) if wanted.any() else 1.0


def _take_turn(run: Run, beams: int | None, conditions: Conditions) -> _Turn:
    ranker, together = _ranker(run, beams, conditions.width)
    lists: list[Ints] = []

    def rank(users: Ints, histories: Ints, exclude_seen: bool) -> Ints:
        lists.append(ranker(users, histories, exclude_seen))
        return lists[-1]

    started = time.perf_counter()
    ranks = conditions.rank(rank, "exact" if beams is None else f"{beams} beams", together)
    return _Turn(beams, ranks, np.concatenate(lists), time.perf_counter() - started)


def _ranker(run: Run, beams: int | None, k: int) -> tuple[Ranker, int]:
    """A ranker, and how many users it takes together."""
    if beams is None:
        return ExactRanker(ExactScores(run.model, run.scheme, prior=run.prior), k), BATCH_USERS
    scorer = TorchScorer(run.model, run.scheme, beams, run.prior)
    together = scorer.batch_users * _USUAL_BEAMS // max(beams, _USUAL_BEAMS)
    return ScorerRanker(scorer, min(k, beams)), max(1, together)

"""Metrics of parts of the users: by the length of their history, by how popular their target is."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genrec.evaluation.metrics import Ranks, summarise
from genrec.evaluation.popularity import GROUPS, Counts, popularity_groups
from genrec.evaluation.protocol import Cases

LENGTHS: Final = {"1-5": 5, "6-10": 10, "11-20": 20, "over 20": None}
"""Slices by history length, each with the longest history; the test history includes the validation item."""

BY_LENGTH, BY_POPULARITY = "history", "popularity"


@dataclass(frozen=True)
class Slicing:
    """One way to divide the users.

    Attributes:
        names: Of the slices.
        member: int64 [cases]: the place of each case's slice in `names`.
    """

    names: tuple[str, ...]
    member: NDArray[np.int64]

    def measure(self, ranks: Ranks, k: int) -> list[dict[str, Any]]:
        """HR@k and NDCG@k per slice, from the rank of each case's target.

        Returns:
            [{"slice", "users", "metrics", "intervals"}]; a slice without users has no metrics.
        """
        rows: list[dict[str, Any]] = []
        for place, name in enumerate(self.names):
            mine = ranks[self.member == place]
            metrics, intervals = summarise(mine, (k,)) if len(mine) else ({}, {})
            rows.append({"slice": name, "users": len(mine), "metrics": metrics, "intervals": intervals})
        return rows


def make_slicings(cases: Cases, counts: Counts) -> dict[str, Slicing]:
    """Divide users by history length and by the popularity of the target.

    Args:
        cases: Who is evaluated.
        counts: Of `train_counts`.
    """
    longest = [most for most in LENGTHS.values() if most is not None]
    return {
        BY_LENGTH: Slicing(tuple(LENGTHS), np.searchsorted(longest, cases.positions)),
        BY_POPULARITY: Slicing(GROUPS, popularity_groups(counts)[cases.targets - 1]),
    }

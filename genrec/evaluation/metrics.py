"""Metrics of one relevant item per user, from its rank (1 is best; 0: not in the list)."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ranks = NDArray[np.int64]
Interval = tuple[float, float]

CONFIDENCE = 1.959964
"""Normal quantile of a 95 % interval."""


def hits(ranks: Ranks, k: int) -> NDArray[np.float64]:
    """Per user 1 where the target stands in the first k places, else 0.

    >>> hits(np.array([1, 3, 0]), k=2).tolist()
    [1.0, 0.0, 0.0]
    """
    return ((ranks >= 1) & (ranks <= k)).astype(np.float64)


def gains(ranks: Ranks, k: int) -> NDArray[np.float64]:
    """Per user 1 / log2(rank + 1) where the target stands in the first k places, else 0.

    >>> gains(np.array([1, 3, 0]), k=5).tolist()
    [1.0, 0.5, 0.0]
    """
    return hits(ranks, k) / np.log2(np.maximum(ranks, 1) + 1)


def metric_values(name: str, ranks: Ranks) -> NDArray[np.float64]:
    """Per user the value of a metric by its name.

    >>> metric_values("NDCG@5", np.array([1, 3, 0])).tolist()
    [1.0, 0.5, 0.0]
    """
    kind, _, k = name.partition("@")
    return (hits if kind == "HR" else gains)(ranks, int(k))


def metric_names(ks: Sequence[int]) -> list[str]:
    """HR@k for each k, and NDCG@k for each k above 1 (NDCG@1 is HR@1).

    >>> metric_names((1, 5))
    ['HR@1', 'HR@5', 'NDCG@5']
    """
    return [f"HR@{k}" for k in ks] + [f"NDCG@{k}" for k in ks if k > 1]


def summarise(ranks: Ranks, ks: tuple[int, ...]) -> tuple[dict[str, float], dict[str, Interval]]:
    """HR@k for each k and NDCG@k for each k above 1 (NDCG@1 is HR@1), with 95 % intervals."""
    metrics: dict[str, float] = {}
    intervals: dict[str, Interval] = {}
    for k in ks:
        metrics[f"HR@{k}"] = float(hits(ranks, k).mean())
        intervals[f"HR@{k}"] = wilson_interval(metrics[f"HR@{k}"], len(ranks))
    for k in ks:
        if k > 1:
            metrics[f"NDCG@{k}"] = float(gains(ranks, k).mean())
            intervals[f"NDCG@{k}"] = mean_interval(gains(ranks, k))
    return metrics, intervals


def wilson_interval(share: float, count: int) -> Interval:
    """95 % interval of a share (Wilson 1927), which stays meaningful at 0 and 1."""
    z2 = CONFIDENCE**2
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    spread = CONFIDENCE / (1 + z2 / count) * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    return max(0.0, centre - spread), min(1.0, centre + spread)


def mean_interval(values: NDArray[np.float64]) -> Interval:
    """95 % interval of the mean of values in 0..1, by the central limit theorem."""
    spread = CONFIDENCE * float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 1.0
    mean = float(values.mean())
    return max(0.0, mean - spread), min(1.0, mean + spread)

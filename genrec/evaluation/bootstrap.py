"""Is one model better than another on the same users? A paired bootstrap over users."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genrec.evaluation.metrics import Ranks, metric_names, metric_values

MOST_RESAMPLES, FEWEST_RESAMPLES = 10_000, 1_000
"""Resamples: as many as `_NUMBERS` allow between these."""

_NUMBERS = 4_000_000
"""Random numbers of a comparison, half a second's work; long lists, of many pairs of ranks, need more."""

_CHUNK = 2_000_000
"""Random numbers that are held together."""

_ROUNDING = 1e-12
"""What sums of differences that cancel out may be away from zero."""

Difference = dict[str, float]


def compare(ranks: Ranks, others: Ranks, ks: tuple[int, ...], seed: int = 0) -> dict[str, Difference]:
    """Differences of all metrics between two models, paired by user.

    A resample draws as many users as there are, with replacement. How often each pair of ranks is drawn says
    all about it, so those counts are drawn (one multinomial), whatever the number of users; all metrics share
    the resamples.

    Args:
        ranks: int64 [users], each target's rank by the first model; 0 where it is not in the list.
        others: int64 [users], by the second.
        ks: Cut-offs.
        seed: Of the resamples.

    Returns:
        Per metric {"difference": first minus second, "low", "high": its 95 % interval, "p": two-sided}. The
        p-value is twice the smaller share of resamples on either side of zero, at least 2 / (resamples + 1).
    """
    metrics = metric_names(ks)
    cells, counts = _cells(ranks, others, max(ks))
    values = np.stack([metric_values(m, cells[:, 0]) - metric_values(m, cells[:, 1]) for m in metrics], axis=1)
    return _differences(metrics, values, counts, seed)


def compare_means(
    ranks: Sequence[Ranks], others: Sequence[Ranks], ks: tuple[int, ...], seed: int = 0
) -> dict[str, Difference]:
    """As `compare`, of models of which each has been trained with several seeds: a user's value is the mean.

    Args:
        ranks: Per seed int64 [users], of the first model.
        others: Per seed, of the second.
        ks: Cut-offs.
        seed: Of the resamples.
    """
    if len(ranks) == len(others) == 1:
        return compare(ranks[0], others[0], ks, seed)
    metrics = metric_names(ks)

    def means(seeds: Sequence[Ranks]) -> NDArray[np.float64]:
        return np.stack([np.mean([metric_values(m, one) for one in seeds], axis=0) for m in metrics], axis=1)

    values, counts = np.unique(means(ranks) - means(others), axis=0, return_counts=True)
    return _differences(metrics, values, counts, seed)


def _differences(
    metrics: Sequence[str], values: NDArray[np.float64], counts: NDArray[np.int64], seed: int
) -> dict[str, Difference]:
    """What `compare` returns, of users whose differences are `values` [cells, metrics], `counts` of each."""
    means = _resample(values, counts, np.random.default_rng(seed))
    lows, highs = np.quantile(means, (0.025, 0.975), axis=0)
    below, above = ((side <= _ROUNDING).sum(0) + 1 for side in (means, -means))
    p = np.minimum(1.0, 2 * np.minimum(below, above) / (len(means) + 1))
    differences = counts @ values / counts.sum()
    columns = zip(differences.tolist(), lows.tolist(), highs.tolist(), p.tolist(), strict=True)
    names = ("difference", "low", "high", "p")
    return {metric: dict(zip(names, column, strict=True)) for metric, column in zip(metrics, columns, strict=True)}


def resamples(cells: int) -> int:
    """How many resamples are drawn where users have so many different pairs of ranks."""
    return int(np.clip(_NUMBERS // cells, FEWEST_RESAMPLES, MOST_RESAMPLES))


def _cells(ranks: Ranks, others: Ranks, k: int) -> tuple[Ranks, NDArray[np.int64]]:
    """Distinct pairs of ranks [cells, 2] and how many users have each [cells]; equal ranks are one cell."""
    pair = [np.where(side <= k, side, 0) for side in (ranks, others)]
    keys = np.where(pair[0] == pair[1], 0, pair[0] * (k + 1) + pair[1])
    keys, counts = np.unique(keys, return_counts=True)
    return np.stack([keys // (k + 1), keys % (k + 1)], axis=1), counts


def _resample(
    values: NDArray[np.float64], counts: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """[resamples, metrics]: means of resamples of the users, whose values are `values` [cells, metrics]."""
    users, cells = int(counts.sum()), len(counts)
    left, means = resamples(cells), []
    while left:
        size = min(left, max(1, _CHUNK // cells))
        means.append(rng.multinomial(users, counts / users, size) @ values / users)
        left -= size
    return np.concatenate(means)

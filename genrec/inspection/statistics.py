"""What a dataset looks like: counts, distributions, ties, repeats, times."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genrec.data.tables import Sequences

_STEPS: Final = (1, 1.5, 2, 3, 4, 5, 7)
"""First values of the bars from ten on, times powers of ten; below ten every number has its own."""

Ints = NDArray[np.int64]


def describe_counts(values: Ints) -> dict[str, Any]:
    """Smallest, middle and largest of whole numbers, and their distribution.

    >>> describe_counts(np.array([1, 3, 3]))["histogram"]
    [{'from': 1, 'to': 1, 'count': 1}, {'from': 2, 'to': 2, 'count': 0}, {'from': 3, 'to': 3, 'count': 2}]

    Returns:
        min, median, mean, p90, max, histogram: [{"from", "to" (inclusive), "count"}] without empty ends.
    """
    return {
        "min": int(values.min()),
        "median": float(np.median(values)),
        "mean": float(values.mean()),
        "p90": float(np.quantile(values, 0.9)),
        "max": int(values.max()),
        "histogram": _histogram(values),
    }


def _histogram(values: Ints) -> list[dict[str, int]]:
    top = int(values.max())
    firsts = list(range(10))
    power = 10
    while power <= top:
        firsts += [int(step * power) for step in _STEPS]
        power *= 10
    edges = [edge for edge in firsts if edge <= top] + [top + 1]
    counts, _ = np.histogram(values, edges)
    bars = [
        {"from": first, "to": after - 1, "count": int(count)}
        for first, after, count in zip(edges, edges[1:], counts, strict=False)
    ]
    return bars[next(place for place, bar in enumerate(bars) if bar["count"]) :]


def item_counts(sequences: Sequences, item_count: int) -> Ints:
    """int64 [items]: how often each item (from 1) occurs."""
    return np.bincount(sequences.items, minlength=item_count + 1)[1:]


def top_share(counts: Ints, share: float = 0.1) -> float:
    """The share of all interactions that the most popular `share` of the items (at least one) have.

    >>> top_share(np.array([8, 1, 1]), 0.1)
    0.8
    """
    best = np.sort(counts)[::-1][: max(1, round(len(counts) * share))]
    return float(best.sum() / counts.sum())


def distinct_pairs(sequences: Sequences, item_count: int) -> int:
    """How many different (user, item) pairs there are."""
    users = np.repeat(np.arange(len(sequences.lengths)), sequences.lengths)
    keys = np.sort(users * (item_count + 1) + sequences.items)
    return int((np.diff(keys) != 0).sum()) + bool(len(keys))


def describe_times(times: Ints | None) -> dict[str, str] | None:
    """The first and the last time, ISO 8601."""
    if times is None or not len(times):
        return None
    return {"first": _iso(int(times.min())), "last": _iso(int(times.max()))}


def _iso(micros: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    return moment.isoformat().replace("+00:00", "Z")

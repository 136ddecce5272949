"""What a smaller graph costs and gains: size, speed and quality beside those of the graph in fp32."""

import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.data.split import targets
from genrec.data.tables import Sequences
from genrec.evaluation.metrics import summarise
from genrec.evaluation.protocol import Cases, Ints, make_cases, rank_targets
from genrec.ids import RECOMMENDER_FILE
from genrec.progress import Reporter
from genrec.runtime.recommender import Recommender

BATCH = 32
"""Users of a timed batch."""

DEPTH = 10
"""Places of a list that the metrics look at."""

SECONDS = 60.0
"""What ranking the validation users may take per graph; where all need longer, a sample is taken."""

FEWEST = 200
"""Smallest sample, however slow the graph."""

_ROUNDS = 5
_BATCHES, _SINGLES = 8, 32
_MOST_ROUND_SECONDS = 20.0
_SETTLE_SECONDS = 0.05

LARGE_LOSS = 0.02
"""Share of NDCG whose loss is worth a warning."""

FAR_APART = 0.95
"""Share of common items below which two graphs recommend different things."""


def compare(
    fp32: Recommender, quantised: Recommender, sequences: Sequences, kind: str, reporter: Reporter
) -> dict[str, Any]:
    """Measure two graphs of one run on the same users and the CPU that they are opened on.

    Args:
        fp32: The graph as it was exported.
        quantised: What the bundle holds.
        sequences: The run's; users with a validation item are ranked, all or a seeded sample. Where nobody has
            one, users are ranked by their whole histories and the metrics are left out.
        kind: Name of the quantisation.
        reporter: Receives progress and warnings.

    Returns:
        {"fp32": figures, kind: figures, "overlap", "identical", "users", "sampled", "split", "seed", "batch",
        "provider"}. Figures are {"bytes", "users_per_second", "milliseconds" of one user's request, "NDCG@10",
        "HR@10"} (@k where the lists are shorter), overlap is the mean share of common items in two lists, and
        identical the share of lists with the same items in the same order.
    """
    graphs = {"fp32": fp32, kind: quantised}
    everybody = _cases(sequences)
    speeds = _speeds(list(graphs.values()), everybody, reporter)
    slowest = min(speed["users_per_second"] for speed in speeds)
    affordable = max(FEWEST, int(SECONDS * slowest))
    sampled = affordable < len(everybody)
    cases = _cases(sequences, affordable) if sampled else everybody
    result: dict[str, Any] = {}
    lists = []
    for (name, graph), speed in zip(graphs.items(), speeds, strict=True):
        items, metrics = _rank(graph, cases, reporter, f"rank with {name}")
        lists.append(items)
        result[name] = {"bytes": _bytes(graph.path), **speed, **metrics}
    common = [
        len(set(one) & set(other)) / len(one) for one, other in zip(*map(_without_zeros, lists), strict=True)
    ]
    result |= {
        "overlap": float(np.mean(common)),
        "identical": float((lists[0] == lists[1]).all(axis=1).mean()),
        "users": len(cases),
        "sampled": sampled,
        "split": "valid" if _can_validate(sequences) else None,
        "seed": 0,
        "batch": BATCH,
        "provider": quantised.provider,
    }
    _warn(result, kind, reporter)
    return result


def _can_validate(sequences: Sequences) -> bool:
    return len(targets(sequences, "valid")[0]) > 0


def _cases(sequences: Sequences, users: int | None = None) -> Cases:
    """Who is ranked, by which part of the history; without validation items everybody, by all of it."""
    if _can_validate(sequences):
        return make_cases(sequences, "valid", users)
    who = np.arange(1, min(len(sequences.lengths), users or len(sequences.lengths)) + 1)
    return Cases(sequences, who, sequences.lengths.astype(np.int64), np.full(len(who), -1))


def _rank(graph: Recommender, cases: Cases, reporter: Reporter, name: str) -> tuple[Ints, dict[str, float]]:
    """int64 [cases, k] lists, and the metrics of the validation items in them."""
    lists: list[Ints] = []

    def ranker(users: Ints, histories: Ints, exclude_seen: bool) -> Ints:
        lists.append(graph(histories, users, exclude_seen)[0])
        return lists[-1]

    ranks = rank_targets(ranker, cases, False, reporter, name, graph.batch_users)
    items = np.concatenate(lists)
    if (cases.targets < 0).all():
        return items, {}
    depth = min(DEPTH, graph.k)
    metrics, _ = summarise(ranks, (depth,))
    return items, {name: metrics[name] for name in sorted(metrics, reverse=True)}


def _without_zeros(lists: Ints) -> list[NDArray[np.int64]]:
    """Lists without the zeros that fill up short ones."""
    return [row[row > 0] for row in lists]


def _bytes(bundle: Path) -> int:
    """Size of the graph with its file of weights, if it has one."""
    return sum(path.stat().st_size for path in bundle.glob(f"{RECOMMENDER_FILE}*"))


def _speeds(graphs: Sequence[Recommender], cases: Cases, reporter: Reporter) -> list[dict[str, float]]:
    """Per graph users a second in batches, and the milliseconds of one user's request: medians.

    The graphs take turns, so that whatever else the machine does meets them alike.
    """
    # Cases are sorted by length: a batch has histories of similar length, as those of evaluation have.
    first = np.linspace(0, max(0, len(cases) - BATCH), _BATCHES).astype(np.int64)
    batches = (first[:, None] + np.arange(BATCH)) % len(cases)
    singles = np.linspace(0, len(cases) - 1, _SINGLES).astype(np.int64)[:, None]
    batch_times = _median_times(graphs, cases, batches, reporter, "time batches")
    single_times = _median_times(graphs, cases, singles, reporter, "time one user")
    return [
        {"users_per_second": BATCH / batch, "milliseconds": 1000 * single}
        for batch, single in zip(batch_times, single_times, strict=True)
    ]


def _median_times(
    graphs: Sequence[Recommender], cases: Cases, requests: NDArray[np.int64], reporter: Reporter, name: str
) -> NDArray[np.float64]:
    """Seconds of a request, per graph: the median over rounds of a round's mean."""
    feeds = [(_histories(cases, rows), cases.users[rows], False) for rows in requests]
    rounds: list[list[float]] = []
    end = time.perf_counter() + _MOST_ROUND_SECONDS
    with reporter.task(name, _ROUNDS) as task:
        while len(rounds) < _ROUNDS and (not rounds or time.perf_counter() < end):
            times = []
            for graph in graphs:
                _settle(graph, feeds)
                started = time.perf_counter()
                for feed in feeds:
                    graph(*feed)
                times.append((time.perf_counter() - started) / len(feeds))
            rounds.append(times)
            task.advance()
    return np.median(rounds, axis=0)


def _settle(graph: Recommender, feeds: list[Any]) -> None:
    """Run unmeasured for a while: memory fills, and threads of the graph before stop waiting for more work."""
    end = time.perf_counter() + _SETTLE_SECONDS
    for feed in itertools.cycle(feeds):
        graph(*feed)
        if time.perf_counter() > end:
            return


def _histories(cases: Cases, rows: NDArray[np.int64]) -> list[NDArray[np.int32]]:
    starts = cases.sequences.offsets[cases.users[rows] - 1]
    return [
        cases.sequences.items[start : start + n] for start, n in zip(starts, cases.positions[rows], strict=True)
    ]


def _warn(result: dict[str, Any], kind: str, reporter: Reporter) -> None:
    """Point out what is worse than a user would expect."""
    before, after = result["fp32"], result[kind]
    for metric in (name for name in before if name.startswith("NDCG")):
        if after[metric] < (1 - LARGE_LOSS) * before[metric]:
            lost = 1 - after[metric] / before[metric]
            reporter.warn(
                f"{kind} loses {lost:.1%} of {metric}: {after[metric]:.4f} instead of {before[metric]:.4f}"
            )
    if result["overlap"] < FAR_APART:
        reporter.warn(f"{kind} and fp32 have only {result['overlap']:.1%} of their items in common")
    if after["users_per_second"] < before["users_per_second"]:
        share = after["users_per_second"] / before["users_per_second"]
        reporter.warn(f"{kind} is slower than fp32 on this CPU: {share:.2f} times its users a second")

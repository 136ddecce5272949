"""The shortcut audit: how well rules without a model do on the test items."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from genrec.data.followers import NEXT, Reach, count_followers
from genrec.data.split import train_part
from genrec.data.tables import Sequences
from genrec.evaluation.followers import FollowersRanker
from genrec.evaluation.metrics import summarise
from genrec.evaluation.protocol import Cases, Ranker, rank_targets
from genrec.evaluation.rankers import PopularityRanker
from genrec.inspection.rules import NumberingRanker, RepeatRanker
from genrec.inspection.statistics import item_counts
from genrec.progress import Reporter

CUTOFFS: Final = (1, 5, 10)
NUMBERS: Final = 5
"""How many numbers after the largest one the numbering rule lists."""

POPULARITY: Final = "popularity"
LAST: Final = "followers of the last item"
LAST_FIVE: Final = "followers of the last five items, decayed"
LAST_FIVE_VALID: Final = "the same, validation items counted too"
REPEAT: Final = "repeat the last item"
NUMBERING: Final = f"largest number so far + 1..{NUMBERS}"

_HALVING: Final = Reach(0.5)
"""Looks at five items of a history; each step back halves the weight."""

_NO_NUMBER = "the items' IDs are no whole numbers"
_NO_REPEAT = "never right: the last item is seen"
_WHOLE = re.compile(r"0|[1-9]\d{0,17}")

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Rule:
    """One rule: its ranker, or why it does not apply."""

    name: str
    ranker: Ranker | None
    skipped: str | None = None
    """Why there is no ranker."""
    excluded: str | None = None
    """Why there is nothing to measure with seen items excluded."""


def run_audit(cases: Cases, item_count: int, numbers: Ints | None, reporter: Reporter) -> list[dict[str, Any]]:
    """Measure every rule with seen items kept and with seen items excluded.

    Args:
        cases: Whom to rank for.
        item_count: Number of items, I.
        numbers: The items' numbers in the source's own numbering, if it has one.
        reporter: Receives progress.

    Returns:
        One {"rule", "kept": metrics, "excluded": metrics, "intervals", "skipped"} each; what was not measured is
        None, and "skipped" says why.
    """
    return [_measure(rule, cases, reporter) for rule in _rules(cases.sequences, item_count, numbers)]


def _rules(sequences: Sequences, item_count: int, numbers: Ints | None) -> list[Rule]:
    k = max(CUTOFFS)
    train, known = train_part(sequences), _without_last(sequences)

    def following(counted: Sequences, seen: Reach) -> FollowersRanker:
        return FollowersRanker(count_followers(counted, item_count), item_counts(counted, item_count), seen, k)

    numbering = NumberingRanker(numbers, NUMBERS) if numbers is not None else None
    return [
        Rule(POPULARITY, PopularityRanker(sequences, item_count, k)),
        Rule(LAST, following(train, NEXT)),
        Rule(LAST_FIVE, following(train, _HALVING)),
        Rule(LAST_FIVE_VALID, following(known, _HALVING)),
        Rule(REPEAT, RepeatRanker(), excluded=_NO_REPEAT),
        Rule(NUMBERING, numbering, skipped=None if numbering else _NO_NUMBER),
    ]


def _without_last(sequences: Sequences) -> Sequences:
    """Everybody's sequence without the test item: all that is known when the test item is predicted."""
    kept = np.where(sequences.lengths >= 2, sequences.lengths - 1, sequences.lengths)
    ends = np.repeat(sequences.offsets[:-1] + kept, sequences.lengths)
    offsets = np.concatenate([[0], np.cumsum(kept)])
    return Sequences(sequences.items[np.arange(len(sequences.items)) < ends], offsets)


def _measure(rule: Rule, cases: Cases, reporter: Reporter) -> dict[str, Any]:
    result: dict[str, Any] = {"rule": rule.name, "kept": None, "excluded": None, "intervals": None}
    if rule.ranker is not None:
        ranks = rank_targets(rule.ranker, cases, False, reporter, rule.name)
        result["kept"], result["intervals"] = summarise(ranks, CUTOFFS)
        if rule.excluded is None:
            ranks = rank_targets(rule.ranker, cases, True, reporter, f"{rule.name}, seen excluded")
            result["excluded"], _ = summarise(ranks, CUTOFFS)
    return {**result, "skipped": rule.skipped or rule.excluded}


def source_numbers(item_ids: Sequence[str]) -> Ints | None:
    """int64 [items]: the items' IDs as numbers, None unless all of them are whole numbers from 0 on.

    >>> source_numbers(["10", "9"])
    array([10,  9])
    >>> source_numbers(["10", "009"]) is None
    True
    """
    if not all(map(_WHOLE.fullmatch, item_ids)):
        return None
    return np.array(list(map(int, item_ids)), np.int64)


def id_places(ids: pa.ChunkedArray, numbers: Ints | None) -> Ints:
    """int64 [items]: each item's place in the order of the IDs, as numbers if they are numbers."""
    order = np.asarray(pc.sort_indices(ids)) if numbers is None else np.argsort(numbers)
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return places


def id_order(cases: Cases, places: Ints, times: Ints | None) -> dict[str, Any]:
    """How often the test item's ID sorts after the one before it; half of the time, if the order means nothing.

    Args:
        cases: Test cases.
        places: int64 [items], each item's place in the order of the IDs.
        times: int64 [interactions], if they are known.

    Returns:
        share and users: of everybody whose last two items differ; tied_share and tied_users: of those among them
        whose last two interactions have the same time. A share of nobody is None.
    """
    last = cases.sequences.offsets[cases.users - 1] + cases.positions
    before, after = cases.sequences.items[last - 1], cases.sequences.items[last]
    differ = before != after
    ascending = places[after - 1] > places[before - 1]
    tied = differ & (times[last] == times[last - 1]) if times is not None else np.zeros(len(last), bool)
    return {
        "share": _share(ascending[differ]),
        "users": int(differ.sum()),
        "tied_share": _share(ascending[tied]),
        "tied_users": int(tied.sum()),
    }


def _share(values: NDArray[np.bool_]) -> float | None:
    return float(values.mean()) if len(values) else None

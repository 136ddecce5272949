"""What a caller of `prepare` asks for, checked before any work."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from genrec.data.columns import Mapping
from genrec.data.duplicates import DEDUPE, EXACT
from genrec.data.filters import RowFilters
from genrec.data.order import INPUT, ITEM, SHUFFLE, TIES, Ties
from genrec.data.times import parse_bound
from genrec.errors import GenRecError

_DEFAULTS: Final = {"min_count": 5, "dedupe": EXACT, "seed": 0}
_SHUFFLED: Final = ("amazon", "yelp")
"""Formats whose files' own order tells the test item."""


@dataclass(frozen=True)
class Rules:
    """Which rows stay, and in which order."""

    filters: RowFilters
    min_count: int
    """k of the k-core."""
    dedupe: str
    ties: str | None
    """The rule for equal times; None leaves it to the format."""
    seed: int
    strict: bool
    """Whether a bad row is an error."""
    asked: dict[str, Any]
    """The filters as the caller wrote them, for dataset.json."""


def make_rules(
    *,
    min_count: int | None,
    min_rating: float | None,
    since: object,
    until: object,
    dedupe: str | None,
    ties: str | None,
    seed: int | None,
    strict: bool,
    parent: dict[str, Any],
) -> Rules:
    """Check what is asked; what is not is taken from the parent's dataset.json, or is the default.

    Raises:
        GenRecError: A bound is no date, the bounds leave no time, or a rule is unknown.
    """
    known = {**parent.get("filters", {}), "seed": (parent.get("ties") or {}).get("seed")}
    chosen: dict[str, Any] = {
        key: next((value for value in (given, known.get(key)) if value is not None), _DEFAULTS[key])
        for key, given in (("min_count", min_count), ("dedupe", dedupe), ("seed", seed))
    }
    if min_rating is not None and not math.isfinite(min_rating):
        raise GenRecError(f"--min-rating {min_rating} is no rating; give a number")
    if chosen["min_count"] < 0:
        raise GenRecError(f"min_count {min_count} is negative; 0 or 1 keeps everything, 5 is usual")
    for option, rule, allowed in (("dedupe", chosen["dedupe"], DEDUPE), ("ties", ties or INPUT, TIES)):
        if rule not in allowed:
            raise GenRecError(f"{option} {rule!r} is unknown; choose one of: {', '.join(allowed)}")
    first, last = parse_bound(since, "--since"), parse_bound(until, "--until")
    if first is not None and last is not None and first > last:
        raise GenRecError(f"--since {since} is later than --until {until}; exchange them")
    dates = {"since": None if since is None else str(since), "until": None if until is None else str(until)}
    asked = {"min_count": chosen["min_count"], "min_rating": min_rating, **dates, "dedupe": chosen["dedupe"]}
    filters = RowFilters(min_rating, first, last)
    rule = ties or (parent.get("ties") or {}).get("rule")
    return Rules(filters, chosen["min_count"], chosen["dedupe"], rule, chosen["seed"], strict, asked)


def check_columns(rules: Rules, mapping: Mapping, columns: Sequence[str], format: str) -> None:
    """Refuse rules on columns that the log does not have.

    Raises:
        GenRecError: There is no time, or no rating, that a rule could apply to.
    """
    listed = ", ".join(map(repr, columns))
    filters = rules.filters
    if mapping.time is None and (filters.since is not None or filters.until is not None):
        is_sequences = format == "sequences"
        reason = "the sequences format has no dates" if is_sequences else f"there is no time column among {listed}"
        hint = "leave them out" if is_sequences else "name it with --time-col"
        raise GenRecError(f"--since and --until cannot be applied: {reason}; {hint}")
    if mapping.rating is None and filters.min_rating is not None:
        raise GenRecError(f"--min-rating: there is no rating column among {listed}; name it with --rating-col")


def order_of_ties(rules: Rules, mapping: Mapping, format: str) -> Ties:
    """The rule for rows of one user and time.

    Raises:
        GenRecError: The rule that is asked for contradicts the log's columns.
    """
    if mapping.order is not None and rules.ties not in (None, INPUT):
        raise GenRecError(
            f"--ties {rules.ties} and --order-col {mapping.order} are two rules for one thing; leave one out"
        )
    if mapping.time is None and rules.ties in (ITEM, SHUFFLE):
        raise GenRecError(
            f"--ties {rules.ties} orders equal times, and the log has no time column; name it with --time-col"
        )
    default = SHUFFLE if format in _SHUFFLED and mapping.order is None and mapping.time else INPUT
    return Ties(rules.ties or default, rules.seed, mapping.order)

"""One contestant's turn in an evaluation."""

from dataclasses import dataclass
from typing import Any

from genrec.evaluation.beyond import ItemTally
from genrec.evaluation.conditions import Conditions
from genrec.evaluation.contestants import Contestant
from genrec.evaluation.metrics import Ranks, summarise
from genrec.evaluation.rankers import ScorerRanker
from genrec.evaluation.slices import make_slicings
from genrec.scoring import BATCH_USERS


@dataclass(frozen=True)
class Measured:
    """What was found out about a contestant: the result as `evaluate` returns it, and each target's rank."""

    result: dict[str, Any]
    ranks: Ranks


def measure(contestant: Contestant, conditions: Conditions) -> Measured:
    """Rank for everybody, and sum up.

    Raises:
        GenRecError: The contestant is damaged, or a single user does not fit into memory.
    """
    ranker = contestant.make_ranker()
    scorer = ranker.scorer if isinstance(ranker, ScorerRanker) else None
    if scorer is not None and scorer.trouble:
        conditions.reporter.warn(scorer.trouble)
    tally = ItemTally(len(conditions.counts), conditions.ks)
    together = scorer.batch_users if scorer else BATCH_USERS
    ranks = conditions.rank(tally.watch(ranker), contestant.name, together)
    metrics, intervals = summarise(ranks, conditions.ks)
    slicings = make_slicings(conditions.cases, conditions.counts)
    result = {
        "model": contestant.name,
        "indexing": contestant.indexing,
        "metrics": metrics,
        "intervals": intervals,
        "slices": {name: slicing.measure(ranks, conditions.width) for name, slicing in slicings.items()},
        "beyond": tally.summarise(conditions.counts),
        "provider": scorer.provider if scorer is not None else None,
    }
    return Measured(result, ranks)

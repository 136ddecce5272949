"""The validation after each epoch, shared among the processes that train together."""

from dataclasses import replace

import numpy as np

from genrec import ranks
from genrec.data.tables import Sequences
from genrec.evaluation.metrics import summarise
from genrec.evaluation.protocol import Cases, make_cases, rank_targets
from genrec.evaluation.rankers import ScorerRanker
from genrec.progress import Reporter
from genrec.training.trainable import Trainable

KS = (1, 5, 10)
"""Cut-offs of the metrics."""


class Validation:
    """Metrics of a model as it is, on the validation items.

    Args:
        sequences: Whole sequences.
        built: Holds the model, which changes as it learns, and the settings.
        reporter: Receives progress, and a warning where nobody has a validation item.
    """

    def __init__(self, sequences: Sequences, built: Trainable, reporter: Reporter) -> None:
        self.built, self.reporter = built, reporter
        config = built.config
        self.possible = int(sequences.lengths.max(initial=0)) >= 3
        if self.possible:
            self.cases = make_cases(sequences, "valid", config.valid_users, config.seed)
        else:
            reporter.warn("no user has the three interactions of a validation item; the last epoch is kept")

    def __call__(self, exclude_seen: bool = False) -> dict[str, float]:
        """Rank this process's share of the users, and join the ranks.

        Args:
            exclude_seen: Whether items of the history are no candidates.
        """
        scorer = self.built.scorer()
        ranker = ScorerRanker(scorer, max(KS))
        mine = _every(self.cases, ranks.rank(), ranks.world_size())
        parts = ranks.gather(
            rank_targets(ranker, mine, exclude_seen, self.reporter, "validate", scorer.batch_users)
        )
        return summarise(np.concatenate(parts), KS)[0]


def _every(cases: Cases, first: int, step: int) -> Cases:
    """Every so many-th case."""
    places = slice(first, None, step)
    return replace(
        cases, users=cases.users[places], positions=cases.positions[places], targets=cases.targets[places]
    )

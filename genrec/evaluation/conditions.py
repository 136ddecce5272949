"""What all contestants of an evaluation have in common."""

from dataclasses import dataclass

from genrec.evaluation.metrics import Ranks
from genrec.evaluation.popularity import Counts
from genrec.evaluation.protocol import Cases, Ranker, rank_targets
from genrec.evaluation.rankers import as_visitors
from genrec.progress import SILENT, Reporter


@dataclass(frozen=True)
class Conditions:
    """Who is evaluated, on what, and by which rules.

    Attributes:
        cases: Users, histories and targets.
        counts: int64 [items], how often each item occurs in the training part.
        ks: Cut-offs of the metrics, ascending.
        exclude_seen: Whether items of the history are no candidates.
        as_visitor: Whether rankers are told the history alone, as of an unknown user.
        seed: Of all that is drawn.
        reporter: Receives progress.
    """

    cases: Cases
    counts: Counts
    ks: tuple[int, ...]
    exclude_seen: bool = False
    as_visitor: bool = False
    seed: int = 0
    reporter: Reporter = SILENT

    @property
    def width(self) -> int:
        """Length of the lists: the largest cut-off."""
        return self.ks[-1]

    def rank(self, ranker: Ranker, name: str, users: int) -> Ranks:
        """The rank of each case's target; arguments as of `rank_targets`."""
        ranker = as_visitors(ranker) if self.as_visitor else ranker
        return rank_targets(ranker, self.cases, self.exclude_seen, self.reporter, name, users)

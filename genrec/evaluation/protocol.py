"""The evaluation protocol: leave-one-out, the rank over all items, every user that has the split's item."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from genrec.batching import by_length
from genrec.data.split import Split, targets
from genrec.data.tables import Sequences
from genrec.errors import GenRecError
from genrec.evaluation.metrics import Ranks
from genrec.progress import SILENT, Reporter
from genrec.scoring import BATCH_USERS

Ints = NDArray[np.int64]


class Ranker(Protocol):
    """Anything that ranks items: GenRec in torch or onnxruntime, popularity."""

    def __call__(self, users: Ints, histories: Ints, exclude_seen: bool) -> Ints:
        """Rank items for a batch.

        Args:
            users: int64 [batch] user indexes.
            histories: int64 [batch, n] item indexes, oldest first, zeros are padding.
            exclude_seen: Whether items of the history are no candidates.

        Returns:
            int64 [batch, k] item indexes, best first, zeros where there are none left.
        """


@dataclass(frozen=True)
class Cases:
    """Who is evaluated: user, length of the history and target, each int64 [n]."""

    sequences: Sequences
    users: Ints
    positions: Ints
    targets: Ints

    def __len__(self) -> int:
        return len(self.users)

    def histories(self, cases: Ints) -> Ints:
        """int64 [n, longest] histories of some cases, by their places, zeros on the right."""
        starts = self.sequences.offsets[self.users[cases] - 1]
        lengths = self.positions[cases]
        step = np.arange(int(lengths.max(initial=0)))
        inside = step < lengths[:, None]
        places = np.where(inside, starts[:, None] + step, 0)
        return np.where(inside, self.sequences.items[places], 0).astype(np.int64)

    def seen_share(self) -> float:
        """Share of the targets that the user's history already holds."""

        def count(cases: Ints) -> int:
            return int((self.histories(cases) == self.targets[cases][:, None]).any(1).sum())

        return sum(seen for _, seen in by_length(count, self.positions)) / len(self)


def make_cases(sequences: Sequences, split: Split, users: int | None = None, seed: int = 0) -> Cases:
    """Find everybody who has the split's item, or a seeded sample of them.

    Args:
        sequences: Whole sequences; the test history includes the validation item.
        split: "valid" or "test".
        users: Size of the sample; None or 0 takes all.
        seed: Of the sample.

    Raises:
        GenRecError: Nobody has the split's item.
    """
    who, positions = targets(sequences, split)
    if not len(who):
        raise GenRecError(
            f"no user has a {split} item: a test item needs two interactions and a validation item three"
        )
    if users and users < len(who):
        chosen = np.random.default_rng(seed).choice(len(who), users, replace=False)
        who, positions = who[chosen], positions[chosen]
    items = sequences.items[sequences.offsets[who - 1] + positions].astype(np.int64)
    return Cases(sequences, who, positions, items)


def rank_targets(
    ranker: Ranker,
    cases: Cases,
    exclude_seen: bool = False,
    reporter: Reporter = SILENT,
    name: str = "evaluate",
    users: int = BATCH_USERS,
) -> Ranks:
    """The rank of each case's target in its list; 0 where it is not on it. Nobody is skipped.

    At most so many users are ranked together.

    Raises:
        GenRecError: A single user does not fit into memory.
    """
    ranks = np.zeros(len(cases), dtype=np.int64)

    def rank(part: Ints) -> Ints:
        return ranker(cases.users[part], cases.histories(part), exclude_seen)

    with reporter.task(name, len(cases)) as task:
        for part, items in by_length(rank, cases.positions, users):
            found = items == cases.targets[part][:, None]
            ranks[part] = np.where(found.any(1), found.argmax(1) + 1, 0)
            task.advance(len(part))
    return ranks

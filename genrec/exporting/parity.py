"""How close the exported graph comes to the torch module it was traced from, measured on the run's own users."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.data.tables import Sequences
from genrec.progress import Reporter
from genrec.scoring import Ranked, Scorer

SAME = 1e-4
"""Items whose scores differ by less may stand in either order (the design's "same list")."""

MOST_USERS = 256
_BATCH = 32


def measure_parity(
    torch: Scorer, onnx: Scorer, sequences: Sequences, k: int, reporter: Reporter
) -> dict[str, Any]:
    """Recommend to users of the run on both, with and without the items of their histories.

    Args:
        torch: The run.
        onnx: The bundle.
        sequences: The run's; up to 256 users are taken, evenly spread.
        k: Length of the lists.
        reporter: Receives progress.

    Returns:
        {"max_abs_diff": largest difference of two scores, "same_top_k": share of lists that are the same,
        "users": users compared, "lists": lists compared}.
    """
    count = len(sequences.lengths)
    chosen = np.unique(np.linspace(1, count, min(count, MOST_USERS)).astype(np.int64))
    chosen = chosen[np.argsort(sequences.lengths[chosen - 1], kind="stable")]  # little padding in a batch
    difference = 0.0
    same: list[bool] = []
    with reporter.task("compare with torch", 2 * len(chosen)) as task:
        for first in range(0, len(chosen), _BATCH):
            users = chosen[first : first + _BATCH]
            histories = [sequences.of(int(user)) for user in users]
            for exclude_seen in (True, False):
                left = torch(histories, users, exclude_seen, k=k)
                right = onnx(histories, users, exclude_seen, k=k)
                difference = max(difference, largest_difference(left, right))
                same.extend(same_lists(left, right))
                task.advance(len(users))
    return {
        "max_abs_diff": difference,
        "same_top_k": float(np.mean(same)) if same else 1.0,
        "users": len(chosen),
        "lists": len(same),
    }


def largest_difference(left: Ranked, right: Ranked) -> float:
    """The largest difference of two scores at the same place; infinite where only one has an item there."""
    one, other = left[1].astype(np.float64), right[1].astype(np.float64)
    if (np.isfinite(one) != np.isfinite(other)).any():
        return float("inf")
    both = np.isfinite(one)
    return float(np.abs(one[both] - other[both]).max(initial=0.0))


def same_lists(left: Ranked, right: Ranked, tolerance: float = SAME) -> NDArray[np.bool_]:
    """Whether two lists are the same: bool [batch].

    Same items in the same order, but items whose scores differ by less than `tolerance` may be swapped, and at
    the end of the list one may stand for the other.
    """
    return np.array([_same(*pair, tolerance) for pair in zip(*left, *right, strict=True)], dtype=bool)


def _same(
    items: NDArray[np.int64],
    scores: NDArray[np.float32],
    others: NDArray[np.int64],
    other_scores: NDArray[np.float32],
    tolerance: float,
) -> bool:
    filled = items > 0
    if (filled != (others > 0)).any() or (np.isfinite(scores) != np.isfinite(other_scores)).any():
        return False
    if (np.abs(scores[filled] - other_scores[filled]) >= tolerance).any():
        return False
    place = {int(item): n for n, item in enumerate(others[filled])}
    last = other_scores[filled][-1] if filled.any() else 0.0
    for n in np.flatnonzero(items != others):
        elsewhere = other_scores[place[int(items[n])]] if int(items[n]) in place else last
        if abs(scores[n] - elsewhere) >= tolerance:
            return False
    return True

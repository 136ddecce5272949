"""The protocol: who is evaluated, on what history, and what happens when memory runs out."""

import numpy as np
import pytest

from genrec.data.tables import Sequences
from genrec.errors import GenRecError
from genrec.evaluation.protocol import make_cases, rank_targets
from genrec.evaluation.rankers import PopularityRanker
from genrec.scoring import BATCH_USERS

SEQUENCES = Sequences(np.array([5, 1, 2, 3, 4, 4, 6, 7, 8, 9], np.int32), np.array([0, 4, 6, 7, 10]))
"""Users 1: 5 1 2 3, 2: 4 4, 3: 6, 4: 7 8 9."""


def listed(cases):
    whole = np.arange(len(cases))
    histories = [[int(item) for item in row if item] for row in cases.histories(whole)]
    return sorted(zip(cases.users.tolist(), histories, cases.targets.tolist(), strict=True))


def test_test_histories_hold_the_validation_item():
    assert listed(make_cases(SEQUENCES, "test")) == [(1, [5, 1, 2], 3), (2, [4], 4), (4, [7, 8], 9)]


def test_validation_needs_three_interactions():
    assert listed(make_cases(SEQUENCES, "valid")) == [(1, [5, 1], 2), (4, [7], 8)]


def test_targets_in_the_history_are_counted():
    assert make_cases(SEQUENCES, "test").seen_share() == pytest.approx(1 / 3)


def test_a_sample_is_seeded_and_nobody_twice():
    rows = np.arange(1, 5001, dtype=np.int32)
    sequences = Sequences(rows, np.arange(0, 5001, 5))
    first, again, other = (make_cases(sequences, "test", 50, seed).users for seed in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist()
    assert len(set(first.tolist())) == 50


def test_nobody_to_evaluate_is_an_error():
    with pytest.raises(GenRecError, match="two interactions"):
        make_cases(Sequences(np.array([1, 2], np.int32), np.array([0, 1, 2])), "test")


class Oracle:
    """Puts the last item of the history plus one on the second place; remembers the batches."""

    def __init__(self, most: int = 10**9) -> None:
        self.most, self.batches = most, []

    def __call__(self, users, histories, exclude_seen):
        if len(users) > self.most:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        self.batches.append(len(users))
        last = np.array([row[row > 0][-1] for row in histories])
        return np.stack([np.full(len(users), 10**6), last + 1], axis=1)


def test_ranks_are_places_in_the_list():
    cases = make_cases(SEQUENCES, "test")
    ranks = dict(zip(cases.users.tolist(), rank_targets(Oracle(), cases).tolist(), strict=True))
    assert ranks == {1: 2, 2: 0, 4: 2}


def many(users: int = 300) -> Sequences:
    return Sequences(np.tile(np.arange(1, 6, dtype=np.int32), users), np.arange(0, 5 * users + 1, 5))


def test_running_out_of_memory_halves_the_batch_and_skips_nobody():
    ranker = Oracle(most=BATCH_USERS // 4)
    assert (rank_targets(ranker, make_cases(many(), "test")) == 2).all()
    assert sum(ranker.batches) == 300
    assert max(ranker.batches) == BATCH_USERS // 4


def test_popularity_counts_the_training_part_and_breaks_ties_by_index():
    rows = [[3, 3, 3, 9, 9], [2, 2, 5, 9, 9], [5, 2, 8, 9, 9]]
    flat = np.concatenate([np.array(row, np.int32) for row in rows])
    sequences = Sequences(flat, np.array([0, 5, 10, 15]))
    ranker = PopularityRanker(sequences, item_count=9, k=3)
    histories = np.array([[3, 3, 0], [2, 8, 5]])
    assert ranker(np.array([1, 2]), histories, False).tolist() == [[2, 3, 5], [2, 3, 5]]
    assert ranker(np.array([1, 2]), histories, True).tolist() == [[2, 5, 8], [3, 1, 4]]


def test_popularity_with_everything_seen_has_empty_places():
    ranker = PopularityRanker(SEQUENCES, item_count=9, k=9)
    ranked = ranker(np.array([1]), np.array([[1, 2, 3, 4, 5, 6, 7]]), True)
    assert ranked[0].tolist() == [8, 9, 0, 0, 0, 0, 0, 0, 0]

"""Batches by length: everybody once, in order, within the bounds."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.batching import by_length, score_many
from genrec.errors import GenRecError

LENGTHS = st.lists(st.integers(0, 50), max_size=60)


@given(LENGTHS, st.integers(1, 9), st.integers(1, 120))
def test_everybody_once_longest_first_within_the_bounds(lengths, users, numbers):
    batches = [places for places, _ in by_length(lambda places: None, lengths, users, numbers)]
    order = np.concatenate([np.empty(0, int), *batches])
    assert sorted(order.tolist()) == list(range(len(lengths)))
    assert all(lengths[one] >= lengths[other] for one, other in pairwise(order))
    for places in batches:
        assert len(places) <= users
        assert len(places) == 1 or len(places) * max(lengths[place] for place in places) <= numbers


def test_batches_are_as_large_as_they_may_be():
    sizes = [len(places) for places, _ in by_length(len, [4] * 9 + [0] * 8, users=5, numbers=12)]
    assert sizes == [3, 3, 3, 5, 3]


class Memory:
    """Runs out of memory above a number of padded numbers."""

    def __init__(self, lengths, most, error):
        self.lengths, self.most, self.error, self.sizes = lengths, most, error, []

    def __call__(self, places):
        if len(places) * max(self.lengths[place] for place in places) > self.most:
            raise self.error
        self.sizes.append(len(places))
        return places * 2


class OnnxError(Exception):
    """onnxruntime's errors are plain exceptions."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
        OnnxError("BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer of size 92160000"),
    ],
)
def test_running_out_of_memory_halves_the_batch(error):
    lengths = [8] * 40 + [2] * 40
    memory = Memory(lengths, most=64, error=error)
    made = np.zeros(80, int)
    for places, result in by_length(memory, lengths, users=64):
        made[places] = result
    assert (made == 2 * np.arange(80)).all()
    assert memory.sizes == [8] * 5 + [32, 8]


def test_one_that_does_not_fit_is_an_error():
    with pytest.raises(GenRecError, match="one user alone does not fit into memory"):
        list(by_length(Memory([9, 9], 8, MemoryError()), [9, 9]))


def test_other_errors_go_on_their_way():
    with pytest.raises(OnnxError, match="shapes differ"):
        list(by_length(Memory([9, 9], 8, OnnxError("shapes differ")), [9, 9]))


class Echo:
    """Answers with what it was asked: the user, the sums of the lists, and k."""

    backend, provider, trouble = "none", "none", None
    batch_users = 128

    def __init__(self):
        self.batches = []

    def __call__(self, history, users, exclude_seen=True, banned=None, allowed=None, k=None):
        self.batches.append(len(users))
        rows = [history, banned or [()] * len(users), allowed or [()] * len(users)]
        items = np.array([list(users), *([sum(map(int, row)) for row in one] for one in rows)], np.int64)
        return items.T.reshape(len(users), 4), np.full((len(users), 4), k if exclude_seen else 0, np.float32)


@given(st.lists(st.lists(st.integers(1, 9), max_size=30), max_size=20), st.booleans())
def test_answers_come_in_the_order_of_the_users(histories, excluded):
    banned = [history[:2] for history in histories]
    allowed = [history[1:] for history in histories]
    users = list(range(len(histories)))
    items, scores = score_many(Echo(), histories, users, excluded, banned, allowed, 7)
    wanted = [[user, *map(sum, lists)] for user, lists in enumerate(zip(histories, banned, allowed, strict=True))]
    assert items.tolist() == wanted
    assert (scores == (7 if excluded else 0)).all()


def test_long_lists_make_small_batches():
    scorer, done = Echo(), []
    score_many(scorer, [[1]] * 5, [0] * 5, banned=[range(600_000)] * 5, k=1, advance=done.append)
    assert scorer.batches == done == [3, 2]

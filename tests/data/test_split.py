"""Leave-one-out: no overlap, nothing lost, order kept, input untouched."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.data.split import targets, train_lengths, train_part
from genrec.errors import GenRecError
from tests.data.helpers import sequences

USERS = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=7), min_size=1, max_size=8)


def test_short_users_keep_what_there_is():
    assert train_lengths(np.array([1, 2, 3, 10])).tolist() == [1, 1, 1, 8]


def test_targets_by_hand():
    data = sequences([5], [5, 6], [5, 6, 7], [1, 2, 3, 4])
    users, positions = targets(data, "test")
    assert users.tolist() == [2, 3, 4]
    assert positions.tolist() == [1, 2, 3]
    users, positions = targets(data, "valid")
    assert users.tolist() == [3, 4]
    assert positions.tolist() == [1, 2]


def test_unknown_split_is_refused():
    with pytest.raises(GenRecError, match="test, valid"):
        targets(sequences([1, 2]), "train")


def test_no_users():
    empty = sequences()
    assert train_part(empty).lengths.tolist() == []
    assert targets(empty, "test")[0].tolist() == []


@given(USERS)
def test_parts_are_disjoint_and_complete(users):
    data = sequences(*users)
    before = data.items.copy()
    train = train_part(data)
    parts = {user: train.of(user).tolist() for user in range(1, len(users) + 1)}
    for split in ("valid", "test"):
        for user, position in zip(*targets(data, split), strict=True):
            assert len(parts[user]) == position  # nothing between the parts, nothing in both
            parts[user].append(int(data.of(user)[position]))
    assert [parts[user] for user in sorted(parts)] == users
    assert (data.items == before).all()
    assert train.items.dtype == np.int32


@given(USERS)
def test_who_is_evaluated(users):
    data = sequences(*users)
    assert targets(data, "test")[0].tolist() == [i for i, items in enumerate(users, 1) if len(items) >= 2]
    assert targets(data, "valid")[0].tolist() == [i for i, items in enumerate(users, 1) if len(items) >= 3]

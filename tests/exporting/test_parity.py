"""When two lists count as the same."""

import numpy as np
import pytest

from genrec.exporting.parity import largest_difference, same_lists


def ranked(items, scores):
    return np.array([items], np.int64), np.array([scores], np.float32)


BASE = ranked([7, 3, 5, 0], [-1.0, -2.0, -2.00005, -np.inf])


@pytest.mark.parametrize(
    ("items", "scores", "same"),
    [
        ([7, 3, 5, 0], [-1.0, -2.0, -2.00005, -np.inf], True),
        ([7, 5, 3, 0], [-1.0, -2.0, -2.00005, -np.inf], True),  # nearly equal scores may stand in either order
        ([3, 7, 5, 0], [-1.0, -2.0, -2.00005, -np.inf], False),
        ([7, 3, 9, 0], [-1.0, -2.0, -2.00003, -np.inf], True),  # at the end, one near tie for another
        ([9, 3, 5, 0], [-1.0, -2.0, -2.00005, -np.inf], False),
        ([7, 3, 5, 0], [-1.0, -2.2, -2.20005, -np.inf], False),  # the same items with other scores
        ([7, 3, 0, 0], [-1.0, -2.0, -np.inf, -np.inf], False),
        ([7, 3, 5, 6], [-1.0, -2.0, -2.00005, -3.0], False),
        ([7, 3, 5, 0], [-1.0, -2.0, -2.00005, -3e38], False),  # nothing has no score
    ],
)
def test_same_lists(items, scores, same):
    other = ranked(items, scores)
    assert same_lists(BASE, other).tolist() == [same]
    assert same_lists(other, BASE).tolist() == [same]


def test_largest_difference():
    assert largest_difference(BASE, ranked([7, 3, 5, 0], [-1.0, -2.5, -2.0, -np.inf])) == pytest.approx(0.5)
    assert largest_difference(BASE, ranked([7, 3, 0, 0], [-1.0, -2.0, -np.inf, -np.inf])) == np.inf

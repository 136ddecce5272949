"""Stretches of a flat array as rows of a matrix."""

import numpy as np
from numpy.typing import NDArray


def windows(flat: NDArray[np.int32], first: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
    """Stretches [first, end) of a flat array as rows, zeros on the right: int64 [rows, longest].

    >>> windows(np.array([7, 8, 9], np.int32), np.array([0, 2]), np.array([2, 3])).tolist()
    [[7, 8], [9, 0]]
    """
    step = np.arange(int((end - first).max(initial=0)))
    inside = step < (end - first)[:, None]
    return np.where(inside, flat[np.minimum(first[:, None] + step, len(flat) - 1)], 0).astype(np.int64)

"""Draws that depend on seed, epoch and example alone, so that a resumed run repeats those of an unbroken one."""

import numpy as np
from numpy.typing import NDArray


def uniform(seed: int, epoch: int, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """A number in [0, 1) for each number, from a hash of seed, epoch and number (splitmix64's finaliser)."""
    with np.errstate(over="ignore"):
        start = np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0]
        z = start + (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) / 2.0**53

"""Metrics against fractions computed by hand."""

import math

import numpy as np
import pytest

from genrec.evaluation.metrics import gains, hits, mean_interval, summarise, wilson_interval

RANKS = np.array([1, 2, 7, 0])


def test_hits_and_gains_by_hand():
    assert hits(RANKS, 1).tolist() == [1, 0, 0, 0]
    assert hits(RANKS, 10).tolist() == [1, 1, 1, 0]
    assert gains(RANKS, 5) == pytest.approx([1, 1 / math.log2(3), 0, 0])
    assert gains(RANKS, 10) == pytest.approx([1, 1 / math.log2(3), 1 / 3, 0])


def test_summary_names_and_values():
    metrics, intervals = summarise(RANKS, (1, 5, 10))
    assert list(metrics) == ["HR@1", "HR@5", "HR@10", "NDCG@5", "NDCG@10"]
    assert metrics["HR@5"] == 0.5
    assert metrics["NDCG@10"] == pytest.approx((1 + 1 / math.log2(3) + 1 / 3) / 4)
    assert all(low <= metrics[name] <= high for name, (low, high) in intervals.items())


def test_wilson_interval_by_hand():
    """10 of 100: (p + z2/2n -+ z sqrt(p(1-p)/n + z2/4n2)) / (1 + z2/n) = [0.0552, 0.1744]."""
    low, high = wilson_interval(0.1, 100)
    assert low == pytest.approx(0.0552, abs=1e-4)
    assert high == pytest.approx(0.1744, abs=1e-4)
    assert wilson_interval(0.0, 50)[0] == 0.0
    assert wilson_interval(0.0, 50)[1] > 0.05


def test_mean_interval_covers_the_mean_nineteen_times_in_twenty():
    rng = np.random.default_rng(0)
    samples = rng.random((1000, 100))
    covered = [low <= 0.5 <= high for low, high in map(mean_interval, samples)]
    assert 0.92 < np.mean(covered) < 0.98

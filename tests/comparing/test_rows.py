"""Rows by hand: which is best, the means over seeds, and the difference from the best."""

import numpy as np
import pytest

from genrec.comparing.rows import make_rows, summarise_seeds
from genrec.comparing.subjects import NOTHING, Subject
from genrec.evaluation.bootstrap import compare, compare_means

NEVER, ALWAYS = np.zeros(40, np.int64), np.ones(40, np.int64)
HALF = np.array([1, 0] * 20)


def rows(**ranks):
    subjects = [Subject(name, (), NOTHING) for name in ranks]
    return make_rows(subjects, list(ranks.values()), False, None)


def test_best_and_second_with_ties():
    found = {row["model"]: row for row in rows(a=[HALF], b=[ALWAYS], c=[NEVER], d=[HALF])}
    assert "NDCG@10" in found["b"]["best"]
    assert found["a"]["second"] == found["d"]["second"] == ["HR@1", "HR@5", "HR@10", "NDCG@5", "NDCG@10"]
    assert found["c"]["best"] == found["c"]["second"] == found["b"]["second"] == []
    (alone,) = rows(a=[HALF])
    assert alone["best"] == []
    assert alone["difference"] is None


def test_a_part_of_a_mixture_is_neither_best_nor_second():
    subjects = [
        Subject("a", (), NOTHING),
        Subject("a, model alone", (), NOTHING, part=True),
        Subject("b", (), NOTHING),
    ]
    whole, part, other = make_rows(subjects, [[HALF], [ALWAYS], [NEVER]], False, None)
    assert (len(whole["best"]), part["best"], part["second"], len(other["second"])) == (5, [], [], 5)
    assert whole["difference"] is None
    assert part["difference"]["difference"] == 0.5


def test_differences_are_from_the_best():
    half, always = rows(a=[HALF], b=[ALWAYS])
    assert always["difference"] is None
    found = half["difference"]
    assert (found["from"], found["metric"], found["difference"]) == ("b", "NDCG@10", -0.5)
    assert found["low"] < -0.5 < found["high"] < 0
    assert found["p"] < 0.001


def test_means_over_seeds():
    """One seed hits half of the users, another all: users' means are 1 and 1/2."""
    metrics, intervals, spread = summarise_seeds([HALF, ALWAYS])
    assert metrics["HR@1"] == 0.75
    assert spread["HR@1"] == pytest.approx(0.5 / np.sqrt(2))
    error = 1.959964 * np.std([1, 0.5] * 20, ddof=1) / np.sqrt(40)
    assert intervals["HR@1"] == pytest.approx((0.75 - error, 0.75 + error))
    assert summarise_seeds([HALF])[2] is None


def test_differences_of_means():
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 12, 300), rng.integers(0, 12, 300)
    assert compare_means([one], [other], (1, 10)) == compare(one, other, (1, 10))
    twice, once = compare_means([one, one], [other, other, other], (1, 10)), compare(one, other, (1, 10))
    for metric, found in once.items():
        assert twice[metric]["difference"] == pytest.approx(found["difference"])
        assert twice[metric]["low"] == pytest.approx(found["low"], abs=0.01)
    mixed = compare_means([HALF, ALWAYS], [NEVER], (1,))["HR@1"]
    assert mixed["difference"] == 0.75
    assert 0.5 < mixed["low"] < 0.75 < mixed["high"] < 1


def test_published_values_are_of_p5s_size():
    class Names:
        def of(self, model, indexing, exclude_seen):
            return model

    for settings, name in (
        ({"shape": "narrow", "weights": None}, "p5 narrow"),
        ({"shape": "base", "weights": None}, "p5 base"),
        ({"shape": None, "weights": "google-t5/t5-base"}, "p5 base"),
    ):
        subject = Subject("p5", (), {**NOTHING, "settings": settings})
        (row,) = make_rows([subject], [[HALF]], False, Names())
        assert row["published"] == name

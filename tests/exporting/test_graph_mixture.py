"""A transition prior and an item head inside recommender.onnx and torch, against sums item by item."""

import itertools
from collections import Counter

import numpy as np
import pytest

from genrec.data.followers import NEXT, Reach, count_followers
from genrec.data.split import train_part
from genrec.decoding.prior import FLOOR, TransitionPrior
from tests.exporting.graphs import TOLERANCE, Case
from tests.exporting.helpers import ENGINES
from tests.helpers import ITEMS
from tests.oracle import assert_exact

WEIGHT, SHARE = 0.6, 0.3
REACH = Reach(0.7, back=0.5)


@pytest.fixture(scope="module")
def followers(run):
    return count_followers(train_part(run.sequences), ITEMS, REACH)


@pytest.fixture(scope="module")
def mixed(run, followers, tmp_path_factory):
    """As many beams as items, and a prior."""
    prior = TransitionPrior(followers, REACH, WEIGHT)
    return Case(run.model, run.scheme, tmp_path_factory.mktemp("mixed") / "graph", ITEMS, ITEMS, prior)


@pytest.fixture(scope="module")
def headed(run, followers, tmp_path_factory):
    """As many beams as items, an item head and a prior."""
    run.model.config.mask_token, run.model.config.item_share = run.scheme.special.mask, SHARE
    prior = TransitionPrior(followers, REACH, WEIGHT)
    case = Case(run.model, run.scheme, tmp_path_factory.mktemp("headed") / "graph", ITEMS, ITEMS, prior)
    run.model.config.item_share = 0.0
    return case


def mixture(oracle, followers, history, user, share=0.0):
    """Log-probability of every item under what is ranked by, one item at a time."""
    counts = Counter()
    for back, item in enumerate([item for item in history if item][::-1][: REACH.steps]):
        for place in range(followers.starts[item], followers.starts[item + 1]):
            counts[int(followers.items[place])] += followers.counts[place] * 0.7**back
    total, weight = sum(counts.values()) or 1, WEIGHT if counts else 0.0
    real = [item for item in history if item]
    own = {item: np.exp(score) for item, score in oracle.scores(real, user).items()}
    prior = {item: counts[item] / total for item in own}
    if not share:
        return {item: float(np.log((1 - weight) * own[item] + weight * prior[item])) for item in own}
    head = oracle.item_probabilities(real, user)
    product = {item: head[item] * (prior[item] + FLOOR) ** WEIGHT for item in own}
    whole = sum(product.values())
    return {item: float(np.log((1 - share) * own[item] + share * product[item] / whole)) for item in own}


def check_mixture(case, engine, followers, share):
    rng = np.random.default_rng(5)
    assert len(followers.items)
    for length, user in itertools.product((0, 1, 3, 9), (0, 3)):
        history = [int(item) for item in rng.integers(1, ITEMS + 1, length)]
        padded = [*history[:2], 0, *history[2:], 0]
        exact = mixture(case.oracle, followers, padded, user, share)
        assert sum(map(np.exp, exact.values())) == pytest.approx(1, abs=1e-5)
        ban = sorted(int(item) for item in rng.choice(ITEMS, 5, replace=False) + 1)
        for exclude_seen, banned in itertools.product((False, True), ([], ban)):
            items, scores = case(engine, [padded], [user], exclude_seen, [banned])
            left = set(exact) - set(banned) - (set(history) if exclude_seen else set())
            assert_exact(items[0], scores[0], exact, left, TOLERANCE[engine])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_prior_is_mixed_item_by_item(mixed, followers, engine):
    check_mixture(mixed, engine, followers, share=0.0)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_prior_multiplies_an_item_head_which_is_mixed_item_by_item(headed, followers, engine):
    check_mixture(headed, engine, followers, SHARE)


@pytest.mark.parametrize("engine", ENGINES)
def test_few_beams_find_what_the_prior_is_sure_of(run, tmp_path, engine):
    """Also where the model, by itself, would never keep the prefix."""
    followers = count_followers(train_part(run.sequences), ITEMS, NEXT)
    case = Case(run.model, run.scheme, tmp_path / "graph", 3, 3, TransitionPrior(followers, NEXT, 0.999))
    for item in range(1, ITEMS + 1):
        start, end = followers.starts[item], followers.starts[item + 1]
        if start < end and (end - start < 2 or followers.counts[start] > followers.counts[start + 1]):
            assert case(engine, [[item]], [0])[0][0, 0] == followers.items[start]

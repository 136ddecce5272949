"""recommender.onnx against brute force and against torch, on every shape and number a caller may send."""

import itertools
from collections import Counter

import numpy as np
import onnx
import pytest
import torch

from genrec.exporting import graph
from genrec.exporting.graph import export_graph
from genrec.indexing.scheme import own_scheme
from tests.data.helpers import sequences
from tests.exporting.graphs import TOLERANCE, Case
from tests.exporting.helpers import ENGINES, feed, open_graph, ranked_by
from tests.helpers import ITEMS, USERS, make_model
from tests.oracle import assert_exact


@pytest.fixture(scope="module")
def wide(run, tmp_path_factory):
    """As many beams as items: the search is exact."""
    return Case(run.model, run.scheme, tmp_path_factory.mktemp("wide") / "graph", ITEMS, ITEMS)


@pytest.fixture(scope="module")
def narrow(run, tmp_path_factory):
    """The usual 20 beams."""
    return Case(run.model, run.scheme, tmp_path_factory.mktemp("narrow") / "graph", 20, 20)


@pytest.mark.parametrize("engine", ENGINES)
def test_equals_brute_force(wide, engine):
    rng = np.random.default_rng(1)
    for length, user in itertools.product((0, 1, 5, 30), (0, 3)):
        history = [int(item) for item in rng.integers(1, ITEMS + 1, length)]
        exact = wide.oracle.scores(history, user)
        everything = set(exact)
        ban = sorted(int(item) for item in rng.choice(ITEMS, 5, replace=False) + 1)
        allow = sorted(int(item) for item in rng.choice(ITEMS, 12, replace=False) + 1)
        for exclude_seen, banned, allowed in itertools.product((False, True), ([], ban), ([], allow)):
            items, scores = wide(engine, [history], [user], exclude_seen, [banned], [allowed])
            left = (set(allowed) or everything) - set(banned) - (set(history) if exclude_seen else set())
            assert_exact(items[0], scores[0], exact, left, TOLERANCE[engine])


@pytest.fixture(scope="module")
def greedy(run, tmp_path_factory):
    """A single beam."""
    return Case(run.model, run.scheme, tmp_path_factory.mktemp("greedy") / "graph", 1, 1)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_single_beam_finds_an_allowed_item_with_its_score(greedy, engine):
    rng = np.random.default_rng(4)
    for _ in range(30):
        history = rng.integers(1, ITEMS + 1, 5)
        allow = rng.choice(ITEMS, 3, replace=False) + 1
        ban = [*allow[:2], *(rng.choice(ITEMS, 10, replace=False) + 1)]
        for banned, allowed in ((ban, []), ([], allow), (allow[:2], allow)):
            items, scores = greedy(engine, [history], [0], True, [banned], [allowed])
            left = (set(allowed) or set(range(1, ITEMS + 1))) - set(banned) - set(history)
            exact = greedy.oracle.scores(history.tolist(), 0)
            assert (int(items[0, 0]) in left) if left else items[0, 0] == 0
            assert not left or scores[0, 0] == pytest.approx(exact[int(items[0, 0])], abs=TOLERANCE[engine])


@pytest.mark.parametrize("engine", ENGINES)
def test_probabilities_of_the_catalogue_sum_to_one(wide, engine):
    _, scores = wide(engine, [[1, 2, 3], [4, 0, 0]], [1, 0])
    assert np.exp(scores.astype(np.float64)).sum(1) == pytest.approx([1, 1], abs=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_exclusions_never_change_a_score(wide, engine):
    items, scores = wide(engine, [[1, 2, 3]], [1])
    plain = dict(zip(items[0], scores[0], strict=True))
    items, scores = wide(engine, [[1, 2, 3]], [1], True, [[7, 9]])
    for item, score in zip(items[0], scores[0], strict=True):
        assert item == 0 or score == pytest.approx(plain[item], abs=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_thousand_random_requests(narrow, engine):
    rng = np.random.default_rng(2)
    for _ in range(50):
        batch, length, n, m = 20, rng.integers(0, 40), rng.integers(0, 30), rng.integers(0, 30)
        history = rng.integers(0, ITEMS + 1, (batch, length)) * (rng.random((batch, 1)) < 0.9)
        banned = rng.integers(0, ITEMS + 1, (batch, n))
        allowed = rng.integers(0, ITEMS + 1, (batch, m)) * (rng.random((batch, 1)) < 0.5)
        exclude_seen = bool(rng.random() < 0.7)
        items, scores = narrow(engine, history, rng.integers(0, USERS + 1, batch), exclude_seen, banned, allowed)
        for row in range(batch):
            left = set(allowed[row]) - {0} or set(range(1, ITEMS + 1))
            left -= set(banned[row]) | (set(history[row]) if exclude_seen else set())
            found = [int(item) for item in items[row] if item]
            assert set(found) <= left
            assert len(found) == len(set(found)) == min(narrow.k, len(left))
            assert (np.diff(scores[row][: len(found)]) <= 0).all()
            assert np.isfinite(scores[row][: len(found)]).all()
            assert (items[row][len(found) :] == 0).all()
            assert (scores[row][len(found) :] == -np.inf).all()


def test_torch_and_onnxruntime_agree_on_all_shapes_and_numbers(narrow):
    rng = np.random.default_rng(3)
    shapes = itertools.product((1, 2, 7), (0, 1, 3, 60), (0, 1, 4), (0, 2))
    for batch, length, n, m in shapes:
        request = (
            rng.integers(-5, ITEMS + 9, (batch, length)),
            rng.integers(-3, USERS + 9, batch),
            bool(rng.random() < 0.5),
            rng.integers(-5, ITEMS + 9, (batch, n)),
            rng.integers(-5, ITEMS + 9, (batch, m)),
        )
        items, scores = narrow("onnxruntime", *request)
        wanted, wanted_scores = narrow("torch", *request)
        assert items.dtype == np.int64
        assert scores.dtype == np.float32
        assert (items == wanted).all()
        np.testing.assert_allclose(scores, wanted_scores, atol=5e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_padding_and_foreign_numbers_say_nothing(narrow, engine):
    plain = narrow(engine, [[5, 6, 7]], [2], True)
    odd = narrow(engine, [[0, 5, -4, 6, 0, 7, ITEMS + 1, 0]], [2], True, [[0, -1, 10**12]], [[0, 0]])
    assert (plain[0] == odd[0]).all()
    np.testing.assert_allclose(plain[1], odd[1], atol=1e-5)
    unknown = narrow(engine, [[5, 6, 7]], [0], True)
    for number in (USERS + 1, -1, 10**12):
        stranger = narrow(engine, [[5, 6, 7]], [number], True)
        assert (stranger[0] == unknown[0]).all()
        np.testing.assert_allclose(stranger[1], unknown[1], atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("number", [ITEMS + 1, -9])
def test_an_allow_list_without_a_known_item_allows_nothing(narrow, engine, number):
    items, _ = narrow(engine, [[5], [5]], [2, 2], True, [[], []], [[number, 0], [0, 7]])
    assert not items[0].any()
    assert items[1].tolist() == [7] + [0] * (len(items[1]) - 1)


@pytest.mark.parametrize("engine", ENGINES)
def test_everything_banned(narrow, engine):
    items, scores = narrow(engine, [[1]], [1], False, [range(1, ITEMS + 1)])
    assert (items == 0).all()
    assert (scores == -np.inf).all()


def test_only_standard_operators_without_control_flow(narrow):
    model = onnx.load(narrow.path)
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    kinds = Counter((node.domain, node.op_type) for node in walk(model.graph))
    assert {domain for domain, _ in kinds} == {""}
    assert not {"Loop", "If", "Scan", "SequenceMap"} & {kind for _, kind in kinds}
    assert {node.name: list(axes(node)) for node in model.graph.input} == {
        "history": ["batch", "length"],
        "user": ["batch"],
        "exclude_seen": [],
        "banned": ["batch", "n"],
        "allowed": ["batch", "m"],
    }
    assert {node.name: list(axes(node)) for node in model.graph.output} == {
        "items": ["batch", 20],
        "scores": ["batch", 20],
    }


def walk(part):
    """All nodes, those of graphs inside nodes included."""
    for node in part.node:
        yield node
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs]:
                yield from walk(inner)


def axes(value):
    for dimension in value.type.tensor_type.shape.dim:
        yield dimension.dim_param or dimension.dim_value


@pytest.mark.parametrize("opset", [17, 20])
def test_other_opsets(narrow, tmp_path, opset):
    export_graph(narrow.module, 20, tmp_path, opset)
    model = onnx.load(tmp_path / "recommender.onnx")
    assert model.opset_import[0].version == opset
    feed = {
        "history": np.array([[1, 2]]),
        "user": np.array([1]),
        "exclude_seen": np.array(True),
        "banned": np.zeros((1, 0), np.int64),
        "allowed": np.zeros((1, 0), np.int64),
    }
    items, _ = open_graph(tmp_path / "recommender.onnx").run(None, feed)
    assert (items == narrow("torch", [[1, 2]], [1], True)[0]).all()


def test_a_large_model_keeps_its_weights_in_a_file_beside(run, tmp_path, monkeypatch):
    monkeypatch.setattr(graph, "EXTERNAL_OVER", 1)
    case = Case(run.model, run.scheme, tmp_path / "graph", 20, 20)
    assert case.files == ["recommender.onnx", "recommender.onnx.data"]
    assert sorted(path.name for path in case.path.parent.iterdir()) == case.files
    assert (case("onnxruntime", [[1, 2]], [1])[0] == case("torch", [[1, 2]], [1])[0]).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_lists_longer_than_the_catalogue(tmp_path, engine):
    scheme = own_scheme(sequences([1, 2, 3], [2]), 3, "random", seed=0)
    case = Case(make_model(scheme, users=2), scheme, tmp_path / "graph", k=8, beams=2)
    items, scores = case(engine, [[1, 2]], [1])
    assert_exact(items[0], scores[0], case.oracle.scores([1, 2], 1), {1, 2, 3}, TOLERANCE[engine])


@pytest.mark.parametrize("engine", ENGINES)
def test_equal_scores_are_ranked_by_item(tmp_path, engine):
    scheme = own_scheme(sequences([1, 2, 3], [2]), 30, "random", seed=0)
    model = make_model(scheme, users=2)
    with torch.no_grad():
        model.model.shared.weight.zero_()
        model.final_logits_bias.zero_()
    case = Case(model, scheme, tmp_path / "graph", k=30, beams=30)
    items, scores = case(engine, [[1, 2]], [1])
    for score in np.unique(scores):
        assert (np.diff(items[scores == score]) > 0).all()


def test_nothing_infinite_is_ranked(narrow):
    """onnxruntime's TopK on CUDA puts numbers of its own before -inf."""
    session, names = ranked_by(narrow.path)
    allowed = np.array([[3, 5], [0, 0]])
    ranked = session.run(names, feed([[1, 2], [4, 0]], [1, 0], True, None, allowed))
    assert len(ranked) >= 3  # two levels of the trie or more, and the list
    assert all(np.isfinite(scores).all() and (scores[0] < -1e29).any() for scores in ranked)

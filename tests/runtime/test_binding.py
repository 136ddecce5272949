"""Running with inputs and outputs bound to a device."""

import numpy as np
import onnxruntime
import pytest

from genrec.runtime import Recommender
from genrec.runtime.binding import run_bound
from genrec.runtime.providers import CUDA, TENSORRT

OUTPUTS = ["items", "scores"]


def feed(batch=3, length=5, listed=0, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "history": rng.integers(0, 41, (batch, length)),
        "user": rng.integers(0, 31, batch),
        "exclude_seen": np.asarray(True),
        "banned": rng.integers(0, 41, (batch, listed)),
        "allowed": np.zeros((batch, 0), np.int64),
    }


@pytest.mark.parametrize("shape", [(1, 1, 0), (3, 5, 0), (4, 0, 2), (2, 30, 7)])
def test_equals_a_plain_run(trained, shape):
    session = Recommender(trained.bundle).session
    request = feed(*shape)
    for bound, plain in zip(
        run_bound(session, "cpu", OUTPUTS, request), session.run(OUTPUTS, request), strict=True
    ):
        assert bound.dtype == plain.dtype
        assert np.array_equal(bound, plain)


def test_results_outlive_the_next_run(trained):
    session = Recommender(trained.bundle).session
    first = run_bound(session, "cpu", OUTPUTS, feed())
    kept = [array.copy() for array in first]
    for seed in range(1, 4):
        run_bound(session, "cpu", OUTPUTS, feed(seed=seed))
    assert all(np.array_equal(array, copy) for array, copy in zip(first, kept, strict=True))


def test_inputs_that_are_not_in_one_piece(trained):
    session = Recommender(trained.bundle).session
    request = feed(6, 8)
    strided = {**request, "history": request["history"][::2, ::-2], "user": request["user"][::2]}
    strided |= {name: request[name][::2] for name in ("banned", "allowed")}
    whole = {name: array.copy() for name, array in strided.items()}
    wanted = session.run(OUTPUTS, whole)
    assert np.array_equal(run_bound(session, "cpu", OUTPUTS, strided)[0], wanted[0])


class Bound:
    """A session whose device is pretended: remembers where things were bound, and computes on the CPU."""

    def __init__(self, session):
        self.session, self.outputs, self.inputs = session, {}, {}

    def io_binding(self):
        self.binding = self.session.io_binding()
        return self

    def bind_ortvalue_input(self, name, value):
        self.inputs[name] = value.shape()
        self.binding.bind_ortvalue_input(name, value)

    def bind_output(self, name, device):
        self.outputs[name] = device
        self.binding.bind_output(name, "cpu")

    def run_with_iobinding(self, binding):
        self.session.run_with_iobinding(self.binding)

    def copy_outputs_to_cpu(self):
        return self.binding.copy_outputs_to_cpu()


@pytest.fixture
def devices(monkeypatch):
    """Devices that inputs were copied to."""
    copied = []
    real = onnxruntime.OrtValue.ortvalue_from_numpy

    def copy(array, device):
        copied.append(device)
        return real(array, "cpu")

    monkeypatch.setattr(onnxruntime.OrtValue, "ortvalue_from_numpy", copy)
    return copied


@pytest.mark.parametrize("provider", [CUDA, TENSORRT])
def test_on_a_gpu_everything_is_bound_to_it(trained, devices, provider):
    scorer = Recommender(trained.bundle)
    scorer.session, scorer.provider = Bound(scorer.session), provider
    scorer([[1, 2]], [1])
    assert devices == ["cuda"] * 5
    assert scorer.session.outputs == {"items": "cuda", "scores": "cuda"}


def test_tensorrt_sees_few_widths_and_the_answers_stay(trained, devices):
    scorer = Recommender(trained.bundle)
    request = ([[1, 2, 3, 4, 5], [6]], [1, 2], True, [[7, 8, 9], []])
    wanted = scorer(*request)
    scorer.session, scorer.provider = Bound(scorer.session), TENSORRT
    items, scores = scorer(*request)
    assert np.array_equal(items, wanted[0])
    np.testing.assert_allclose(scores, wanted[1], atol=1e-5)
    widths = {name: scorer.session.inputs[name][1] for name in ("history", "banned", "allowed")}
    assert widths == {"history": 8, "banned": 4, "allowed": 1}


def test_warming_up_runs_the_smallest_and_the_largest(trained, monkeypatch):
    shapes = []
    scorer = Recommender(trained.bundle)
    real = scorer.session.run

    def run(outputs, request):
        shapes.append(request["history"].shape)
        return real(outputs, request)

    monkeypatch.setattr(scorer.session, "run", run)
    scorer.warm_up([1, 8])
    assert shapes == [(1, 1), (1, 24), (8, 1), (8, 24)]

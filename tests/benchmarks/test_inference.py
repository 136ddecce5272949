"""The peer of benchmarks/inference.py: on the same weights, Hugging Face's beam search finds what genrec finds."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from genrec.decoding.scorer import TorchScorer
from genrec.indexing.scheme import own_scheme
from tests.data.helpers import sequences
from tests.helpers import make_model

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def peer_class(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield pytest.importorskip("huggingface_peer").HuggingFacePeer
    sys.modules.pop("huggingface_peer")


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("beams", [3, 20])
def test_hugging_face_finds_the_same(peer_class, depth, beams):
    """Beams fewer than items: the two searches prune alike."""
    items = 60
    scheme = own_scheme(sequences([1, 2, 3], [2]), items, "random", seed=depth, depth=depth)
    model = make_model(scheme, users=9, seed=beams)
    history, users = [[1, 2, 3, 50], [7], [], [60, 60, 59]], [1, 9, 0, 4]
    wanted, wanted_scores = peer_class(model, scheme, beams)(history, users)
    found, scores = TorchScorer(model, scheme, beams)(history, users, exclude_seen=False, k=beams)
    np.testing.assert_allclose(scores, wanted_scores, atol=1e-4)
    assert (found == wanted).all()
    assert torch.isfinite(torch.from_numpy(scores)).all()

"""P5's bundle: the graph against its module, which tests/baselines compares with brute force; and what it says."""

import json

import numpy as np
import onnx
import pytest
import torch

import genrec
from genrec.baselines.p5.recommender import P5Recommender, load_p5
from genrec.baselines.settings import make_baseline_config
from genrec.data.dataset import load_dataset
from genrec.errors import GenRecError
from genrec.exporting.graph import is_standard
from genrec.exporting.verify import verify
from genrec.model.checkpoint import finish_run, start_run
from genrec.training.p5 import BuiltP5
from tests.exporting.helpers import TwoWays
from tests.helpers import ITEMS, USERS, make_dataset

K = 10


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Random weights, under which scores differ clearly."""
    folder = tmp_path_factory.mktemp("p5")
    data = load_dataset(make_dataset(folder / "data"))
    settings = {"d_model": 16, "heads": 2, "ffn_dim": 32, "max_length": 6}
    built = BuiltP5(make_baseline_config({"model": "p5", **settings}), data)
    with torch.no_grad():
        built.model.whole_words.weight.normal_()
        built.model.shared.weight.mul_(3)
    (folder / "run").mkdir()
    start_run(folder / "run", data, built.config, built.scheme)
    finish_run(folder / "run", built.model)
    return folder / "run"


@pytest.fixture(scope="module")
def bundle(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "bundle"
    result = genrec.export(run, folder, k=K)
    assert result["parity"]["same_top_k"] == 1.0
    assert (result["model_type"], result["beams"], result["indexing"]) == ("p5", 20, "sequential")
    return folder


def test_the_graph_is_its_module_for_all_batches_and_lengths(run, bundle):
    found = load_p5(run)
    case = TwoWays(P5Recommender(found.model, found.scheme, 20, K).eval(), bundle / "recommender.onnx")
    rng = np.random.default_rng(0)
    for batch, length in ((1, 0), (1, 3), (5, 30)):
        history, user = rng.integers(-1, ITEMS + 3, (batch, length)), rng.integers(-1, USERS + 3, batch)
        banned, allowed = rng.integers(0, ITEMS + 1, (batch, 4)), np.zeros((batch, 3), np.int64)
        allowed[1:3] = rng.integers(1, ITEMS + 1, allowed[1:3].shape)
        asked = (history, user, True, banned, allowed)
        (items, scores), (others, same) = case("torch", *asked), case("onnxruntime", *asked)
        assert (items == others).all()
        np.testing.assert_allclose(scores, same, atol=1e-4)


def test_the_bundle_answers_as_its_run_and_says_what_it_holds(run, bundle):
    model = onnx.load(bundle / "recommender.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert is_standard(model)
    assert verify(bundle)["same"]
    assert genrec.evaluate(run)["metrics"] == genrec.evaluate(bundle)["metrics"]
    assert json.loads((bundle / "manifest.json").read_text())["max_length"] == 6
    text = (bundle / "README.md").read_text()
    assert "at most 6 items; the newest items are kept" in text
    assert "nothing in them would make p5's prompts" in text
    assert not (bundle / "encoder_model.onnx").exists()


def test_smaller_numbers_are_refused(run, tmp_path):
    with pytest.raises(GenRecError, match=r"stays in fp32: .*T5 has none; export it without --quantize int8"):
        genrec.export(run, tmp_path / "bundle", quantize="int8")

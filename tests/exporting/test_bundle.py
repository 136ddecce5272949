"""The bundle: what is in it, what it says of itself, and that it runs without genrec."""

import json
import re
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest
import torch

from genrec.errors import GenRecError, OutputExistsError
from genrec.exporting import sources
from genrec.exporting.bundle import export
from genrec.files import describe_files
from genrec.indexing.scheme import own_scheme
from genrec.model.checkpoint import load_run
from genrec.runtime import Recommender
from tests.data.helpers import sequences
from tests.helpers import ITEMS, USERS, edit_run, make_dataset, make_run, write_dataset

FILES = {
    "README.md",
    "config.json",
    "decoder_model.onnx",
    "decoder_with_past_model.onnx",
    "encoder_model.onnx",
    "golden.json",
    "item_tokens.parquet",
    "items.parquet",
    "recommender.onnx",
    "sequences.parquet",
    "user_tokens.parquet",
    "users.parquet",
}


def manifest_of(bundle):
    return json.loads((bundle / "manifest.json").read_text())


def test_manifest_describes_the_bundle(trained):
    manifest = manifest_of(trained.bundle)
    assert {path.name for path in trained.bundle.iterdir()} == FILES | {"manifest.json"}
    assert manifest["files"] == describe_files(trained.bundle, sorted(FILES))
    run = load_run(trained.run)
    expected = {
        "format_version": 1,
        "k": 10,
        "beams": 20,
        "opset": 18,
        "quantize": "none",
        "tolerance": 1e-4,
        "depth": run.scheme.depth,
        "max_length": run.config.max_length,
        "user_count": USERS,
        "item_count": ITEMS,
        "indexing": run.scheme.indexing,
        "leaky": False,
    }
    assert {name: manifest[name] for name in expected} == expected
    assert manifest["dataset"]["checksum"] == run.info["dataset"]["checksum"]
    session = onnxruntime.InferenceSession(trained.bundle / "recommender.onnx", providers=["CPUExecutionProvider"])
    for side, nodes in (("inputs", session.get_inputs()), ("outputs", session.get_outputs())):
        assert [(entry["name"], entry["shape"]) for entry in manifest[side]] == [(n.name, n.shape) for n in nodes]
        types = {"int64": "tensor(int64)", "bool": "tensor(bool)", "float32": "tensor(float)"}
        assert [types[entry["dtype"]] for entry in manifest[side]] == [node.type for node in nodes]


def test_parity_is_measured(trained):
    parity = manifest_of(trained.bundle)["parity"]
    assert parity["users"] == USERS
    assert parity["lists"] == 2 * USERS
    assert parity["same_top_k"] == 1.0
    assert 0 < parity["max_abs_diff"] < 1e-4


def test_the_card_says_what_works(trained):
    """Its Python runs as it stands, in the bundle's folder, without genrec."""
    text = (trained.bundle / "README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=trained.bundle, capture_output=True, text=True, check=True
    )
    assert "leaky" not in text
    printed = re.findall(r"\('(i\d+)', np\.float32\((-[\d.]+)\)\)", done.stdout)
    items, scores = Recommender(trained.bundle)([[1, 2]], [0])
    assert [item for item, _ in printed] == [f"i{item}" for item in items[0]]
    assert [float(score) for _, score in printed] == pytest.approx(scores[0].tolist(), abs=1e-5)


@torch.inference_mode()
def test_optimums_graphs_step_as_torch_does(trained):
    """With another batch size and other lengths than those that were traced."""
    model = load_run(trained.run).model
    rng = np.random.default_rng(0)
    shape = (3, 9)
    ids = {
        "input_ids": rng.integers(4, model.config.vocab_size, shape),
        "attention_mask": (np.arange(9) < [[9], [5], [7]]).astype(np.int64),
        "user_ids": rng.integers(0, USERS + 1, shape),
        "item_ids": rng.integers(0, ITEMS + 1, shape),
    }
    decoder_ids = rng.integers(4, model.config.vocab_size, (3, 2))
    tensors = {name: torch.from_numpy(value) for name, value in ids.items()}
    wanted = model(**tensors, decoder_input_ids=torch.from_numpy(decoder_ids)).logits.numpy()

    encoder, decoder, with_past = (
        onnxruntime.InferenceSession(trained.bundle / f"{name}.onnx", providers=["CPUExecutionProvider"])
        for name in ("encoder_model", "decoder_model", "decoder_with_past_model")
    )
    (states,) = encoder.run(None, ids)
    mask = {"encoder_attention_mask": ids["attention_mask"]}
    first = decoder.run(None, {"input_ids": decoder_ids[:, :1], "encoder_hidden_states": states, **mask})
    named = dict(zip([node.name for node in decoder.get_outputs()], first, strict=True))
    np.testing.assert_allclose(named["logits"], wanted[:, :1], atol=1e-4)
    past = {name.replace("present", "past_key_values"): value for name, value in named.items() if name != "logits"}
    second = with_past.run(["logits"], {"input_ids": decoder_ids[:, 1:], **mask, **past})
    np.testing.assert_allclose(second[0], wanted[:, 1:], atol=1e-4)


def test_without_histories(tmp_path):
    run = make_run(tmp_path / "run", make_dataset(tmp_path / "data"))
    result = export(run, tmp_path / "bundle", k=3, beams=2, histories=False)
    assert set(result["files"]) == FILES - {"users.parquet", "sequences.parquet"}
    assert (result["k"], result["beams"]) == (3, 3)
    assert "left out" in (tmp_path / "bundle" / "README.md").read_text()


def test_a_leaky_run_says_so(tmp_path):
    write_dataset(tmp_path / "data", ["a", "b"], ["x", "y", "z"], [[1, 2, 3], [3, 1]])
    scheme = own_scheme(sequences([1, 2, 3], [3, 1]), 3, "leaky-sequential", seed=0)
    run = make_run(tmp_path / "run", tmp_path / "data", scheme)
    metrics = {"epoch": 1, "valid": {"HR@1": 0.25, "NDCG@10": 0.5}}
    edit_run(run, result={"best": metrics})
    result = export(run, tmp_path / "bundle")
    assert result["leaky"]
    assert manifest_of(tmp_path / "bundle")["metrics"] == metrics
    text = (tmp_path / "bundle" / "README.md").read_text()
    assert "**leaky**" in text
    assert "| NDCG@10 (leaky) | 0.5000 |" in text


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"k": 0}, "k is 0"),
        ({"beams": 0}, "beams is 0"),
        ({"opset": 14}, "opset is 14, give 17 to 20"),
        ({"quantize": "int4"}, "choose one of: none, int8, fp16"),
        ({"target": "tpu"}, "target is 'tpu', give bundle or triton"),
        ({"k": 0, "opset": 21}, "k is 0, give 1 or more; opset is 21"),
    ],
)
def test_wrong_arguments(trained, tmp_path, options, told):
    with pytest.raises(GenRecError, match=told):
        export(trained.run, tmp_path / "bundle", **options)
    assert not list(tmp_path.iterdir())


def test_an_existing_output_stays(trained, tmp_path):
    (tmp_path / "bundle").mkdir()
    with pytest.raises(OutputExistsError):
        export(trained.run, tmp_path / "bundle")


def test_other_folders_are_refused(trained, tmp_path):
    with pytest.raises(GenRecError, match="is a dataset, not a run"):
        export(trained.dataset, tmp_path / "bundle")
    with pytest.raises(GenRecError, match="is a bundle, not a run"):
        export(trained.bundle, tmp_path / "bundle")
    run = make_run(tmp_path / "run", trained.dataset)
    edit_run(run, status="training")
    with pytest.raises(GenRecError, match="did not finish"):
        export(run, tmp_path / "bundle")


def test_nothing_is_left_of_a_failed_export(trained, tmp_path, monkeypatch):
    def fail(*arguments):
        raise GenRecError("a graph differs")

    monkeypatch.setattr(sources, "export_split", fail)
    with pytest.raises(GenRecError, match="differs"):
        export(trained.run, tmp_path / "bundle")
    assert not list(tmp_path.iterdir())


def test_a_model_of_very_short_inputs(tmp_path):
    """Optimum's sample with a past is one step longer than the sample without."""
    data = make_dataset(tmp_path / "data")
    run = make_run(tmp_path / "run", data, max_length=8)
    export(run, tmp_path / "bundle", k=5)
    assert (tmp_path / "bundle/decoder_with_past_model.onnx").exists()


def test_weights_of_a_run_are_as_readable_as_its_settings(trained):
    assert (trained.run / "model.safetensors").stat().st_mode == (trained.run / "config.json").stat().st_mode

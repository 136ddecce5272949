"""What is said of a quantised bundle: hand-made lists with known figures, and a bundle from end to end."""

import json
from pathlib import Path

import numpy as np
import pytest

import genrec
from genrec.exporting import comparison
from genrec.exporting.bundle import export
from genrec.exporting.comparison import compare
from genrec.progress import SILENT
from tests.data.helpers import sequences
from tests.helpers import USERS


class Fixed:
    """A graph that answers everybody with the same lists, chosen by user."""

    provider = "CPUExecutionProvider"
    batch_users = 128

    def __init__(self, path, size, lists):
        path.mkdir()
        (path / "recommender.onnx").write_bytes(b"x" * size)
        self.path, self.lists = path, np.array(lists)
        self.k = self.lists.shape[1]

    def __call__(self, histories, users, exclude_seen):
        assert not exclude_seen
        return self.lists[np.asarray(users) - 1], None


class Warnings:
    """Remembers what a user would be warned of."""

    def __init__(self):
        self.told = []
        self.task = SILENT.task

    def warn(self, message):
        self.told.append(message)


def test_figures_by_hand(tmp_path):
    """Validation items are 3, 5 and 4; the third list is short."""
    log = sequences([1, 3, 2], [4, 5, 1], [5, 4, 3])
    fp32 = Fixed(tmp_path / "a", 900, [[3, 1, 2], [1, 5, 2], [1, 2, 0]])
    int8 = Fixed(tmp_path / "b", 300, [[3, 1, 2], [5, 1, 3], [1, 0, 0]])
    reporter = Warnings()
    result = compare(fp32, int8, log, "int8", reporter)
    assert (result["fp32"]["bytes"], result["int8"]["bytes"]) == (900, 300)
    assert result["fp32"]["HR@3"] == result["int8"]["HR@3"] == pytest.approx(2 / 3)
    assert result["fp32"]["NDCG@3"] == pytest.approx((1 + 1 / np.log2(3)) / 3)
    assert result["int8"]["NDCG@3"] == pytest.approx(2 / 3)
    assert result["overlap"] == pytest.approx((1 + 2 / 3 + 1 / 2) / 3)
    assert result["identical"] == pytest.approx(1 / 3)
    assert (result["users"], result["sampled"], result["split"]) == (3, False, "valid")
    assert any("72.2% of their items in common" in told for told in reporter.told)
    assert not any("loses" in told for told in reporter.told)
    result = compare(int8, fp32, log, "int8", reporter)
    assert any(f"loses {1 - (1 + 1 / np.log2(3)) / 2:.1%} of NDCG@3" in told for told in reporter.told)


def test_a_sample_where_all_take_too_long(tmp_path, monkeypatch):
    monkeypatch.setattr(comparison, "SECONDS", 0)
    monkeypatch.setattr(comparison, "FEWEST", 4)
    log = sequences(*[[1, 2, 3]] * 9)
    fp32, fp16 = (Fixed(tmp_path / name, 1, [[1, 2]] * 9) for name in "ab")
    result = compare(fp32, fp16, log, "fp16", Warnings())
    assert (result["users"], result["sampled"], result["identical"]) == (4, True, 1.0)


def test_nobody_has_a_validation_item(tmp_path):
    fp32, fp16 = (Fixed(tmp_path / name, 1, [[1, 2]] * 2) for name in "ab")
    result = compare(fp32, fp16, sequences([1, 2], [2]), "fp16", Warnings())
    assert (result["users"], result["split"], result["overlap"]) == (2, None, 1.0)
    assert set(result["fp32"]) == {"bytes", "users_per_second", "milliseconds"}


@pytest.mark.parametrize("kind", ["int8", "fp16"])
def test_a_bundle_that_every_command_reads(trained, tmp_path, kind):
    bundle = tmp_path / "bundle"
    result = export(trained.run, bundle, k=10, quantize=kind)
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert (manifest["quantize"], result["quantize"]) == (kind, kind)
    assert manifest["comparison"] == result["comparison"]
    assert manifest["tolerance"] > 1e-4
    assert set(manifest["files"]) == {path.name for path in bundle.iterdir()} - {"manifest.json"}
    measured = result["comparison"]
    assert measured[kind]["bytes"] == manifest["files"]["recommender.onnx"]["bytes"]
    assert measured["fp32"]["bytes"] == (trained.bundle / "recommender.onnx").stat().st_size
    assert measured["overlap"] > 0.7
    assert min(figures["users_per_second"] for figures in (measured["fp32"], measured[kind])) > 0
    assert manifest["parity"]["max_abs_diff"] > 0
    found = {
        name: genrec.evaluate(path, split="valid") for name, path in (("fp32", trained.bundle), (kind, bundle))
    }
    for name, evaluated in found.items():
        assert evaluated["users"] == measured["users"] <= USERS
        for metric in ("NDCG@10", "HR@10"):
            assert evaluated["metrics"][metric] == pytest.approx(measured[name][metric], abs=0.08)
    assert len(genrec.load(bundle).recommend(user="u3", k=5)["items"]) == 5
    card = Path(bundle / "README.md").read_text()
    assert f"| | fp32 | {kind} |" in card
    assert "They are in fp32" in card

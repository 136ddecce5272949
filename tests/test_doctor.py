"""What doctor makes of a broken environment."""

import pytest

from genrec import doctor


@pytest.fixture
def versions(monkeypatch):
    """Pretend that packages are missing (None) or of another version."""
    pretended: dict[str, str | None] = {}
    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: pretended.get(name, real(name)))
    return pretended


def problems_of():
    found = doctor.examine()
    return found, {problem["problem"]: problem for problem in found["problems"]}


def test_a_missing_package_and_an_old_one(versions):
    versions |= {"duckdb": None, "pyarrow": "3.0"}
    found, problems = problems_of()
    assert not found["ok"]
    assert found["packages"]["duckdb"] is None
    assert problems["duckdb is not installed"]["remedy"].startswith("pip install 'duckdb>=")
    assert any(text.startswith("pyarrow 3.0 does not fit >=") for text in problems)


def test_both_onnxruntimes_are_in_conflict(versions):
    versions |= {"onnxruntime": "1.20", "onnxruntime-gpu": "1.31"}
    found, problems = problems_of()
    assert not found["ok"]
    assert "pip uninstall" in problems["onnxruntime and onnxruntime-gpu overwrite each other's files"]["remedy"]


def test_a_gpu_that_cannot_be_used_is_told_but_not_fatal(monkeypatch):
    monkeypatch.setattr(doctor, "nvidia_visible", lambda: True)
    monkeypatch.setattr(
        doctor, "_trouble", lambda name, model: None if name == doctor.CPU else "libcublas is missing"
    )
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    found, problems = problems_of()
    assert found["ok"]
    assert any("onnxruntime cannot use the GPU" in text for text in problems)
    assert any("torch cannot use the GPU" in text for text in problems)

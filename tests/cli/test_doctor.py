"""`genrec doctor` from outside."""

import json

from tests.command import call


def test_doctor(tmp_path):
    done = call("doctor", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["ok"]
    providers = found["providers"]
    assert {"TensorrtExecutionProvider", "CUDAExecutionProvider"} < set(providers)
    assert providers["CPUExecutionProvider"] == {"works": True, "why": None, "remedy": None}
    for state in providers.values():
        assert state["works"] == (state["why"] is None) == (state["remedy"] is None)
        assert state["works"] or "\n" not in state["why"]
    assert 1 <= found["threads"] <= found["cores"]
    assert found["packages"]["torch"]
    assert found["memory"]["total_bytes"] > found["memory"]["available_bytes"] > 0
    shown = call("doctor")
    assert shown.returncode == 0
    assert "onnxruntime on CPU" in shown.stdout

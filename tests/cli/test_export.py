"""`genrec export` from outside: outputs, exit codes and one-line errors."""

import json
import re
import shutil
import subprocess
import sys

from genrec.exporting.content import write_manifest
from tests.command import call, fails


def test_export_prints_one_json_document(folders):
    result = json.loads((folders / "export.json").read_text())
    assert result["bundle"] == str(folders / "bundle")
    assert result["files"]["recommender.onnx"]["bytes"] == (folders / "bundle" / "recommender.onnx").stat().st_size
    assert result["parity"]["same_top_k"] == 1.0
    assert 0 < result["parity"]["max_abs_diff"] < 1e-4


def test_export_says_what_it_made(folders, tmp_path):
    done = call("export", folders / "run", "-o", tmp_path / "bundle", "--no-histories", "--opset", 17)
    assert done.returncode == 0, done.stderr
    for text in ("recommender.onnx", "Lists of 20 items by 20 beams, opset 17", "100.0% the same"):
        assert text in done.stdout
    assert "users.parquet" not in done.stdout
    assert done.stderr == ""


def test_export_quantized(folders, tmp_path):
    """A table for people, one JSON document for programs."""
    shown = call("export", folders / "run", "-o", tmp_path / "table", "--quantize", "int8")
    assert shown.returncode == 0, shown.stderr
    for text in ("int8 / fp32", "users/s, batches of 32", "ms, one user", "NDCG@10", "HR@10", "of the lists are"):
        assert text in shown.stdout
    done = call("export", folders / "run", "-o", tmp_path / "json", "--quantize", "fp16", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["quantize"] == "fp16"
    assert {"fp32", "fp16", "overlap", "identical", "users", "batch"} <= set(result["comparison"])
    answer = call("recommend", tmp_path / "json", "u3", "--json")
    assert len(json.loads(answer.stdout)["items"]) == 10, answer.stderr


def test_export_refuses(folders, tmp_path):
    run = folders / "run"
    fails("export", run, "-o", folders / "bundle", message="already exists")
    fails("export", folders / "data", "-o", tmp_path / "x", message="is a dataset, not a run")
    fails("export", tmp_path / "nothing", "-o", tmp_path / "x", message="does not exist")
    fails("export", run, "-o", tmp_path / "x", "--opset", 14, message="opset is 14, give 17 to 20")
    fails("export", run, "-o", tmp_path / "x", "--quantize", "int4", message="int4", code=2)
    fails("export", run, message="--output", code=2)
    broken = tmp_path / "broken"
    shutil.copytree(run, broken)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    fails("export", broken, "-o", tmp_path / "x", message="model.safetensors is damaged")
    assert not (tmp_path / "x").exists()


def test_export_for_triton(folders, tmp_path):
    done = call("export", folders / "run", "-o", tmp_path / "triton", "--target", "triton", "--k", 3)
    assert done.returncode == 0, done.stderr
    for text in ("run/config.pbtxt", "run/1/model.onnx", "run/1/items.parquet", "100.0% the same"):
        assert text in done.stdout
    fails("recommend", tmp_path / "triton" / "run" / "1", "u3", message="was made for triton")


def test_verify(folders):
    done = call("export", "--verify", folders / "bundle")
    assert done.returncode == 0, done.stderr
    assert re.search(r"a visitor +yes +\d\.\de[+-]\d\d", done.stdout)
    assert "12 files are whole" in done.stdout
    done = call("export", "--verify", folders / "bundle", "--json")
    result = json.loads(done.stdout)
    assert result["same"]
    assert result["provider"] == "CPUExecutionProvider"
    assert {"name", "same", "max_abs_diff"} == set(result["requests"][0])


def test_verify_tells_a_different_answer(folders, tmp_path):
    """Another model under the same golden.json, checksums made right: only the answers tell."""
    bundle = tmp_path / "bundle"
    shutil.copytree(folders / "bundle", bundle)
    golden = json.loads((bundle / "golden.json").read_text())
    golden["requests"][1]["outputs"]["scores"]["data"][0] += 0.25
    (bundle / "golden.json").write_text(json.dumps(golden))
    fails("export", "--verify", bundle, message="golden.json is damaged")
    manifest = json.loads((bundle / "manifest.json").read_text())
    write_manifest(bundle, manifest, list(manifest["files"]))
    for options in ([], ["--json"]):
        done = call("export", "--verify", bundle, *options)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert f"1 of {len(golden['requests'])} requests" in done.stderr
        assert "a visitor, seen items allowed; see genrec doctor" in done.stderr
    assert [row["name"] for row in json.loads(done.stdout)["requests"] if not row["same"]] == [
        "a visitor, seen items allowed"
    ]


def test_verify_refuses(folders, tmp_path):
    bundle, run = folders / "bundle", folders / "run"
    fails("export", "--verify", run, message="is a run, not a bundle")
    fails("export", "--verify", tmp_path / "none", message="does not exist")
    fails("export", "--verify", bundle, run, message="leave out RUN", code=2)
    fails("export", "--verify", bundle, "-o", tmp_path / "x", message="leave out --output", code=2)
    fails("export", "--verify", bundle, "--k", 5, message="leave out --k", code=2)
    damaged = tmp_path / "damaged"
    shutil.copytree(bundle, damaged)
    (damaged / "encoder_model.onnx").write_bytes(b"")
    fails("export", "--verify", damaged, message="encoder_model.onnx is damaged")


def test_verify_imports_no_torch(folders):
    code = (
        "import sys\n"
        "from genrec_cli.main import app\n"
        f"try: app(['export', '--verify', {str(folders / 'bundle')!r}])\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'torch', 'transformers', 'optimum', 'onnx', 'duckdb'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)

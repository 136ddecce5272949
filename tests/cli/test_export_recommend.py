"""`genrec export`, `recommend` and `doctor` from outside: outputs, exit codes and one-line errors."""

import fcntl
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios

import pyarrow.parquet as pq
import pytest

from genrec.exporting.content import write_manifest
from tests.command import call
from tests.helpers import make_dataset, make_run, write_dataset


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A run and the bundle that the command line made of it."""
    root = tmp_path_factory.mktemp("cli")
    run = make_run(root / "run", make_dataset(root / "data"))
    done = call("export", run, "-o", root / "bundle", "--k", 10, "--json")
    assert done.returncode == 0, done.stderr
    (root / "export.json").write_text(done.stdout)
    return root


def fails(*arguments, message, code=1):
    """One line on stderr, no traceback, nothing on stdout."""
    done = call(*arguments)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    if code == 1:
        assert done.stderr.strip().count("\n") == 0, done.stderr


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


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_recommend_as_a_table(folders, kind):
    done = call("recommend", folders / kind, "u3", "--k", 3)
    assert done.returncode == 0, done.stderr
    history, _, ranked = done.stdout.partition("Next for user u3")
    assert history.startswith("History of user u3: all items")
    for text in ("rank", "item", "title", "attributes", "score", "genre", "a score is a log-probability"):
        assert text in ranked
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_recommend_as_json_alike_on_run_and_bundle(folders):
    results = []
    for kind in ("run", "bundle"):
        done = call("recommend", folders / kind, "--history", '["i1", "nope"]', "--k", 4, "--json")
        assert done.returncode == 0, done.stderr
        assert "skipped: nope" in done.stderr
        results.append(json.loads(done.stdout))
    left, right = results
    assert (left["user"], left["known_user"], left["unknown_history"]) == (None, False, ["nope"])
    assert [row["item"] for row in left["items"]] == [row["item"] for row in right["items"]]
    assert {"rank", "item", "score", "title"} <= set(left["items"][0])
    repeated = call(
        "recommend", folders / "bundle", "--history", "i1", "--history", "i2", "--json", "--include-seen"
    )
    assert [row["item"] for row in json.loads(repeated.stdout)["history"]] == ["i1", "i2"]


def test_recommend_in_a_narrow_terminal(tmp_path):
    """Long IDs are folded, never cut."""
    long = "item-" + "0123456789" * 5
    write_dataset(tmp_path / "data", ["u1", "u2"], [long, "b", "c"], [[1, 2], [3, 1]])
    make_run(tmp_path / "run", tmp_path / "data")
    command = [sys.executable, "-m", "genrec_cli", "recommend", str(tmp_path / "run"), "u1", "--include-seen"]
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 60, 0, 0))
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    done = subprocess.run(
        command, stdout=follower, stderr=subprocess.PIPE, timeout=120, env={**env, "TERM": "xterm"}
    )
    os.close(follower)
    assert done.returncode == 0, done.stderr
    lines = re.sub(r"\x1b\[[0-9;]*m", "", os.read(leader, 100_000).decode()).splitlines()
    os.close(leader)
    assert max(map(len, lines)) <= 60
    assert "".join(line[6:].split(" ")[0] for line in lines if re.search(r"item-|\d{6}", line)).count("9") >= 5
    assert "…" not in "".join(lines)


def test_recommend_with_lists_of_items(folders, tmp_path):
    (tmp_path / "allow.txt").write_text("i1\n\ni2\r\ni3\nnope\n")
    (tmp_path / "deny.txt").write_text("i2\n")
    lists = ("--allow", tmp_path / "allow.txt", "--deny", tmp_path / "deny.txt")
    done = call("recommend", folders / "bundle", "u3", "--include-seen", "--json", *lists)
    assert sorted(row["item"] for row in json.loads(done.stdout)["items"]) == ["i1", "i3"]
    assert "1 items of the --allow list are not in the model's catalogue" in done.stderr
    fails("recommend", folders / "bundle", "u3", "--deny", tmp_path / "none.txt", message="cannot be read")


def test_recommend_to_a_file_of_users(folders, tmp_path):
    (tmp_path / "users.csv").write_text("user,history\nu1,\n,i1 i2\n")
    request = (
        "recommend",
        folders / "bundle",
        "--users-file",
        tmp_path / "users.csv",
        "-o",
        tmp_path / "out.parquet",
    )
    done = call(*request, "--k", 2)
    assert done.returncode == 0, done.stderr
    assert "recommendations" in done.stdout
    assert pq.read_table(tmp_path / "out.parquet")["user"].to_pylist() == ["u1", "u1", None, None]
    fails(*request, message="already exists")
    done = call(*request, "--force", "--json")
    assert json.loads(done.stdout)["rows"] == 20


def test_recommend_to_everybody(folders, tmp_path):
    bundle, out = folders / "bundle", tmp_path / "recs"
    done = call("recommend", bundle, "--all-users", "-o", out, "--shard", "2/3", "--k", 2, "--json")
    result = json.loads(done.stdout)
    assert (result["parts"], result["kept_parts"], result["paths"]) == (
        3,
        0,
        [str(out / "part-00002-of-00003.parquet")],
    )
    assert result["users_per_second"] > 0
    done = call("recommend", bundle, "--all-users", "-o", out, "--parts", 3, "--k", 2)
    assert re.search(r"parts +│ 3, of which 1 were finished before", done.stdout)
    fails("recommend", bundle, "--all-users", "-o", out, "--parts", 3, message="other settings (k)")


def test_users_from_standard_input(folders, tmp_path):
    command = [sys.executable, "-m", "genrec_cli", "recommend", folders / "bundle", "--users-file", "-", "--json"]
    done = subprocess.run(
        [*command, "-o", tmp_path / "out.parquet"], input=b"user\nu1\nx\n", stdout=subprocess.PIPE
    )
    result = json.loads(done.stdout)
    assert (result["users"], result["known_users"]) == (2, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_recommend_refuses(folders, tmp_path):
    bundle = folders / "bundle"
    fails("recommend", bundle, "nobody", message="--history ITEM")
    fails("recommend", bundle, "--history", "nope", message="no item of the history is in the model's catalogue")
    fails("recommend", bundle, "u3", "--k", 11, message="at most 10")
    fails("recommend", bundle, "u3", "--k", 0, message="k is 0")
    fails("recommend", folders / "data", "u3", message="is a dataset, not a run or a bundle")
    fails("recommend", bundle, "u3", "--device", "tpu", message="device 'tpu' is unknown")
    fails("recommend", bundle, "u3", "--data", folders / "run", message="is a run, not a dataset")
    fails("recommend", bundle, message="give a USER", code=2)
    fails("recommend", bundle, "--users-file", "x.csv", message="needs --output", code=2)
    fails("recommend", bundle, "--all-users", "-o", "x", "--shard", "5/4", message="is no shard", code=2)
    fails("recommend", bundle, "u3", "-o", "x.parquet", message="belongs to --users-file", code=2)
    damaged = tmp_path / "damaged"
    shutil.copytree(bundle, damaged)
    (damaged / "recommender.onnx").write_bytes(b"")
    fails("recommend", damaged, "u3", message="recommender.onnx is damaged")


def test_cuda_asked_for_and_absent(folders):
    for kind in ("run", "bundle"):
        done = call("recommend", folders / kind, "u3", "--device", "cuda", env={"CUDA_VISIBLE_DEVICES": "-1"})
        assert done.returncode == 1
        assert "use --device cpu, or see genrec doctor" in done.stderr
        assert done.stderr.strip().count("\n") == 0


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


def test_provider_and_threads(folders):
    bundle, run = folders / "bundle", folders / "run"
    done = call("recommend", bundle, "u1", "--provider", "cpu", "--threads", 1, "--json")
    assert json.loads(done.stdout)["provider"] == "CPUExecutionProvider", done.stderr
    fails("recommend", bundle, "u1", "--provider", "cuda", "--device", "cpu", message="contradict each other")
    fails("recommend", run, "u1", "--provider", "cpu", message="is a run, which torch computes")
    fails("eval", run, "--against", "popularity", "--threads", 1, message="is a run, which torch computes")
    fails("recommend", bundle, "u1", "--provider", "gpu", message="tensorrt", code=2)
    fails("recommend", bundle, "u1", "--threads", 0, message="--threads", code=2)
    done = call("eval", bundle, "--against", run, "--provider", "cpu", "--threads", 1, "--json")
    result = json.loads(done.stdout)
    assert (result["provider"], result["against"][0]["provider"]) == ("CPUExecutionProvider", "cpu")


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_provider_that_does_not_work_is_one_line(folders, provider):
    bundle = folders / "bundle"
    environment = {"CUDA_VISIBLE_DEVICES": ""}  # also where there is a GPU
    done = call("recommend", bundle, "u1", "--provider", provider, env=environment)
    assert done.returncode == 1
    assert f"--provider {provider} was asked for, but onnxruntime cannot use {provider}: no NVIDIA" in done.stderr
    assert done.stderr.strip().count("\n") == 0


def test_a_gpu_that_onnxruntime_cannot_use_is_one_line_beside_the_answer(folders, tmp_path):
    (tmp_path / "nvidia-smi").touch(mode=0o755)  # a driver seems to be there
    search = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    for command in (("recommend", folders / "bundle", "u1"), ("eval", folders / "bundle")):
        done = call(*command, "--json", env={"PATH": search, "CUDA_VISIBLE_DEVICES": "0"})
        assert done.returncode == 0, done.stderr
        if json.loads(done.stdout)["provider"] == "CUDAExecutionProvider":
            pytest.skip("this machine has CUDA")
        assert json.loads(done.stdout)["provider"] == "CPUExecutionProvider"
        assert done.stderr.count("onnxruntime cannot use cuda: ") == 1
        assert done.stderr.strip().count("\n") == 0, done.stderr

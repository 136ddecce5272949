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

from tests.helpers import make_dataset, make_run, write_dataset


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A run and the bundle that the command line made of it."""
    root = tmp_path_factory.mktemp("cli")
    run = make_run(root / "run", make_dataset(root / "data"))
    done = genrec("export", run, "-o", root / "bundle", "--k", 10, "--json")
    assert done.returncode == 0, done.stderr
    (root / "export.json").write_text(done.stdout)
    return root


def genrec(*arguments, **environment):
    command = [sys.executable, "-m", "genrec_cli", *map(str, arguments)]
    env = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=env)


def fails(*arguments, message, code=1):
    """One line on stderr, no traceback, nothing on stdout."""
    done = genrec(*arguments)
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
    done = genrec("export", folders / "run", "-o", tmp_path / "bundle", "--no-histories", "--opset", 17)
    assert done.returncode == 0, done.stderr
    for text in ("recommender.onnx", "Lists of 20 items by 20 beams, opset 17", "100.0% the same"):
        assert text in done.stdout
    assert "users.parquet" not in done.stdout
    assert done.stderr == ""


def test_export_quantized(folders, tmp_path):
    """A table for people, one JSON document for programs."""
    shown = genrec("export", folders / "run", "-o", tmp_path / "table", "--quantize", "int8")
    assert shown.returncode == 0, shown.stderr
    for text in ("int8 / fp32", "users/s, batches of 32", "ms, one user", "NDCG@10", "HR@10", "of the lists are"):
        assert text in shown.stdout
    done = genrec("export", folders / "run", "-o", tmp_path / "json", "--quantize", "fp16", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["quantize"] == "fp16"
    assert {"fp32", "fp16", "overlap", "identical", "users", "batch"} <= set(result["comparison"])
    answer = genrec("recommend", tmp_path / "json", "u3", "--json")
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


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_recommend_as_a_table(folders, kind):
    done = genrec("recommend", folders / kind, "u3", "--k", 3)
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
        done = genrec("recommend", folders / kind, "--history", '["i1", "nope"]', "--k", 4, "--json")
        assert done.returncode == 0, done.stderr
        assert "skipped: nope" in done.stderr
        results.append(json.loads(done.stdout))
    left, right = results
    assert (left["user"], left["known_user"], left["unknown_history"]) == (None, False, ["nope"])
    assert [row["item"] for row in left["items"]] == [row["item"] for row in right["items"]]
    assert {"rank", "item", "score", "title"} <= set(left["items"][0])
    repeated = genrec(
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
    done = genrec("recommend", folders / "bundle", "u3", "--include-seen", "--json", *lists)
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
    done = genrec(*request, "--k", 2)
    assert done.returncode == 0, done.stderr
    assert "recommendations" in done.stdout
    assert pq.read_table(tmp_path / "out.parquet")["user"].to_pylist() == ["u1", "u1", None, None]
    fails(*request, message="already exists")
    done = genrec(*request, "--force", "--json")
    assert json.loads(done.stdout)["rows"] == 20


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
    fails("recommend", bundle, "u3", "-o", "x.parquet", message="belongs to --users-file", code=2)
    damaged = tmp_path / "damaged"
    shutil.copytree(bundle, damaged)
    (damaged / "recommender.onnx").write_bytes(b"")
    fails("recommend", damaged, "u3", message="recommender.onnx is damaged")


def test_cuda_asked_for_and_absent(folders):
    for kind in ("run", "bundle"):
        done = genrec("recommend", folders / kind, "u3", "--device", "cuda", CUDA_VISIBLE_DEVICES="-1")
        assert done.returncode == 1
        assert "use --device cpu, or see genrec doctor" in done.stderr
        assert done.stderr.strip().count("\n") == 0


def test_doctor(tmp_path):
    done = genrec("doctor", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["ok"]
    assert found["providers"]["CPUExecutionProvider"] == {"works": True, "why": None}
    assert found["packages"]["torch"]
    assert found["memory"]["total_bytes"] > found["memory"]["available_bytes"] > 0
    shown = genrec("doctor")
    assert shown.returncode == 0
    assert "onnxruntime on CPU" in shown.stdout

"""`genrec recommend` from outside: outputs, exit codes, one-line errors, and what computes."""

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

from tests.command import call, fails
from tests.helpers import make_run, write_dataset


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

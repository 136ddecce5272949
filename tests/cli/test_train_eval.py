"""`genrec train`, `pretrain`, `finetune` and `eval` from outside: outputs, exit codes and one-line errors."""

import json
import shutil

import pytest

from tests.command import call, fails
from tests.helpers import edit_run, make_dataset, make_run

QUICK = [
    text
    for setting in (
        "d_model=16",
        "heads=2",
        "ffn_dim=32",
        "pretrain_epochs=1",
        "finetune_epochs=1",
        "max_length=24",
    )
    for text in ("--set", setting)
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("cli")
    data = make_dataset(root / "data")
    return root, data, make_run(root / "run", data)


def test_train_prints_one_json_document(folders):
    root, data, _ = folders
    done = call("train", data, "-o", root / "trained", "--preset", "tiny", *QUICK, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["run"] == str(root / "trained")
    assert result["epochs"] == {"pretrain": 1, "finetune": 1}
    assert set(result["best"]) == {"epoch", "valid"}
    assert result["seconds"] > 0
    assert result["examples_per_second"] > 0
    names = {path.name for path in (root / "trained").iterdir()}
    assert {"config.json", "model.safetensors", "item_tokens.parquet", "metrics.jsonl", "run.json"} <= names
    assert {"users.parquet", "items.parquet", "sequences.parquet"} <= names
    assert "\x1b" not in done.stderr


def test_eval_in_a_pipe_is_a_plain_table_and_json_keeps_its_shape(folders):
    _, _, run = folders
    done = call("eval", run, "--against", "popularity")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    for text in ("HR@1", "HR@5", "HR@10", "NDCG@5", "NDCG@10", "popularity", "users", "95 % intervals"):
        assert text in done.stdout
    result = json.loads(call("eval", run, "--against", "popularity", "--exclude-seen", "--json").stdout)
    assert result["split"] == "test"
    assert set(result["metrics"]) == {"HR@1", "HR@5", "HR@10", "NDCG@5", "NDCG@10"}
    assert result["against"][0]["model"] == "popularity"
    assert result["against"][0]["metrics"].keys() == result["metrics"].keys()
    assert result["protocol"]["exclude_seen"] is True


@pytest.mark.parametrize("verb", ["train", "pretrain"])
def test_wrong_datasets(folders, verb):
    root, _, run = folders
    fails(verb, root / "absent", "-o", root / "new", message="does not exist")
    fails(verb, run, "-o", root / "new", message="is a run, not a dataset")
    assert not (root / "new").exists()


def test_wrong_settings_come_in_one_message(folders):
    root, data, _ = folders
    wrong = ["--set", "lerning_rate=1", "--set", "dropout=3", "--set", "seed=1", "--seed", "2"]
    done = call("train", data, "-o", root / "new", *wrong)
    assert done.returncode == 1
    assert "did you mean learning_rate?" in done.stderr
    assert "seed is given two values" in done.stderr
    fails("train", data, "-o", root / "new", "--set", "dropout=3", message="dropout = 3")
    fails("train", data, "-o", root / "new", "--set", "batch_size=0", message="batch_size = 0: Input should be")
    fails("train", data, "-o", root / "new", "--set", "precision=fp16", "--device", "cpu", message="needs a GPU")
    fails("train", data, "-o", root / "new", "--preset", "huge", message="bart-base, base, small, tiny")
    fails("train", data, "-o", root / "new", "--config", root / "no.toml", message="does not exist")
    fails("train", data, "-o", root / "new", "--save-every", "soon", message="30s, 5m or 1h", code=2)
    assert not (root / "new").exists()


def test_an_existing_output_is_refused_and_left_alone(folders):
    _, data, run = folders
    before = sorted(path.read_bytes() for path in run.iterdir())
    fails("train", data, "-o", run, message="--force")
    assert sorted(path.read_bytes() for path in run.iterdir()) == before


def test_cuda_that_is_absent(folders):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    root, data, run = folders
    fails("train", data, "-o", root / "new", "--device", "cuda", message="genrec doctor")
    fails("eval", run, "--device", "cuda", message="genrec doctor")


def test_damaged_and_unfinished_runs(folders, tmp_path):
    root, data, run = folders
    shutil.copytree(run, tmp_path / "cut")
    weights = (tmp_path / "cut/model.safetensors").read_bytes()
    (tmp_path / "cut/model.safetensors").write_bytes(weights[: len(weights) // 2])
    fails("eval", tmp_path / "cut", message="model.safetensors is damaged")
    fails("finetune", data, "-o", root / "new", "--from", tmp_path / "cut", message="model.safetensors is damaged")
    (tmp_path / "cut/model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    fails("eval", tmp_path / "cut", message="checksum differs")
    shutil.copytree(run, tmp_path / "open")
    edit_run(tmp_path / "open", status="training")
    fails("eval", tmp_path / "open", message="--resume")
    edit_run(tmp_path / "open", format_version=99)
    fails("eval", tmp_path / "open", message="upgrade genrec")


def test_eval_of_what_is_no_model(folders):
    root, data, run = folders
    fails("eval", data, message="is a dataset, not a run or a bundle")
    fails("eval", root / "absent", message="does not exist")
    fails("eval", run, "--against", "popular", message="popularity")
    fails("eval", run, "--k", "1,x", message="1,5,10", code=2)
    fails("eval", run, "--split", "train", message="valid", code=2)


def test_wrong_usage_is_short_and_exit_code_2():
    for arguments in (["train"], ["nothing"], ["eval", "--nonsense"]):
        done = call(*arguments)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) < 10
    assert call("--version").stdout.startswith("genrec ")

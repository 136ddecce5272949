"""`genrec train --model`, and what the other commands do with such a run."""

import json

import pyarrow as pa
import pytest

import genrec
from genrec.bulk.engine import recommend_to_many
from genrec.bulk.job import Job
from genrec.errors import GenRecError
from tests.baselines.helpers import sequences
from tests.command import call
from tests.helpers import make_dataset, make_run, save_dataset


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a dataset, a run of SASRec on it and one of GenRec."""
    folder = tmp_path_factory.mktemp("baselines")
    data = make_dataset(folder / "data")
    make_run(folder / "genrec", data)
    quick = ["--set", "d_model=8", "--set", "finetune_epochs=2", "--set", "batch_size=16"]
    done = call("train", data, "-o", folder / "sasrec", "--model", "sasrec", *quick, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["model"] == "sasrec"
    assert result["epochs"] == {"pretrain": 0, "finetune": 2}
    return folder


def test_the_run_has_the_files_of_a_run(place):
    names = {path.name for path in (place / "sasrec").iterdir()}
    assert {"config.json", "model.safetensors", "metrics.jsonl", "run.json", "users.parquet"} <= names
    assert "checkpoints" not in names
    assert json.loads((place / "sasrec/run.json").read_text())["config"]["model"] == "sasrec"


def test_it_and_genrec_are_evaluated_against_each_other(place):
    done = call("eval", place / "sasrec", "--against", place / "genrec", "--exclude-seen", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    again = genrec.evaluate(place / "genrec", against=[place / "sasrec"], exclude_seen=True)
    assert result["metrics"] == again["against"][0]["metrics"]
    assert result["against"][0]["metrics"] == again["metrics"]


def test_it_recommends_to_users_visitors_and_everybody(place):
    done = call("recommend", place / "sasrec", "u3", "--k", "5", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["known_user"]
    assert [row["rank"] for row in result["items"]] == [1, 2, 3, 4, 5]
    assert not {row["item"] for row in result["history"]} & {row["item"] for row in result["items"]}
    visitor = genrec.load(place / "sasrec").recommend(history=["i1"], deny=["i2"])
    assert len({row["item"] for row in visitor["items"]} - {"i1", "i2"}) == 10
    assert recommend_to_many(Job(place / "sasrec"), place / "all.parquet")["users"] == 30


def test_its_bundle_recommends_and_is_evaluated(place):
    done = call("export", place / "sasrec", "-o", place / "bundle", "--k", "10")
    assert done.returncode == 0, done.stderr
    assert "Lists of 10 items of all, each of which is scored, opset 18." in done.stdout
    assert call("export", "--verify", place / "bundle").returncode == 0
    answers = [call("recommend", place / kind, "u3", "--json") for kind in ("sasrec", "bundle")]
    lists = [[row["item"] for row in json.loads(done.stdout)["items"]] for done in answers]
    assert lists[0] == lists[1]
    done = call("eval", place / "bundle", "--json")
    assert json.loads(done.stdout)["metrics"] == genrec.evaluate(place / "sasrec")["metrics"]
    assert recommend_to_many(Job(place / "bundle"), place / "all-bundle.parquet")["users"] == 30
    done = call("export", place / "sasrec", "-o", place / "small", "--quantize", "int8")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "export it without --quantize int8" in done.stderr


def test_runs_names_the_model(place):
    rows = call("runs", place).stdout.splitlines()
    assert any("sasrec" in row and "finished" in row and "0+2" in row for row in rows)


def test_an_unknown_model_is_told_in_one_line(place):
    done = call("train", place / "data", "-o", place / "new", "--model", "sasrex")
    assert done.returncode == 1
    assert "model 'sasrex' is unknown, choose one of: genrec, " in done.stderr
    assert done.stderr.strip().count("\n") == 0, done.stderr
    assert not (place / "new").exists()


def test_attributes_are_read_where_there_are_any_else_asked_for(place):
    quick = ["--set", "d_model=8", "--set", "finetune_epochs=1", "--set", "pretrain_epochs=1"]
    done = call("train", place / "data", "-o", place / "s3rec", "--model", "s3rec", *quick, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["epochs"] == {"pretrain": 1, "finetune": 1}
    bare = place / "bare"
    bare.mkdir()
    save_dataset(bare, ["u"], pa.table({"item_id": ["a", "b"]}), sequences([[1, 2, 1, 2]]))
    done = call("train", bare, "-o", place / "new", "--model", "fdsa")
    assert done.returncode == 1
    assert "share no attributes, which fdsa reads; prepare the dataset with --items" in " ".join(
        done.stderr.split()
    )
    assert not (place / "new").exists()


def test_what_needs_a_run_of_genrec_says_so(place):
    with pytest.raises(GenRecError, match="is a run of sasrec; a run of GenRec is wanted"):
        genrec.finetune(place / "data", place / "new", start=place / "sasrec")
    assert not (place / "new").exists()

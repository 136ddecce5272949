"""A run with a prior or an item head: weighed by validation, used wherever the run is."""

import json
import shutil

import numpy as np
import pytest

import genrec
from genrec.data.dataset import load_dataset
from genrec.data.followers import REACHES, count_followers, load_followers
from genrec.data.split import train_part
from genrec.errors import GenRecError
from genrec.model.checkpoint import load_run
from tests.training.helpers import QUICK, chain_dataset


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A model that has learned next to nothing of a chain, which the counts know."""
    root = tmp_path_factory.mktemp("prior")
    dataset = chain_dataset(root / "chain")
    settings = {**QUICK, "prior": "transitions", "pretrain_epochs": 0, "finetune_epochs": 1}
    return dataset, root / "run", genrec.train(dataset, root / "run", settings=settings)


def test_validation_trusts_the_counts_more_than_a_weak_model(folders):
    _, run, result = folders
    tried = result["prior"]["tried"]
    assert result["prior"]["weight"] == max(tried, key=tried.get) > 0
    alone = tried[0.0]
    assert max(tried.values()) > alone + 0.2
    assert genrec.evaluate(run, exclude_seen=True)["metrics"]["HR@1"] > 0.9  # the item after n is n + 1
    assert load_run(run).prior.weight == result["prior"]["weight"]


def test_the_model_alone_stands_beside_it(folders):
    _, run, _ = folders
    result = genrec.evaluate(run, exclude_seen=True, against=["transitions"])
    transitions, alone = result["against"]
    assert (transitions["model"], alone["model"]) == ("transitions", f"{run}, model alone")
    assert alone["metrics"]["HR@1"] < 0.5 < result["metrics"]["HR@1"]
    assert alone["difference"]["HR@1"]["low"] > 0


def test_calibration_measures_what_is_ranked_by(folders):
    """As many beams as items find what exact scores do, the prior included."""
    _, run, _ = folders
    result = genrec.evaluate(run, calibrate=[20], users=30, exclude_seen=True)
    assert [row["metrics"] for row in result["calibration"]] == 2 * [result["calibration"][0]["metrics"]]
    assert result["calibration"][1]["metrics"]["HR@10"] == result["metrics"]["HR@10"] > 0.9


def test_the_counts_are_those_of_the_training_part_as_far_apart_as_validation_likes(folders):
    dataset, run, result = folders
    data, tried = load_dataset(dataset), result["prior"]["tried_decays"]
    assert sorted(tried) == [reach.decay for reach in REACHES]
    assert result["prior"]["decay"] == max(tried, key=tried.get) == load_run(run).prior.reach.decay
    (reach,) = (reach for reach in REACHES if reach.decay == result["prior"]["decay"])
    found = load_followers(run / "transitions.parquet", 20)
    wanted = count_followers(train_part(data.sequences), 20, reach)
    for name in ("starts", "items", "counts"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))


def test_a_run_of_before_there_were_decays_looks_five_items_back(folders, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(folders[1], run)
    info = json.loads((run / "run.json").read_text())
    del info["result"]["prior"]["decay"]
    (run / "run.json").write_text(json.dumps(info))
    reach = load_run(run).prior.reach
    assert (reach.decay, reach.steps) == (0.5, 5)


@pytest.mark.parametrize("decay", [1.0, -0.5, "0.5", None, 0.9999])
def test_a_decay_that_is_none_is_refused(folders, tmp_path, decay):
    run = tmp_path / "run"
    shutil.copytree(folders[1], run)
    info = json.loads((run / "run.json").read_text())
    info["result"]["prior"]["decay"] = decay
    (run / "run.json").write_text(json.dumps(info))
    with pytest.raises(GenRecError, match=r"is damaged: decay .* train again"):
        load_run(run)


def test_the_bundle_mixes_as_the_run_does(folders, tmp_path):
    _, run, result = folders
    exported = genrec.export(run, tmp_path / "bundle", k=5)
    assert exported["parity"]["same_top_k"] == 1
    manifest = json.loads((tmp_path / "bundle" / "manifest.json").read_text())
    assert manifest["prior"] == {"transitions": result["prior"]["weight"]}
    ours = genrec.load(run).recommend(history=["i3", "i4"], k=5)["items"]
    theirs = genrec.load(tmp_path / "bundle").recommend(history=["i3", "i4"], k=5)["items"]
    assert [row["item"] for row in ours] == [row["item"] for row in theirs]
    assert ours[0]["item"] == "i5"
    assert [row["score"] for row in ours] == pytest.approx([row["score"] for row in theirs], abs=1e-4)


def test_a_damaged_table_of_counts_is_refused(folders, tmp_path):
    path = tmp_path / "transitions.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(GenRecError, match=r"transition counts .* damaged"):
        load_followers(path, 20)


@pytest.fixture(scope="module")
def headed(tmp_path_factory):
    """A model whose item head learned a chain, and whose decoder has learned less of it."""
    root = tmp_path_factory.mktemp("head")
    settings = {**QUICK, "item_loss": 10.0, "pretrain_epochs": 0, "finetune_epochs": 8, "user_buckets": 0}
    result = genrec.train(chain_dataset(root / "chain"), root / "run", settings=settings)
    return root / "run", result


def test_validation_chooses_the_share_of_the_item_head(headed):
    run, result = headed
    tried = result["item_head"]["tried"]
    assert result["item_head"]["weight"] == max(tried, key=tried.get) > 0
    assert load_run(run).model.config.item_share == result["item_head"]["weight"]
    found = genrec.evaluate(run, exclude_seen=True)
    (alone,) = found["against"]
    assert alone["model"] == f"{run}, decoder alone"
    assert alone["metrics"]["NDCG@10"] < found["metrics"]["NDCG@10"]


def test_the_bundle_has_the_item_head(headed, tmp_path):
    run, result = headed
    exported = genrec.export(run, tmp_path / "bundle", k=5)
    assert exported["parity"]["same_top_k"] == 1
    manifest = json.loads((tmp_path / "bundle" / "manifest.json").read_text())
    assert manifest["item_share"] == result["item_head"]["weight"]
    ours = genrec.load(run).recommend(history=["i3", "i4"], k=5)["items"]
    theirs = genrec.load(tmp_path / "bundle").recommend(history=["i3", "i4"], k=5)["items"]
    assert [row["item"] for row in ours] == [row["item"] for row in theirs]
    assert [row["score"] for row in ours] == pytest.approx([row["score"] for row in theirs], abs=1e-4)


def test_with_a_prior_the_head_is_multiplied_and_its_share_chosen_again(tmp_path):
    """A head that has learned next to nothing of a chain, which the counts know."""
    settings = {**QUICK, "item_loss": 1.0, "prior": "transitions", "pretrain_epochs": 0, "finetune_epochs": 1}
    settings["learning_rate"] = 1e-5
    result = genrec.train(chain_dataset(tmp_path / "chain"), tmp_path / "run", settings=settings)
    powers, shares = result["prior"]["tried"], result["item_head"]["tried_with_prior"]
    assert max(powers.values()) > powers[0.0] + 0.2
    assert max(shares.values()) >= max(powers.values())
    assert 0.0 not in shares
    run = load_run(tmp_path / "run")
    assert (run.prior.weight, run.model.config.item_share) == tuple(
        max(tried, key=tried.get) for tried in (powers, shares)
    )
    found = genrec.evaluate(tmp_path / "run", exclude_seen=True)
    assert found["metrics"]["HR@1"] > 0.9  # the item after n is n + 1
    assert found["against"][0]["model"].endswith("model alone")
    assert found["against"][0]["metrics"]["HR@1"] < 0.5

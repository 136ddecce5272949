"""What `evaluate` can do besides: differences, slices, visitors, ranks per user, calibration."""

import numpy as np
import pyarrow.parquet as pq
import pytest

import genrec
from genrec.data.tables import read_sequences
from genrec.errors import GenRecError, OutputExistsError
from genrec.evaluation.memory import recall
from genrec.ids import EVALUATIONS_FILE
from genrec.runs import describe
from tests.helpers import ITEMS, make_dataset, make_run


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("options")
    data = make_dataset(root / "data")
    return root, data, make_run(root / "run", data), make_run(root / "other", data, seed=1)


def table(path):
    return pq.read_table(path).to_pylist()


def test_ranks_per_user(folders, tmp_path):
    _, _, run, other = folders
    path = tmp_path / "ranks.parquet"
    result = genrec.evaluate(run, against=[other, "popularity"], per_user=path)
    rows = table(path)
    assert result["per_user"] == str(path)
    assert [row["model"] for row in rows] == [
        name for name in (str(run), str(other), "popularity") for _ in range(result["users"])
    ]
    sequences = read_sequences(run)
    asked = [user for user in range(1, 31) if len(sequences.of(user)) > 1]
    model = genrec.load(run)
    for user, row in zip(asked, rows[: len(asked)], strict=True):
        items = sequences.of(user)
        assert (row["user"], row["history"], row["target"]) == (f"u{user}", len(items) - 1, f"i{items[-1]}")
        history = [f"i{item}" for item in items[:-1]]
        listed = model.recommend(user=row["user"], history=history, k=10, include_seen=True)["items"]
        found = [line["item"] for line in listed]
        assert row["rank"] == (found.index(row["target"]) + 1 if row["target"] in found else 0)
    mine = np.array([0 < row["rank"] <= 10 for row in rows[: len(asked)]])
    assert mine.mean() == result["metrics"]["HR@10"]


def test_differences_are_of_the_same_users(folders, tmp_path):
    _, _, run, other = folders
    result = genrec.evaluate(run, against=[other], users=20, seed=5)
    (against,) = result["against"]
    for metric, row in against["difference"].items():
        assert row["difference"] == pytest.approx(result["metrics"][metric] - against["metrics"][metric])
        assert row["low"] <= row["difference"] <= row["high"]
    assert against["difference"].keys() == result["metrics"].keys()
    assert "difference" not in result


def test_slices_and_lists(folders):
    result = genrec.evaluate(folders[2], against=["popularity"], k=[1, 10])
    for found in (result, *result["against"]):
        for parts in found["slices"].values():
            assert sum(part["users"] for part in parts) == result["users"]
            whole = sum(part["users"] * part["metrics"].get("HR@10", 0) for part in parts) / result["users"]
            assert whole == pytest.approx(found["metrics"]["HR@10"])
    beyond = result["against"][0]["beyond"]
    assert beyond["coverage@10"] == 10 / ITEMS
    assert beyond["Gini@10"] == pytest.approx(1 - 10 / ITEMS)


def test_an_output_that_exists_or_is_an_input(folders, tmp_path):
    _, data, run, _ = folders
    path = tmp_path / "ranks.parquet"
    path.write_text("mine")
    with pytest.raises(OutputExistsError):
        genrec.evaluate(run, per_user=path)
    assert path.read_text() == "mine"
    with pytest.raises(GenRecError, match="would replace the input"):
        genrec.evaluate(run, data=data, per_user=data, force=True)
    genrec.evaluate(run, per_user=path, force=True)
    assert {row["model"] for row in table(path)} == {str(run)}


def test_visitors_are_asked_for_as_unknown_users(folders, tmp_path):
    _, _, run, _ = folders
    path = tmp_path / "ranks.parquet"
    result = genrec.evaluate(run, as_visitor=True, per_user=path)
    assert result["protocol"]["as_visitor"] is True
    model, sequences = genrec.load(run), read_sequences(run)
    for row in table(path):
        history = [f"i{item}" for item in sequences.of(int(row["user"][1:]))[:-1]]
        listed = model.recommend(user=None, history=history, k=10, include_seen=True)["items"]
        found = [line["item"] for line in listed]
        assert row["rank"] == (found.index(row["target"]) + 1 if row["target"] in found else 0)


def test_visitors_are_remembered_apart(folders):
    root, data, _, _ = folders
    run = make_run(root / "remembered", data)
    known = genrec.evaluate(run)
    assert known["protocol"]["as_visitor"] is False
    visitors = genrec.evaluate(run, as_visitor=True)
    assert known["metrics"] != visitors["metrics"]
    assert [(entry["as_visitor"], entry["metrics"]) for entry in recall(run)] == [
        (False, known["metrics"]),
        (True, visitors["metrics"]),
    ]
    about = describe(run)
    assert [entry["metrics"] for entry in about["test"]] == [known["metrics"]]
    assert [entry["metrics"] for entry in about["test_as_visitor"]] == [visitors["metrics"]]


def test_what_an_older_genrec_remembered_is_of_known_users(folders):
    root, data, _, _ = folders
    run = make_run(root / "older", data)
    old = '{"split": "test", "exclude_seen": false, "beams": 20, "users": 3, "metrics": {"NDCG@10": 0.5}}\n'
    (run / EVALUATIONS_FILE).write_text(old)
    assert [entry["as_visitor"] for entry in recall(run)] == [False]
    genrec.evaluate(run, as_visitor=True)
    assert [entry["as_visitor"] for entry in recall(run)] == [False, True]
    genrec.evaluate(run)
    assert [entry["as_visitor"] for entry in recall(run)] == [True, False]


@pytest.mark.parametrize("rules", [{}, {"exclude_seen": True}, {"as_visitor": True}])
def test_exact_scores_equal_as_many_beams_as_items(folders, rules):
    rows = genrec.evaluate(folders[2], calibrate=[ITEMS, 3, 12], **rules)["calibration"]
    assert [row["beams"] for row in rows] == [3, 12, ITEMS, None]
    exact = rows[-1]
    plain = genrec.evaluate(folders[2], beams=ITEMS, **rules)
    assert set(exact["metrics"]) == {"HR@10", "NDCG@10"}
    assert all(exact["metrics"][name] == pytest.approx(plain["metrics"][name]) for name in exact["metrics"])
    assert rows[2]["metrics"] == exact["metrics"]
    assert rows[2]["found"] == exact["found"] == 1.0
    assert rows[0]["found"] <= 3 / 10 < rows[1]["found"]
    assert rows[0]["difference"]["HR@10"]["difference"] == pytest.approx(
        rows[0]["metrics"]["HR@10"] - exact["metrics"]["HR@10"]
    )
    assert exact["difference"]["HR@10"]["p"] == 1.0


def test_calibration_on_tokens_of_different_lengths_and_of_bundles(trained):
    rows = genrec.evaluate(trained.run, calibrate=[ITEMS])["calibration"]
    assert rows[0]["metrics"] == rows[1]["metrics"]
    with pytest.raises(GenRecError, match="is a bundle"):
        genrec.evaluate(trained.bundle, calibrate=[20])


def test_bundles_have_slices_visitors_and_ranks(trained, tmp_path):
    path = tmp_path / "ranks.parquet"
    result = genrec.evaluate(trained.bundle, against=[trained.run], as_visitor=True, per_user=path)
    rows = table(path)
    ranks = {
        name: [row["rank"] for row in rows if row["model"] == str(name)] for name in (trained.bundle, trained.run)
    }
    assert ranks[trained.bundle] == ranks[trained.run]
    assert result["slices"] == result["against"][0]["slices"]
    assert result["beyond"] == result["against"][0]["beyond"]


@pytest.mark.parametrize("beams", [[], [0], [20, -1]])
def test_numbers_of_beams_that_make_no_sense(folders, beams):
    with pytest.raises(GenRecError, match="calibrate = "):
        genrec.evaluate(folders[2], calibrate=beams)


def test_a_contestant_of_a_larger_catalogue_is_refused(folders):
    root, _, run, _ = folders
    larger = make_run(root / "larger", make_dataset(root / "larger-data", items=ITEMS + 1))
    with pytest.raises(GenRecError, match="compare models of one dataset"):
        genrec.evaluate(run, against=[larger])

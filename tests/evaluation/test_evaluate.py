"""`evaluate` on whole folders: runs against a count by hand, other data, and wrong arguments."""

import numpy as np
import pytest

import genrec
from genrec.data.tables import read_sequences
from genrec.errors import GenRecError
from tests.helpers import edit_run, make_dataset, make_run, write_dataset


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("evaluate")
    data = make_dataset(root / "data")
    return root, data, make_run(root / "run", data)


def test_metrics_equal_those_counted_from_single_recommendations(folders):
    _, _, run = folders
    sequences = read_sequences(run)
    ranks = []
    model = genrec.load(run)
    for user in range(1, 31):
        items = sequences.of(user)
        if len(items) < 2:
            continue
        history = [f"i{item}" for item in items[:-1]]
        listed = model.recommend(user=f"u{user}", history=history, k=10, include_seen=True)["items"]
        found = [row["item"] for row in listed]
        target = f"i{items[-1]}"
        ranks.append(found.index(target) + 1 if target in found else 0)
    result = genrec.evaluate(run, device="cpu")
    assert result["users"] == len(ranks)
    hits = np.array([0 < rank <= 10 for rank in ranks])
    assert result["metrics"]["HR@10"] == pytest.approx(hits.mean())
    gain = sum(1 / np.log2(rank + 1) for rank in ranks if 0 < rank <= 10) / len(ranks)
    assert result["metrics"]["NDCG@10"] == pytest.approx(gain)


def test_beams_as_wide_as_the_catalogue_give_every_rank(folders):
    _, _, run = folders
    assert genrec.evaluate(run, k=[40], beams=40)["metrics"]["HR@40"] == 1.0


def test_data_must_be_the_models(folders):
    root, data, run = folders
    assert genrec.evaluate(run, data=data)["metrics"] == genrec.evaluate(run)["metrics"]
    other = make_dataset(root / "other", users=10, items=7)
    with pytest.raises(GenRecError, match="the model has 40"):
        genrec.evaluate(run, data=other)


def test_against_models_that_do_not_exist_is_refused_before_any_work(folders):
    with pytest.raises(GenRecError, match="popularity"):
        genrec.evaluate(folders[2], against=["popular"])


def test_transitions_are_those_of_the_training_part(tmp_path):
    """In training 1 is followed by 2; what follows it among validation and test items is not looked at."""
    rows = [[1, 2, 3, 4], [1, 2, 3, 4], [1, 5, 6], [5, 6, 1, 5], [3, 1, 2]]
    data = tmp_path / "data"
    write_dataset(data, [f"u{n}" for n in range(5)], [f"i{n}" for n in range(1, 7)], rows)
    run = make_run(tmp_path / "run", data)
    (found,) = genrec.evaluate(run, split="valid", against=["transitions"], k=[1, 2, 6])["against"]
    # Training holds 1 -> 2 and 5 -> 6. Validation: [1, 2] to 3 twice, [1] to 5, [5, 6] to 1, [3] to 1;
    # lists begin with 2, 2, 2, 6 and (nothing follows 3) with the most popular, 1, which is second for the others.
    assert found["model"] == "transitions"
    assert found["metrics"]["HR@1"] == pytest.approx(1 / 5)
    assert found["metrics"]["HR@2"] == pytest.approx(2 / 5)
    assert found["metrics"]["HR@6"] == 1.0


def test_leaky_indexing_is_marked(folders):
    root, data, _ = folders
    run = make_run(root / "leaky", data)
    config = {**genrec_config(run), "indexing": "leaky-sequential"}
    edit_run(run, config=config)
    assert genrec.evaluate(run)["protocol"]["leaky"]
    assert genrec.evaluate(folders[2], against=[run])["protocol"]["leaky"]
    assert not genrec.evaluate(folders[2])["protocol"]["leaky"]


def genrec_config(run):
    from genrec.files import read_json

    return read_json(run / "run.json")["config"]


@pytest.mark.parametrize(
    ("arguments", "message"), [({"k": [0]}, "k = "), ({"k": []}, "k = "), ({"device": "tpu"}, "auto, cpu, cuda")]
)
def test_wrong_arguments(folders, arguments, message):
    with pytest.raises(GenRecError, match=message):
        genrec.evaluate(folders[2], **arguments)

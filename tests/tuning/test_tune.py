"""The search end to end: it continues, prunes, fails well, reads no test item and writes what --config takes."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

from genrec.data.tables import read_sequences
from genrec.errors import GenRecError
from genrec.settings import collect_settings, make_config
from genrec.tuning.space import as_it_is, load_space
from genrec.tuning.tune import tune
from tests.command import call, start
from tests.helpers import write_dataset
from tests.training.helpers import QUICK, as_options, chain_dataset

FIXED = {key: value for key, value in QUICK.items() if key != "batch_size"} | {"pretrain_epochs": 0}
SPACE = "learning_rate = {low = 1e-3, high = 1e-1, log = true}\nbatch_size = [8, 32]\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tune")
    chain_dataset(folder / "data")
    (folder / "space.toml").write_text(SPACE)
    return folder


@pytest.fixture(scope="module")
def found(place):
    return tune(place / "data", place / "whole", trials=4, search=place / "space.toml", settings=FIXED)


def shown(result):
    return [(trial["state"], trial["value"], trial["settings"]) for trial in result["trials"]]


def test_the_best_settings_are_a_config_file(found):
    given = collect_settings(config_file=Path(found["config"]))
    config = make_config(given)
    best = found["best"]
    assert best["value"] == max(trial["value"] for trial in found["trials"] if trial["state"] == "complete")
    assert config.learning_rate == best["settings"]["learning_rate"]
    assert config.d_model == FIXED["d_model"]
    assert [trial["number"] for trial in found["trials"]] == [0, 1, 2, 3]


def test_the_first_trial_is_the_preset_as_it_is(place, found):
    space = load_space(place / "space.toml", FIXED)
    own = as_it_is(space, FIXED)
    assert own
    assert own.items() <= found["trials"][0]["settings"].items()


def test_a_search_in_two_calls_equals_one(place, found):
    search = {"search": place / "space.toml", "settings": FIXED}
    tune(place / "data", place / "halves", trials=2, **search)
    assert shown(tune(place / "data", place / "halves", trials=4, **search)) == shown(found)


def test_a_killed_search_continues(place):
    def search(folder):
        command = ["tune", place / "data", "-o", folder, "--trials", "4"]
        return [*command, "--search", place / "space.toml", *as_options(FIXED), "--json"]

    unbroken = call(*search(place / "unbroken"))
    command = search(place / "killed")
    process = start(*command)
    while process.is_alive() and not (place / "killed/trials/1").exists():
        time.sleep(0.01)
    process.kill()
    process.join()
    done = call(*command)
    assert done.returncode == 0, done.stderr
    assert shown(json.loads(done.stdout)) == shown(json.loads(unbroken.stdout))
    assert not any((place / "killed/trials").iterdir())


def test_another_search_is_refused(place, found):
    with pytest.raises(GenRecError, match=r"holds another search: fixed .*finetune_epochs"):
        tune(
            place / "data", place / "whole", search=place / "space.toml", settings={**FIXED, "finetune_epochs": 3}
        )
    with pytest.raises(GenRecError, match="already exists"):
        tune(place / "data", place / "data")
    with pytest.raises(GenRecError, match="would replace the input"):
        tune(place / "data", place / "data", force=True)
    assert (place / "data/dataset.json").exists()


def test_test_items_are_never_read(place, found):
    sequences = read_sequences(place / "data")
    rng = np.random.default_rng(1)
    rows = [sequences.of(user).copy() for user in range(1, len(sequences.lengths) + 1)]
    for row in rows:
        row[-1] = rng.integers(1, 21)
    write_dataset(place / "other", [f"u{n}" for n in range(len(rows))], [f"i{n}" for n in range(20)], rows)
    other = tune(place / "other", place / "other-tuned", trials=4, search=place / "space.toml", settings=FIXED)
    assert shown(other) == shown(found)


def test_trials_that_fail_are_told_and_the_search_goes_on(place):
    (place / "wild.toml").write_text("learning_rate = [1e30, 1e-2]\n")
    result = tune(
        place / "data", place / "wild", trials=5, search=place / "wild.toml", settings={**FIXED, "clip": 1e30}
    )
    states = {trial["settings"]["learning_rate"]: trial for trial in result["trials"]}
    assert states[1e30]["state"] == "failed"
    assert "loss became" in states[1e30]["message"]
    assert result["best"]["settings"]["learning_rate"] == 0.01
    (place / "wild.toml").write_text("learning_rate = [1e30, 1e29]\n")
    with pytest.raises(GenRecError, match="no trial came to an end: the loss became"):
        tune(
            place / "data",
            place / "wilder",
            trials=1,
            search=place / "wild.toml",
            settings={**FIXED, "clip": 1e30},
        )


def test_minutes_end_the_search_within_an_epoch(place):
    started = time.monotonic()
    settings = {**FIXED, "finetune_epochs": 10_000, "patience": 10_000}
    result = tune(place / "data", place / "timed", minutes=0.05, search=place / "space.toml", settings=settings)
    assert time.monotonic() - started < 30
    assert result["best"]["state"] == "stopped early"

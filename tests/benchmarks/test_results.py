"""README's tables are those of benchmarks/results/."""

import importlib
import json
import re
from pathlib import Path

import pytest

from genrec.baselines.settings import make_baseline_config
from genrec.config import GENREC
from genrec.settings import make_config

ROOT = Path(__file__).parents[2]


@pytest.fixture
def results(monkeypatch):
    """The script benchmarks/results.py."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("results")


def test_readme_has_the_results_as_they_are(results):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert results.START in readme
    assert results.END in readme
    assert results.renewed(readme, results.tables()) == readme, "run: make results"


def test_a_changed_result_is_noticed(results, tmp_path):
    path = next((ROOT / "benchmarks" / "results").glob("*.json"))
    result = json.loads(path.read_text(encoding="utf-8"))
    before = results.table(result)
    result["rows"][0]["metrics"]["NDCG@10"] += 0.01
    assert results.table(result) != before


def test_every_result_tells_how_it_was_made(results):
    for path in (ROOT / "benchmarks" / "results").glob("*.json"):
        result = json.loads(path.read_text(encoding="utf-8"))
        assert not result["protocol"]["sampled_users"]
        for row in result["rows"]:
            assert bool(row["seeds"]) == bool(row["settings"]) == (row["seconds"] is not None), row["model"]


def test_what_a_result_was_trained_with_is_told_where_defaults_are_others_now(results):
    """The settings below a table, and those that names tell, give the row's."""
    for path in (ROOT / "benchmarks" / "results").glob("*.json"):
        result = json.loads(path.read_text(encoding="utf-8"))
        shown = results.table(result)
        for row in result["rows"]:
            used = row["settings"]
            if not used:
                continue
            given = {key: used[key] for key in ("model", "preset", "indexing", "item_descriptions") if key in used}
            different = results.changed(used)
            make = make_config if used["model"] == GENREC else make_baseline_config
            now = make(given | different).model_dump()
            assert {key: now[key] for key in used} == used, (path.name, row["model"])
            assert all(f"--set {key}={json.dumps(value)}" in shown for key, value in different.items())


def test_a_setting_of_before_is_found(results):
    now = make_config({"preset": "small"}).model_dump()
    assert results.changed(now) == {}
    assert results.changed(now | {"seed": 3, "finetune_epochs": 99}) == {"finetune_epochs": 99}
    older = {key: value for key, value in now.items() if key != "repeats"}
    assert results.changed(older) == ({"repeats": 0} if now["repeats"] else {})


def test_the_summary_shows_whole_models_and_the_result_of_most_seeds(results):
    def row(model, hit, seeds, **other):
        metrics = {"HR@10": hit, "NDCG@10": hit / 2}
        settings = make_baseline_config({"model": model}).model_dump() if model == "sasrec" else None
        told = {"model": model, "preset": None, "indexing": None, "settings": settings, "exclude_seen": True}
        return {**told, "metrics": metrics, "seeds": seeds, **other}

    shop = {"name": "shop"}
    one = {"dataset": shop, "rows": [row("sasrec", 0.5, [0]), row("sasrec, model alone", 0.9, [0, 1])]}
    three = {"dataset": shop, "rows": [row("sasrec", 0.4, [0, 1, 2]), row("sasrec", 0.8, [0], exclude_seen=False)]}
    other = {"dataset": {"name": "other"}, "rows": [row("popularity", 0.1, []), row("sasrec", 0.2, [4])]}
    lines = results.summary([one, other, three]).split("\n")
    assert lines[2] == "| model | other | shop |"
    assert lines[4:] == [
        "| sasrec | **0.2000** / **0.1000** * | **0.4000** / **0.2000** |",
        "| popularity | <u>0.1000</u> / <u>0.0500</u> |  |",
    ]
    large = {"dataset": {"name": "large"}, "rows": [row("popularity", 0.6, []), row("sasrec", 0.9, [4])]}
    near = {"dataset": shop, "rows": [row("sasrec", 0.4, [0]), row("hgn", 0.3, [0])]}
    order = [line.split(" | ")[0] for line in results.summary([large, near]).split("\n")[4:]]
    assert order == ["| sasrec", "| hgn", "| popularity"], "what is high on a dataset of high values is not ahead"
    before = make_baseline_config({"model": "sasrec", "dropout": 0.25}).model_dump()
    older = {"dataset": shop, "rows": [row("sasrec", 0.9, [0, 1, 2], settings=before)]}
    assert "0.5000** / **0.2500** * |" in results.summary([older, one])
    assert "0.9000** / **0.4500** † |" in results.summary([older])
    leaky = {"dataset": shop, "rows": [row("genrec", 0.9, [0], indexing="leaky-sequential")]}
    assert "genrec" not in results.summary([leaky, three])


def test_details_show_every_slice_and_the_search(results):
    path = ROOT / "benchmarks" / "results" / "details" / "beauty.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    assert not result["protocol"]["sampled_users"]
    text = results.details(result)
    for kind in ("history", "popularity"):
        parts = result["slices"][kind]
        assert sum(part["users"] for part in parts) == result["users"]
        for part in parts:
            assert re.search(
                rf"\| \w+: {part['slice']}.* \| {part['users']:,} \| {part['metrics']['HR@10']:.4f} / ", text
            )
    for row in result["calibration"]:
        assert f"({row['metrics']['HR@10']:.4f} / {row['metrics']['NDCG@10']:.4f})" in text


def test_differences_are_those_of_whole_models_with_seen_items_out(results):
    def row(model, found, excluded=True):
        told = {"model": model, "preset": None, "indexing": None, "settings": None}
        return {**told, "exclude_seen": excluded, "difference": found}

    found = {"difference": -0.02, "low": -0.03, "high": -0.01, "p": 0.0004}
    rows = [row("sasrec", found, excluded=False), row("popularity", found), row("genrec", None)]
    rows += [row("genrec, model alone", found), row("transitions", {**found, "p": 0.25})]
    (_, line) = results._differences(rows)
    assert line == (
        "NDCG@10 minus that of genrec, seen items out, 95 %: popularity -0.0200 [-0.0300, -0.0100]; "
        "transitions -0.0200 [-0.0300, -0.0100], p 0.250."
    )
    assert results._differences([row("genrec", None)]) == []

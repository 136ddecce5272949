"""Inspecting datasets: counts, the audit's published figures, the words, the page, the command."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from genrec.data.prepare import prepare
from genrec.errors import GenRecError, OutputExistsError
from genrec.evaluation.metrics import summarise
from genrec.evaluation.protocol import make_cases, rank_targets
from genrec.inspection.inspect import inspect
from genrec.inspection.rules import NumberingRanker
from genrec.inspection.statistics import describe_counts
from tests.data.helpers import read_back, sequences

DATA = Path(__file__).parents[3] / "shared" / "data"


def rules_of(result):
    return {rule["rule"]: rule for rule in result["audit"]["rules"]}


@pytest.fixture
def small(tmp_path):
    """Six users; v's interactions are tied, w repeats an item, z has one interaction alone."""
    rows = "u,a,1\nu,b,2\nu,c,3\nv,a,5\nv,b,5\nw,a,1\nw,a,2\nx,a,1\nx,b,9\ny,b,1\ny,c,2\nz,a,1\n"
    (tmp_path / "log.csv").write_text("user,item,ts\n" + rows)
    prepare(tmp_path / "log.csv", tmp_path / "small", min_count=1)
    return tmp_path / "small"


def test_counts(small):
    result = inspect(small)
    assert (result["users"], result["items"], result["interactions"]) == (6, 3, 12)
    assert result["density"] == pytest.approx(11 / 18)
    assert result["repeat_share"] == pytest.approx(1 / 12)
    assert result["tie_share"] == pytest.approx(2 / 12)
    assert result["times"] == {"first": "1970-01-01T00:00:01Z", "last": "1970-01-01T00:00:09Z"}
    assert result["lengths"]["histogram"] == [
        {"from": 1, "to": 1, "count": 1},
        {"from": 2, "to": 2, "count": 4},
        {"from": 3, "to": 3, "count": 1},
    ]
    assert result["top_item_share"] == pytest.approx(6 / 12)
    assert result["audit"]["users"] == 5
    assert result["audit"]["targets_in_history"] == pytest.approx(1 / 5)


def test_rules(small):
    rules = rules_of(inspect(small))
    assert rules["repeat the last item"]["kept"]["HR@10"] == pytest.approx(1 / 5)  # w
    assert rules["repeat the last item"]["excluded"] is None
    assert "no whole numbers" in rules["largest number so far + 1..5"]["skipped"]
    assert rules["popularity"]["kept"]["HR@1"] == pytest.approx(1 / 5)  # a is the most popular
    assert rules["popularity"]["excluded"]["HR@10"] == pytest.approx(4 / 5)  # all but w


def test_histograms_hold_everything():
    values = np.array([1, 9, 10, 14, 15, 99, 100, 149, 150, 12_345])
    found = describe_counts(values)["histogram"]
    assert sum(bar["count"] for bar in found) == len(values)
    assert found[-1] == {"from": 10_000, "to": 12_345, "count": 1}
    assert [bar["to"] + 1 for bar in found[:-1]] == [bar["from"] for bar in found[1:]]


def test_nobody_with_a_test_item(tmp_path):
    (tmp_path / "log.csv").write_text("user,item\nu,a\nv,b\n")
    prepare(tmp_path / "log.csv", tmp_path / "out", min_count=1)
    result = inspect(tmp_path / "out", html=tmp_path / "page.html")
    assert result["audit"] is None
    assert "no score can be measured" in result["verdict"][0]


def test_a_sample_is_named(small):
    result = inspect(small, users=2, seed=3)
    assert (result["audit"]["users"], result["audit"]["sampled"], result["audit"]["seed"]) == (2, True, 3)
    assert result["audit"] == inspect(small, users=2, seed=3)["audit"]


def numbered(tmp_path, users=300, step=1):
    """Everybody has four items of their own, numbered upwards or downwards."""
    lines = [f"u{n} " + " ".join(map(str, range(n * 4, n * 4 + 4)[::step])) for n in range(users)]
    (tmp_path / "log.txt").write_text("\n".join(lines))
    prepare(tmp_path / "log.txt", tmp_path / "out", min_count=1)
    return inspect(tmp_path / "out")


def test_a_numbering_that_leaks_is_named(tmp_path):
    result = numbered(tmp_path)
    assert rules_of(result)["largest number so far + 1..5"]["kept"]["HR@1"] == 1.0
    assert any("The numbering leaks" in sentence for sentence in result["verdict"])
    assert any("sorts after the one before it for 100%" in sentence for sentence in result["verdict"])


def test_a_numbering_that_tells_nothing_is_named(tmp_path):
    result = numbered(tmp_path, step=-1)
    assert any("The numbering gives nothing away" in sentence for sentence in result["verdict"])
    assert any("sorts before the one before it for 100%" in sentence for sentence in result["verdict"])


def published(name):
    source = DATA / f"{name}.txt"
    if not source.exists():
        pytest.skip("the public sequences are not beside the project")
    return source


@pytest.mark.parametrize(("name", "hit_rate"), [("beauty", 0.0453), ("sports", 0.0428), ("yelp", 0.0329)])
def test_published_figures_of_the_numbering_rule(name, hit_rate):
    rows = [[int(word) for word in line.split()[1:]] for line in published(name).read_text().splitlines()]
    cases = make_cases(sequences(*rows), "test")
    numbers = np.arange(1, max(map(max, rows)) + 1)
    metrics, _ = summarise(rank_targets(NumberingRanker(numbers, 5), cases), (5,))
    assert round(metrics["HR@5"], 4) == hit_rate


def test_beauty(tmp_path):
    prepare(published("beauty"), tmp_path / "out")
    result = inspect(tmp_path / "out")
    rules = rules_of(result)
    assert result["audit"]["users"] == result["users"] == 22_363
    assert round(rules["largest number so far + 1..5"]["kept"]["HR@5"], 4) == 0.0453
    assert any("The numbering leaks" in sentence for sentence in result["verdict"])
    best = rules["the same, validation items counted too"]["excluded"]
    assert (best["HR@10"], best["NDCG@10"]) == (pytest.approx(0.0826, abs=0.004), pytest.approx(0.0524, abs=0.004))


def test_the_page_stands_alone(small, tmp_path):
    page = tmp_path / "page.html"
    result = inspect(small, html=page)
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"(src|href)\s*=|url\(|@import|<script|<link", text)
    root = ET.fromstring(text.partition("\n")[2])
    assert len(root.findall(".//svg")) == 2
    assert len(root.findall(".//svg/rect")) == len(
        result["lengths"]["histogram"] + result["popularity"]["histogram"]
    )
    with pytest.raises(OutputExistsError):
        inspect(small, html=page)


def test_names_are_escaped(tmp_path):
    (tmp_path / "<b>&.csv").write_text("user,item\nu,a\nu,b\n")
    prepare(tmp_path / "<b>&.csv", tmp_path / "out", min_count=1)
    inspect(tmp_path / "out", html=tmp_path / "page.html")
    assert "&lt;b&gt;&amp;" in (tmp_path / "page.html").read_text()
    assert "<b>" not in (tmp_path / "page.html").read_text()


def test_damage_is_refused(small):
    table = pq.read_table(small / "sequences.parquet")
    pq.write_table(table.slice(0, 2), small / "sequences.parquet")
    with pytest.raises(GenRecError, match="damaged"):
        inspect(small)
    assert read_back(small)


def genrec(*arguments):
    command = [sys.executable, "-m", "genrec_cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_command(small, tmp_path):
    done = genrec("inspect", small, "--html", tmp_path / "page.html")
    assert done.returncode == 0, done.stderr
    for text in ("sparsity", "interactions per user", "█", "popularity", "What a score on this dataset is worth"):
        assert text in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    done = genrec("inspect", small, "--html", tmp_path / "page.html")
    assert done.returncode == 1
    assert "--force" in done.stderr
    done = genrec("inspect", small, "--json")
    assert json.loads(done.stdout)["audit"]["users"] == 5
    done = genrec("inspect", tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)

"""The page and the LaTeX table: complete, escaped, and in need of nothing else."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from genrec.comparing.latex import latex_table
from genrec.comparing.page import html_page
from genrec.comparing.rows import make_rows
from genrec.comparing.subjects import NOTHING, Subject

FACTS = {**NOTHING, "seeds": [0, 1], "seconds": 4000.0, "parameters": 5_400_000, "out_of_time": True}
WORDS = "published, other protocol"


@pytest.fixture(scope="module")
def result():
    """Three models under both rules; the first has published values."""
    rng = np.random.default_rng(0)
    subjects = [
        Subject("genrec", (), {**FACTS, "preset": "my_<preset>", "indexing": "leaky-sequential"}),
        Subject("sasrec", (), FACTS),
        Subject("popularity", (), NOTHING),
    ]
    rows = []
    for excluded in (False, True):
        ranks = [[rng.integers(0, most, 200) for _ in range(2)] for most in (15, 20, 90)]
        rows += make_rows(subjects, ranks, excluded, None)
    rows[0]["published"] = {"metrics": {"HR@5": 0.0515, "NDCG@10": 0.0439}, "words": WORDS}
    protocol = {"users": 200, "sampled_users": False, "items": 40, "targets_in_history": 0.125}
    return {"dataset": {"name": "a_b & <c>"}, "protocol": protocol, "rows": rows, "published": "Somebody, table 1"}


class Cells(HTMLParser):
    """Rows of cells as text; what is opened must be closed."""

    def __init__(self):
        super().__init__()
        self.open, self.rows = [], []

    def handle_starttag(self, tag, attributes):
        if tag != "meta":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def test_the_page(result):
    page = html_page(result)
    parser = Cells()
    parser.feed(page)
    assert not parser.open
    assert not re.search(r"https?:|src=|href=|@import|<script", page)
    assert "<c>" not in page
    assert "<preset>" not in page
    header, *lines = parser.rows[:8]
    assert {len(line) for line in lines} == {len(header)} == {9}
    assert [line[0] for line in lines[:3]] == ["genrec (my_<preset>, leaky)", f"genrec: {WORDS}", "sasrec"]
    assert [line[1] for line in lines] == ["kept", "", "kept", "kept", "out", "out", "out"]
    assert lines[1][3:7] == ["0.0515", "", "", "0.0439"]
    assert page.count("<b>") == page.count("<u>") == 10
    assert lines[0][7:] == ["67 min†", "5.4 M"]
    assert "Somebody, table 1" in page


def test_the_latex_table(result):
    text = latex_table(result)
    comments = [line for line in text.splitlines() if line.startswith("%")]
    body = text[text.index(r"\begin{tabular}") :]
    assert "a_b & <c>" in comments[0]
    assert r"genrec (my\_<preset>, leaky)" in body
    assert body.count(r"\toprule") == body.count(r"\bottomrule") == 1
    assert body.count(r"\midrule") == 2
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert {len(re.split(r"(?<!\\)&", line)) for line in rows} == {9}
    assert body.count(r"\textbf") == body.count(r"\underline") == 10
    assert rf"\quad \emph{{{WORDS}}} &  &  & 0.0515 &  &  & 0.0439 &  &  \\" in body
    assert body.count("{") == body.count("}")
    assert r"67 min$\dagger$" in body

"""Runs whose graphs are tested."""

import pytest

from genrec.model.checkpoint import load_run
from tests.exporting.graphs import KINDS
from tests.helpers import make_dataset, make_run, text_like_scheme


@pytest.fixture(scope="module", params=KINDS)
def run(request, tmp_path_factory):
    """Models of several kinds; "merged" sums an item's tokens and hashes users, "ids" shows no tokens."""
    folder = tmp_path_factory.mktemp("graph")
    scheme = None if request.param == "own" else text_like_scheme()
    return load_run(make_run(folder / "run", make_dataset(folder / "data"), scheme, **KINDS[request.param]))

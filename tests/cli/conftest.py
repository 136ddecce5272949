"""A run and its bundle."""

import pytest

from tests.command import call
from tests.helpers import make_dataset, make_run


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A run and the bundle that the command line made of it."""
    root = tmp_path_factory.mktemp("cli")
    run = make_run(root / "run", make_dataset(root / "data"))
    done = call("export", run, "-o", root / "bundle", "--k", 10, "--json")
    assert done.returncode == 0, done.stderr
    (root / "export.json").write_text(done.stdout)
    return root

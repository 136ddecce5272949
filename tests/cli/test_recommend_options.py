"""Which options of `genrec recommend` go together."""

from pathlib import Path

import pytest
from typer import BadParameter

from genrec_cli.recommend_options import Engine, Many, check_usage

NONE = Many(None, False, None, None, None, Engine.local, None)
ALL = NONE._replace(all_users=True, output=Path("recs"))


@pytest.mark.parametrize(
    ("user", "many", "told"),
    [
        (None, NONE, "give a USER"),
        ("u3", ALL, "not both"),
        (None, ALL._replace(users_file=Path("x.csv")), "either --users-file or --all-users, not both"),
        (None, ALL._replace(output=None), "--all-users needs --output"),
        (None, ALL._replace(all_users=False, users_file=Path("x"), output=None), "--users-file needs --output"),
        (None, ALL._replace(shard="1/4", parts=4), "leave --parts out"),
        (None, ALL._replace(shard="1/4", engine=Engine.ray), "in place of --shard"),
        (None, ALL._replace(workers=2), "belongs to --engine ray"),
        ("u3", NONE._replace(output=Path("recs")), "--output belongs to"),
        ("u3", NONE._replace(parts=2), "belong to --users-file and --all-users"),
        ("u3", NONE._replace(engine=Engine.ray), "belong to --users-file and --all-users"),
    ],
)
def test_refused(user, many, told):
    with pytest.raises(BadParameter, match=told):
        check_usage(user, None, many)


@pytest.mark.parametrize(
    ("user", "many"),
    [
        ("u3", NONE),
        (None, ALL),
        (None, ALL._replace(shard="1/4")),
        (None, ALL._replace(engine=Engine.ray, workers=2)),
    ],
)
def test_accepted(user, many):
    check_usage(user, None, many)

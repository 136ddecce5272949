"""The options of `genrec recommend`, and which of them go together."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import typer


class Engine(StrEnum):
    """What runs the recommendations for many."""

    local = "local"
    ray = "ray"


_many = partial(typer.Option, rich_help_panel="Recommendations for many")

HistoryOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ITEM",
        help="Item of a history, oldest first: repeatable, or once as a JSON list. In place of the user's own.",
    ),
]
AllowOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Recommend only these items: one ID per line.")
]
DenyOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Never recommend these items: one ID per line.")
]

UsersFileOption = Annotated[
    Path | None,
    _many(
        metavar="FILE",
        help="CSV, TSV (gzip too) or Parquet with a column user, history or both; - is CSV on standard input.",
    ),
]
AllUsersOption = Annotated[bool, _many("--all-users", help="Everybody the model, or --data, has a history of.")]
OutputOption = Annotated[
    Path | None, _many("--output", "-o", metavar="OUT", help="Parquet file to write; a folder for parts.")
]
PartsOption = Annotated[
    int | None,
    _many(
        min=1,
        max=99_999,
        metavar="N",
        help="Write N files into a folder; the same command again does the missing.",
    ),
]
ShardOption = Annotated[str | None, _many(metavar="I/N", help="Write part I of N alone, 2/8 say.")]
EngineOption = Annotated[
    Engine,
    _many(
        help="This process, or Ray: the cluster at RAY_ADDRESS, else this machine. All its machines must see the "
        "model, the input and the output under the same paths."
    ),
]
WorkersOption = Annotated[
    int | None,
    _many(min=1, metavar="N", help="Processes on Ray, each with its own model.", show_default="1 a machine"),
]


class Many(NamedTuple):
    """The options of recommendations for many."""

    users_file: Path | None
    all_users: bool
    output: Path | None
    parts: int | None
    shard: str | None
    engine: Engine
    workers: int | None

    @property
    def wanted(self) -> bool:
        """Whether they are asked for."""
        return self.users_file is not None or self.all_users


def check_usage(user: str | None, history: list[str] | None, many: Many) -> None:
    """Refuse options that do not go together.

    Raises:
        BadParameter: They do not.
    """
    one = user is not None or bool(history)
    if many.wanted:
        if one:
            raise typer.BadParameter("give either --users-file or --all-users, or a USER and --history, not both")
        if many.users_file is not None and many.all_users:
            raise typer.BadParameter("give either --users-file or --all-users, not both")
        if many.output is None:
            name = "--all-users" if many.all_users else "--users-file"
            raise typer.BadParameter(f"{name} needs --output OUT.parquet")
        _check_parts(many)
    elif many.output is not None:
        raise typer.BadParameter(
            "--output belongs to --users-file and --all-users; a single list goes to the screen, or --json"
        )
    elif many.parts or many.shard or many.workers or many.engine is Engine.ray:
        raise typer.BadParameter("--parts, --shard, --engine and --workers belong to --users-file and --all-users")
    elif not one:
        raise typer.BadParameter("give a USER, or --history ITEM, or --users-file FILE, or --all-users")


def _check_parts(many: Many) -> None:
    if many.shard is not None and many.parts is not None:
        raise typer.BadParameter("--shard I/N says the number of parts already; leave --parts out")
    if many.shard is not None and many.engine is Engine.ray:
        raise typer.BadParameter("Ray divides the work itself; give --parts N in place of --shard")
    if many.workers is not None and many.engine is not Engine.ray:
        raise typer.BadParameter("--workers belongs to --engine ray")

"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer


def _remember_debug(value: bool) -> bool:
    State.debug = State.debug or value
    return value


class State:
    """What the error handler needs to know of the command line."""

    debug = False
    interrupted = False


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")]
Debug = Annotated[bool, typer.Option("--debug", callback=_remember_debug, help="Show the traceback of an error.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an output that already exists.")]
Device = Annotated[str, typer.Option(help="Where torch computes: auto, cpu or cuda.")]
Model = Annotated[Path, typer.Argument(help="A run or a bundle.", show_default=False)]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder to write.", show_default=False)]

"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from genrec.placement import Provider


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
Device = Annotated[str, typer.Option(help="Where to compute: auto, cpu or cuda.")]
BundleProvider = Annotated[
    Provider,
    typer.Option("--provider", help="What runs a bundle; tensorrt first builds its engines, for minutes."),
]
Threads = Annotated[
    int | None,
    typer.Option(min=1, help="Threads of a bundle on the CPU; by default all cores that may be used."),
]
Model = Annotated[Path, typer.Argument(help="A run or a bundle.", show_default=False)]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder to write.", show_default=False)]

"""`genrec recommend`."""

import json as json_format
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from genrec.placement import Provider
from genrec_cli.options import BundleProvider, Debug, Device, Force, Json, Model, Threads

History = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ITEM",
        help="Item of a history, oldest first: repeatable, or once as a JSON list. In place of the user's own.",
    ),
]
UsersFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="CSV or Parquet with a column user, history or both; needs --output."),
]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="OUT.parquet", help="For --users-file.")]
Allow = Annotated[Path | None, typer.Option(metavar="FILE", help="Recommend only these items: one ID per line.")]
Deny = Annotated[Path | None, typer.Option(metavar="FILE", help="Never recommend these items: one ID per line.")]


def recommend(
    model: Model,
    user: Annotated[str | None, typer.Argument(help="User ID, as the data names it.", show_default=False)] = None,
    history: History = None,
    k: Annotated[int, typer.Option(help="Length of the list.")] = 10,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Items of the history may be recommended again.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option(metavar="DATASET", help="Newer histories: a dataset that extends the model's.")
    ] = None,
    users_file: UsersFile = None,
    output: Output = None,
    allow: Allow = None,
    deny: Deny = None,
    device: Device = "auto",
    provider: BundleProvider = Provider.auto,
    threads: Threads = None,
    json: Json = False,
    debug: Debug = False,
    force: Force = False,
) -> None:
    """Recommend the next items to a user, to a visitor with a history, or to everybody in a file.

    Example: genrec recommend exports/ml 196 --k 5

    Example: genrec recommend exports/ml --history 50 --history 181
    """
    _check_usage(user, history, users_file, output)
    # Nothing here multiplies matrices in numpy, and starting its threads takes 50 ms.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from genrec.recommend import load
    from genrec_cli.render import print_json

    lists = {"allow": _read_ids(allow), "deny": _read_ids(deny)}
    loaded = load(model, device, data, provider, threads)
    if loaded.scorer.trouble:
        _warn(loaded.scorer.trouble)
    if users_file is not None and output is not None:
        from genrec.bulk import recommend_file
        from genrec_cli.render import RichReporter

        result = recommend_file(
            loaded,
            users_file,
            output,
            k=k,
            include_seen=include_seen,
            **lists,
            force=force,
            reporter=RichReporter(),
        )
        _warn_of_lists(result)
        print_json(result) if json else _print_file(result)
        return
    result = loaded.recommend(user, _parse_history(history), k, include_seen, **lists)
    _warn_of_lists(result)
    _warn_of_history(result)
    print_json(result) if json else _print_list(result)


def _check_usage(
    user: str | None, history: list[str] | None, users_file: Path | None, output: Path | None
) -> None:
    one = user is not None or history
    if users_file is not None:
        if one:
            raise typer.BadParameter("give either --users-file or a USER and --history, not both")
        if output is None:
            raise typer.BadParameter("--users-file needs --output OUT.parquet")
    elif output is not None:
        raise typer.BadParameter("--output belongs to --users-file; a single list goes to the screen, or --json")
    elif not one:
        raise typer.BadParameter("give a USER, or --history ITEM, or --users-file FILE")


def _parse_history(values: list[str] | None) -> list[str] | None:
    """Item IDs of --history: one per option, or a single JSON list."""
    if values and len(values) == 1 and values[0].lstrip().startswith("["):
        try:
            items = json_format.loads(values[0])
        except ValueError:
            return values  # an ID that begins with a bracket
        return [str(item) for item in items]
    return values or None


def _read_ids(path: Path | None) -> list[str] | None:
    """The lines of a list of item IDs, empty ones left out."""
    if path is None:
        return None
    from genrec.errors import GenRecError

    try:
        # Not splitlines: it would break IDs at characters that only some count as line ends.
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise GenRecError(f"the list of items {path} cannot be read: {error}") from error
    return [line.removesuffix("\r") for line in lines if line.strip()]


def _warn_of_lists(result: dict[str, Any]) -> None:
    for name in ("allow", "deny"):
        if count := result[f"unknown_{name}"]:
            _warn(f"{count} items of the --{name} list are not in the model's catalogue")


def _warn_of_history(result: dict[str, Any]) -> None:
    if unknown := result["unknown_history"]:
        _warn(f"items of the history that the model does not know were skipped: {', '.join(unknown)}")
    if count := result["new_items"]:
        items = "1 item" if count == 1 else f"{count} items"
        _warn(f"{items} of the user's history newer than the model, and skipped")


def _warn(message: str) -> None:
    from genrec_cli.render import RichReporter

    RichReporter().warn(message)


def _print_file(result: dict[str, Any]) -> None:
    from genrec_cli.render import print_facts

    names = {
        "users": "users",
        "known_users": "known to the model",
        "without_history": "without any known item",
        "unknown_items": "unknown items, skipped",
        "rows": "recommendations",
        "seconds": "seconds",
    }
    print_facts(result["path"], {shown: result[name] for name, shown in names.items()})


def _print_list(result: dict[str, Any]) -> None:
    from rich.text import Text

    from genrec_cli.render import stdout

    console = stdout()
    user = result["user"]
    name = "visitor" if user is None else f"user {user}" + ("" if result["known_user"] else " (unknown)")
    shown, length = result["history"], result["history_length"]
    if shown:
        places = range(length - len(shown) + 1, length + 1)
        which = "all items" if len(shown) == length else f"the last {len(shown)} of {length:,} items"
        console.print(Text(f"History of {name}: {which}", style="bold"))
        console.print(_table(shown, list(places)))
    ranks = [row["rank"] for row in result["items"]]
    console.print(Text(f"Next for {name}" + ("" if ranks else ": no item is left to recommend"), style="bold"))
    console.print(_table(result["items"], ranks, scores=True))
    way = f"{result['backend']} on {result['provider'].removesuffix('ExecutionProvider')}"
    console.print(Text(f"{result['milliseconds']:.1f} ms, {way}; a score is a log-probability", style="dim"))


def _table(rows: list[dict[str, Any]], numbers: list[int], scores: bool = False) -> Any:
    """Items with title and attributes, as far as the data has them."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("rank" if scores else "#", justify="right", style="dim")
    table.add_column("item", style="cyan", overflow="fold", min_width=4)
    columns = [name for name in ("title", "attributes") if any(row.get(name) for row in rows)]
    for name in columns:
        table.add_column(name, overflow="fold")
    if scores:
        table.add_column("score", justify="right", no_wrap=True)
    for number, row in zip(numbers, rows, strict=True):
        cells = [Text(_cell(row.get(name))) for name in ("item", *columns)]
        table.add_row(str(number), *cells, *([f"{row['score']:.4f}"] if scores else []))
    return table


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)

"""`genrec recommend`."""

import json as json_format
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from genrec.placement import Provider
from genrec_cli import recommend_options as options
from genrec_cli.options import BundleProvider, Debug, Device, Force, Json, Model, Threads


def recommend(
    model: Model,
    user: Annotated[str | None, typer.Argument(help="User ID, as the data names it.", show_default=False)] = None,
    history: options.HistoryOption = None,
    k: Annotated[int, typer.Option(help="Length of the list.")] = 10,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Items of the history may be recommended again.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option(metavar="DATASET", help="Newer histories: a dataset that extends the model's.")
    ] = None,
    allow: options.AllowOption = None,
    deny: options.DenyOption = None,
    users_file: options.UsersFileOption = None,
    all_users: options.AllUsersOption = False,
    output: options.OutputOption = None,
    parts: options.PartsOption = None,
    shard: options.ShardOption = None,
    engine: options.EngineOption = options.Engine.local,
    workers: options.WorkersOption = None,
    device: Device = "auto",
    provider: BundleProvider = Provider.auto,
    threads: Threads = None,
    json: Json = False,
    debug: Debug = False,
    force: Force = False,
) -> None:
    """Recommend the next items to a user, to a visitor with a history, or to many at once.

    Example: genrec recommend exports/ml 196 --k 5

    Example: genrec recommend exports/ml --history 50 --history 181

    Example: genrec recommend exports/ml --all-users -o recs.parquet
    """
    many = options.Many(users_file, all_users, output, parts, shard, engine, workers)
    options.check_usage(user, history, many)
    # Nothing here multiplies matrices in numpy, and starting its threads takes 50 ms.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    lists = {"allow": _read_ids(allow), "deny": _read_ids(deny)}
    opening: dict[str, Any] = {"device": device, "provider": provider, "threads": threads}
    if many.wanted:
        from genrec_cli.recommend_many import recommend_many

        recommend_many(
            model, many, opening, {"data": data, "k": k, "include_seen": include_seen, **lists}, force, json
        )
        return
    from genrec.recommend import load
    from genrec_cli.render import print_json

    loaded = load(model, data=data, **opening)
    if loaded.scorer.trouble:
        warn(loaded.scorer.trouble)
    result = loaded.recommend(user, _parse_history(history), k, include_seen, **lists)
    warn_of_lists(result)
    _warn_of_history(result)
    print_json(result) if json else _print_list(result)


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


def warn_of_lists(result: dict[str, Any]) -> None:
    """How many of the listed items are unknown."""
    for name in ("allow", "deny"):
        if count := result[f"unknown_{name}"]:
            warn(f"{count} items of the --{name} list are not in the model's catalogue")


def _warn_of_history(result: dict[str, Any]) -> None:
    if unknown := result["unknown_history"]:
        warn(f"items of the history that the model does not know were skipped: {', '.join(unknown)}")
    if count := result["new_items"]:
        items = "1 item" if count == 1 else f"{count} items"
        warn(f"{items} of the user's history newer than the model, and skipped")


def warn(message: str) -> None:
    from genrec_cli.render import RichReporter

    RichReporter().warn(message)


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

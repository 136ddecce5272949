"""`genrec prepare`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from genrec_cli.options import Debug, Force, Json, Output

_REASONS = {
    "unparseable": "cannot be read",
    "missing_user": "no user",
    "missing_item": "no item",
    "missing_time": "no time",
    "below_rating": "rated too low, or not rated",
    "outside_dates": "before --since or after --until",
    "duplicate": "repeats a row's user, item and time",
    "k_core": "user or item with too few rows",
}


class Ties(StrEnum):
    """The rules for equal times."""

    input = "input"
    item = "item"
    shuffle = "shuffle"


class Dedupe(StrEnum):
    """Which of repeated rows count."""

    exact = "exact"
    user_item = "user-item"
    none = "none"


class Format(StrEnum):
    """The formats of sources."""

    auto = "auto"
    csv = "csv"
    tsv = "tsv"
    parquet = "parquet"
    jsonl = "jsonl"
    sequences = "sequences"
    amazon = "amazon"
    yelp = "yelp"
    movielens = "movielens"


Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help="Files of one format (gzip and zstd too), patterns, folders, - for standard input; a MovieLens "
        "folder or zip; a known name (movielens-100k to -32m, amazon-2014-beauty); duckdb:///FILE, sqlite:///FILE, postgresql://...",
        show_default=False,
    ),
]
Kind = Annotated[Format, typer.Option("--format", help="Format of the sources; auto looks at names and contents.")]
UserCol = Annotated[str | None, typer.Option(metavar="NAME", help="User column.", show_default="guessed")]
ItemCol = Annotated[str | None, typer.Option(metavar="NAME", help="Item column.", show_default="guessed")]
TimeCol = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Time column: seconds to nanoseconds, or ISO 8601.", show_default="guessed"),
]
RatingCol = Annotated[str | None, typer.Option(metavar="NAME", help="Rating column.", show_default="guessed")]
Query = Annotated[str | None, typer.Option(metavar="SQL", help="Rows of a database that are the log.")]
Table = Annotated[str | None, typer.Option(metavar="NAME", help="Table of a database that is the log.")]
Items = Annotated[Path | None, typer.Option(metavar="FILE", help="File of item titles, attributes and so on.")]
OrderCol = Annotated[
    str | None, typer.Option(metavar="NAME", help="Column of whole numbers that orders equal times, or all rows.")
]
Extend = Annotated[
    Path | None,
    typer.Option(
        metavar="DATASET", help="Dataset to add to: its rows stay, its users and items keep their indexes."
    ),
]
MinCount = Annotated[
    int | None,
    typer.Option(
        min=0, help="Fewest interactions a user and an item may have (k-core).", show_default="5, or DATASET's"
    ),
]
Dedup = Annotated[
    Dedupe | None,
    typer.Option(
        help="Rows that count once: of one user, item and time; of one user and item (the earliest); none.",
        show_default="exact",
    ),
]
Tie = Annotated[
    Ties | None,
    typer.Option(
        help="Order of equal times: of the rows in the source, of the item IDs, or by a hash with the seed.",
        show_default="input; shuffle for amazon and yelp, whose order leaks",
    ),
]
Seed = Annotated[int | None, typer.Option(help="Of --ties shuffle.", show_default="0")]
Strict = Annotated[bool, typer.Option("--strict", help="Stop on rows that are broken or lack user, item, time.")]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE", help="Memory before work goes to disk, like 4GB.", show_default="half the machine's"
    ),
]
MinRating = Annotated[float | None, typer.Option(help="Drop interactions that are rated lower.")]
Since = Annotated[str | None, typer.Option(metavar="DATE", help="Drop what is earlier (inclusive, UTC).")]
Until = Annotated[str | None, typer.Option(metavar="DATE", help="Drop what is later (inclusive, UTC).")]
Cache = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Where downloads are kept.", show_default="$GENREC_CACHE or ~/.cache/genrec"),
]


def prepare(
    sources: Sources,
    output: Output,
    format: Kind = Format.auto,
    user_col: UserCol = None,
    item_col: ItemCol = None,
    time_col: TimeCol = None,
    rating_col: RatingCol = None,
    order_col: OrderCol = None,
    query: Query = None,
    table: Table = None,
    items: Items = None,
    extend: Extend = None,
    min_count: MinCount = None,
    min_rating: MinRating = None,
    since: Since = None,
    until: Until = None,
    dedupe: Dedup = None,
    ties: Tie = None,
    seed: Seed = None,
    strict: Strict = False,
    memory: Memory = None,
    cache: Cache = None,
    json: Json = False,
    debug: Debug = False,
    force: Force = False,
) -> None:
    """Turn an interaction log into a dataset: read, filter, order by time, and account for every row.

    Example: genrec prepare log.csv.gz -o data/shop --items products.csv --min-count 5

    Example: genrec prepare movielens-100k -o data/ml

    Example: genrec prepare sqlite:///shop.db --query "select user, item, time from orders" -o data/shop
    """
    from genrec.data.prepare import prepare as run
    from genrec_cli.render import RichReporter, print_json

    result = run(
        sources,
        output,
        format=format.value,
        user_col=user_col,
        item_col=item_col,
        time_col=time_col,
        rating_col=rating_col,
        order_col=order_col,
        query=query,
        table=table,
        items=items,
        extend=extend,
        min_count=min_count,
        min_rating=min_rating,
        since=since,
        until=until,
        dedupe=dedupe.value if dedupe else None,
        ties=ties.value if ties else None,
        seed=seed,
        strict=strict,
        memory=memory,
        force=force,
        cache=cache,
        reporter=RichReporter(),
    )
    if json:
        print_json(result)
    else:
        _show(result)


def _show(result: dict[str, Any]) -> None:
    """Counts, and where the other rows went."""
    from genrec_cli.render import print_facts

    columns = {role: column for role, column in result["columns"].items() if column}
    parent = result["parent"]
    facts: dict[str, object] = {
        "users": result["users"],
        "items": result["items"],
        "interactions": result["interactions"],
        "items per user": result["avg_items_per_user"],
        "users per item": result["avg_users_per_item"],
        "columns": ", ".join(f"{role} = {column}" for role, column in columns.items()),
        "times": result["times"] or "none: the order of the rows counts",
        "rows read": result["read"],
        "rows kept": result["kept"],
    }
    if parent:
        facts["rows kept"] = f"{result['kept']:,}, added to {parent['interactions']:,} of {parent['name']}"
    for reason, count in result["dropped"].items():
        if count:
            shown = [_example(one) for one in result["examples"] if one["reason"] == reason != "k_core"]
            facts[f"dropped: {reason}"] = "\n".join([f"{count:,} ({_REASONS[reason]})", *shown])
    if not any(result["dropped"].values()):
        facts["rows dropped"] = 0
    if result["ties"]["share"] is not None:
        facts["equal times"] = f"{result['ties']['share']:.2%} of the interactions, {_order(result['ties'])}"
    print_facts(f"{result['name']} in {result['path']}", facts)


def _order(ties: dict[str, Any]) -> str:
    """How equal times are ordered, in words."""
    if ties["column"]:
        return f"in the order of {ties['column']}"
    rules = {"input": "in the source's order", "item": "by item ID", "shuffle": f"shuffled (seed {ties['seed']})"}
    return rules[ties["rule"]]


def _example(example: dict[str, Any]) -> str:
    """Where a dropped row stands, and what is in it."""
    place = (
        f" line {example['line']:,}" if example["line"] else f" row {example['row']:,}" if example["row"] else ""
    )
    return f"{example['file']}{place}: {example['text']}"

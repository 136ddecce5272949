"""The options of `genrec prepare`."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer


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


class Engine(StrEnum):
    """What counts and sorts."""

    duckdb = "duckdb"
    spark = "spark"


_source = partial(typer.Option, rich_help_panel="Source")
_column = partial(typer.Option, rich_help_panel="Columns", metavar="NAME")
_filter = partial(typer.Option, rich_help_panel="Which rows count")
_order = partial(typer.Option, rich_help_panel="Order of equal times")

SourcesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help="Files of one format (gzip and zstd too), patterns, folders, - for standard input; a MovieLens "
        "folder or zip; a known name (movielens-100k, amazon-2014-beauty); duckdb:///FILE, sqlite:///FILE, "
        "postgresql://...",
        show_default=False,
    ),
]
FormatOption = Annotated[Format, _source("--format", help="Format; auto looks at names and contents.")]
QueryOption = Annotated[str | None, _source(metavar="SQL", help="Rows of a database that are the log.")]
TableOption = Annotated[str | None, _source(metavar="NAME", help="Table of a database that is the log.")]
ItemsOption = Annotated[Path | None, _source(metavar="FILE", help="File of item titles, attributes and so on.")]
ExtendOption = Annotated[
    Path | None,
    _source(metavar="DATASET", help="Dataset to add to: its rows stay, its users and items keep their indexes."),
]
CacheOption = Annotated[
    Path | None,
    _source(metavar="DIR", help="Where downloads are kept.", show_default="$GENREC_CACHE or ~/.cache/genrec"),
]

UserColOption = Annotated[str | None, _column(help="User column.", show_default="guessed")]
ItemColOption = Annotated[str | None, _column(help="Item column.", show_default="guessed")]
TimeColOption = Annotated[
    str | None, _column(help="Time column: seconds to nanoseconds, or ISO 8601.", show_default="guessed")
]
RatingColOption = Annotated[str | None, _column(help="Rating column.", show_default="guessed")]
OrderColOption = Annotated[
    str | None, _column(help="Column of whole numbers that orders equal times; without times, all rows of a user.")
]

MinCountOption = Annotated[
    int | None,
    _filter(min=0, help="Fewest rows that a user and an item may have (k-core).", show_default="5, or DATASET's"),
]
MinRatingOption = Annotated[float | None, _filter(help="Drop interactions that are rated lower.")]
SinceOption = Annotated[str | None, _filter(metavar="DATE", help="Drop what is earlier (inclusive, UTC).")]
UntilOption = Annotated[str | None, _filter(metavar="DATE", help="Drop what is later (inclusive, UTC).")]
DedupeOption = Annotated[
    Dedupe | None,
    _filter(
        help="Rows that count once: of one user, item and time; of one user and item (the earliest); none.",
        show_default="exact, or DATASET's",
    ),
]
StrictOption = Annotated[bool, _filter("--strict", help="Stop at rows that are broken or lack user, item, time.")]

TiesOption = Annotated[
    Ties | None,
    _order(
        help="As the rows stand in the source, by item ID, or by a hash.",
        show_default="input; shuffle for amazon and yelp, whose order leaks",
    ),
]
SeedOption = Annotated[int | None, _order(help="Seed of the hash.", show_default="0, or DATASET's")]

MemoryOption = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Memory before work goes to disk, like 4GB.", show_default="half of all"),
]
EngineOption = Annotated[
    Engine,
    typer.Option(
        help="Where rows are counted and sorted: this machine's DuckDB, or Spark for logs that one machine cannot "
        "hold (Parquet only)."
    ),
]

"""`genrec prepare`."""

from typing import Any

from genrec_cli import prepare_options as options
from genrec_cli.options import Debug, Force, Json, Output

_REASONS = {
    "unparseable": "cannot be read",
    "missing_user": "no user",
    "missing_item": "no item",
    "missing_time": "no time",
    "below_rating": "rated too low, or not rated",
    "outside_dates": "before --since or after --until",
    "duplicate": "repeats another row",
    "k_core": "user or item with too few rows",
}


def prepare(
    sources: options.SourcesArgument,
    output: Output,
    format: options.FormatOption = options.Format.auto,
    user_col: options.UserColOption = None,
    item_col: options.ItemColOption = None,
    time_col: options.TimeColOption = None,
    rating_col: options.RatingColOption = None,
    order_col: options.OrderColOption = None,
    query: options.QueryOption = None,
    table: options.TableOption = None,
    items: options.ItemsOption = None,
    extend: options.ExtendOption = None,
    min_count: options.MinCountOption = None,
    min_rating: options.MinRatingOption = None,
    since: options.SinceOption = None,
    until: options.UntilOption = None,
    dedupe: options.DedupeOption = None,
    ties: options.TiesOption = None,
    seed: options.SeedOption = None,
    strict: options.StrictOption = False,
    memory: options.MemoryOption = None,
    engine: options.EngineOption = options.Engine.duckdb,
    cache: options.CacheOption = None,
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
        engine=engine.value,
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

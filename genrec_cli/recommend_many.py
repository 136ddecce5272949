"""`genrec recommend --users-file` and `--all-users`."""

from pathlib import Path
from typing import Any

import typer

from genrec_cli.recommend_options import Many


def recommend_many(
    model: Path, many: Many, opening: dict[str, Any], rules: dict[str, Any], force: bool, json: bool
) -> None:
    """Write recommendations for many, and show what was counted."""
    from genrec.bulk import Job, recommend_to_many
    from genrec.bulk.parts import Shard
    from genrec.errors import GenRecError
    from genrec_cli.recommend import warn, warn_of_lists
    from genrec_cli.render import RichReporter, print_json

    try:
        shard = None if many.shard is None else Shard.parse(many.shard)
    except GenRecError as error:
        raise typer.BadParameter(str(error)) from error
    lists = {name: rules[name] and tuple(rules[name]) for name in ("allow", "deny")}
    result = recommend_to_many(
        Job(model, many.users_file, opening=opening, **{**rules, **lists}),
        many.output or "",
        parts=many.parts,
        shard=shard,
        engine=many.engine.value,
        workers=many.workers,
        force=force,
        reporter=RichReporter(),
    )
    warn_of_lists(result)
    if result["trouble"]:
        warn(result["trouble"])
    print_json(result) if json else _show(result)


def _show(result: dict[str, Any]) -> None:
    from genrec_cli.render import print_facts

    names = {
        "users": "users",
        "known_users": "known to the model",
        "without_history": "without any known item",
        "unknown_items": "unknown items, skipped",
        "rows": "recommendations",
        "seconds": "seconds",
        "users_per_second": "users/s",
    }
    facts: dict[str, object] = {shown: result[name] for name, shown in names.items()}
    if result["kept_parts"]:
        facts["parts"] = f"{len(result['paths']):,}, of which {result['kept_parts']:,} were finished before"
    elif result["parts"] > 1:
        facts["parts"] = f"{len(result['paths']):,} of {result['parts']:,}"
    print_facts(result["path"], facts)

"""`genrec eval`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from genrec.placement import Provider
from genrec_cli.options import BundleProvider, Debug, Device, Force, Json, Model, Threads


class Split(StrEnum):
    """The two splits that can be evaluated."""

    test = "test"
    valid = "valid"


def evaluate(
    model: Model,
    data: Annotated[Path | None, typer.Option(help="Dataset; by default the one the model carries.")] = None,
    split: Annotated[Split, typer.Option(help="Which held-out item to predict.")] = Split.test,
    k: Annotated[str, typer.Option(help="Cut-offs of the metrics.")] = "1,5,10",
    beams: Annotated[int, typer.Option(min=1, help="Beams of the search (a bundle has its own).")] = 20,
    exclude_seen: Annotated[
        bool, typer.Option("--exclude-seen", help="Items of the history are no candidates.")
    ] = False,
    as_visitor: Annotated[
        bool, typer.Option("--as-visitor", help="The same users as unknown ones: user 0, their history alone.")
    ] = False,
    users: Annotated[int | None, typer.Option(min=1, help="A seeded sample of so many users.")] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="Another run, bundle, popularity or transitions on the same users, with the differences, their "
            "intervals and p-values; repeatable."
        ),
    ] = None,
    details: Annotated[
        bool,
        typer.Option(
            "--details",
            help="Also show metrics by history length and by the target's popularity, and coverage, novelty and "
            "Gini of the lists.",
        ),
    ] = False,
    per_user: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT.parquet",
            help="Write user, history length, target and its rank (0: not listed) per model.",
        ),
    ] = None,
    calibrate: Annotated[
        str | None,
        typer.Option(
            metavar="BEAMS",
            help="Numbers of beams, 20,50,100 say, to compare with exact scores of all items: what the search "
            "misses. For runs; slow, so give --users 1000.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sample of users and of the bootstrap.")] = 0,
    device: Device = "auto",
    provider: BundleProvider = Provider.auto,
    threads: Threads = None,
    json: Json = False,
    debug: Debug = False,
    force: Force = False,
) -> None:
    """Measure a model: leave-one-out, ranked over all items, all users, 95 % intervals.

    Example: genrec eval runs/ml --against popularity --exclude-seen
    """
    cutoffs = _numbers(k, "--k", "1,5,10")
    widths = None if calibrate is None else _numbers(calibrate, "--calibrate", "20,50,100")
    from genrec_cli.eval_tables import show
    from genrec_cli.render import RichReporter, print_json

    reporter = RichReporter()
    with reporter.status("starting"):
        from genrec.evaluation.evaluate import evaluate as measure
    result = measure(
        model,
        data=data,
        split=split.value,
        k=cutoffs,
        beams=beams,
        exclude_seen=exclude_seen,
        as_visitor=as_visitor,
        users=users,
        against=against or (),
        calibrate=widths,
        per_user=per_user,
        device=device,
        provider=provider,
        threads=threads,
        seed=seed,
        force=force,
        reporter=reporter,
    )
    if json:
        print_json(result)
    else:
        show(result, details)


def _numbers(text: str, option: str, example: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no list of numbers such as {example}", param_hint=option) from error

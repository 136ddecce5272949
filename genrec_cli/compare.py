"""`genrec compare`."""

from pathlib import Path
from typing import Annotated

import typer

from genrec_cli.options import Debug, Device, Force, Json
from genrec_cli.train import Dataset, Preset


def compare(
    dataset: Dataset,
    models: Annotated[
        str | None,
        typer.Option(
            help="Which, separated by commas: genrec, reference models, popularity, transitions.",
            show_default="all",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Folder of the runs, MODEL-seedN each.", show_default="DATASET-compare"
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.01, help="End the training of each run after so long; it keeps its best epoch."),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Train each model once with each; the table shows the mean.")] = "0",
    preset: Preset = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="[MODEL.]KEY=VALUE",
            help="A setting of every model that has it, or of one: sasrec.dropout=0.3; repeatable.",
        ),
    ] = None,
    exclude_seen: Annotated[
        bool | None,
        typer.Option(
            "--exclude-seen/--include-seen",
            help="Only with items of the history left out of the candidates, or kept.",
            show_default="both",
        ),
    ] = None,
    users: Annotated[int | None, typer.Option(min=1, help="A seeded sample of so many users.")] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the table as one self-contained page.")
    ] = None,
    latex: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the table in LaTeX, for booktabs.")
    ] = None,
    device: Device = "auto",
    json: Json = False,
    debug: Debug = False,
    force: Force = False,
) -> None:
    """Compare models on a dataset: train what is missing, evaluate all on the same users, print one table.

    The same command goes on where it was stopped: finished runs are kept, unfinished ones resumed. --force
    replaces FILEs, and runs of other data or settings.

    Example: genrec compare data/shop --models genrec,sasrec,popularity,transitions --minutes 30

    Example: genrec compare data/shop --seeds 0,1,2 --preset tiny --html table.html --latex table.tex
    """
    chosen = _seeds(seeds)
    from genrec_cli.render import RichReporter, print_json

    reporter = RichReporter()
    with reporter.status("starting"):
        from genrec.comparing.compare import compare as run
    result = run(
        dataset,
        output,
        models=None if models is None else [name.strip() for name in models.split(",") if name.strip()],
        seeds=chosen,
        minutes=minutes,
        preset=preset,
        settings=settings or (),
        exclude_seen=exclude_seen,
        users=users,
        html=html,
        latex=latex,
        device=device,
        force=force,
        reporter=reporter,
    )
    if json:
        print_json(result)
    else:
        from genrec_cli.compare_tables import show

        show(result)


def _seeds(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no list of numbers such as 0,1,2", param_hint="--seeds") from error

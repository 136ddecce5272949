"""`genrec train`, `genrec pretrain` and `genrec finetune`."""

import re
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from genrec.progress import SILENT, Reporter
from genrec.ranks import is_main, leave
from genrec_cli.options import Debug, Device, Force, Json, Output

Dataset = Annotated[Path, typer.Argument(help="Folder written by genrec prepare.", show_default=False)]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="genrec, or a reference model: bert4rec, caser, fdsa, gru4rec, hgn, p5, s3rec, sasrec; or one that "
        "only counts: popularity, transitions.",
        show_default="genrec",
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(help="GenRec's defaults to start from: bart-base, base, small or tiny.", show_default="small"),
]
Config = Annotated[Path | None, typer.Option("--config", help="TOML file of settings.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One setting, such as finetune_epochs=5; repeatable."),
]
BatchSize = Annotated[
    str | None,
    typer.Option(metavar="N|auto", help="Examples in a step; auto takes the largest power of two that fits."),
]
Seed = Annotated[int | None, typer.Option(help="Seed of everything that is drawn.", show_default="0")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue a run that was stopped, if there is one.")]
SaveEvery = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Checkpoint at least so often (30s, 5m, 1h), besides after each epoch."),
]
Track = Annotated[
    list[str] | None,
    typer.Option(
        help="Report to tensorboard, trackio, wandb or mlflow; repeatable.",
        show_default="tensorboard",
    ),
]

_UNITS = {"s": 1, "m": 60, "h": 3600}


def train(
    dataset: Dataset,
    output: Output,
    model: Model = None,
    preset: Preset = None,
    config: Config = None,
    settings: Settings = None,
    batch_size: BatchSize = None,
    seed: Seed = None,
    device: Device = "auto",
    resume: Resume = False,
    save_every: SaveEvery = None,
    track: Track = None,
    json: Json = False,
    debug: Debug = False,
    force: Force = False,
) -> None:
    """Train a recommender: pretrain (fill in a masked item), then finetune (predict the next one).

    Example: genrec train data/ml -o runs/ml --preset tiny --set finetune_epochs=5

    Example: genrec train data/ml -o runs/sasrec --model sasrec
    """
    _run("train", json, dataset, output, model=model, **_options(locals()))


def pretrain(
    dataset: Dataset,
    output: Output,
    preset: Preset = None,
    config: Config = None,
    settings: Settings = None,
    batch_size: BatchSize = None,
    seed: Seed = None,
    device: Device = "auto",
    resume: Resume = False,
    save_every: SaveEvery = None,
    track: Track = None,
    json: Json = False,
    debug: Debug = False,
    force: Force = False,
) -> None:
    """Pretrain only: learn to fill in one masked item of each training sequence.

    Example: genrec pretrain data/ml -o runs/ml-pretrained --preset tiny
    """
    _run("pretrain", json, dataset, output, **_options(locals()))


def finetune(
    dataset: Dataset,
    output: Output,
    start: Annotated[Path, typer.Option("--from", help="Pretrained run to start from.", show_default=False)],
    preset: Preset = None,
    config: Config = None,
    settings: Settings = None,
    batch_size: BatchSize = None,
    seed: Seed = None,
    device: Device = "auto",
    resume: Resume = False,
    save_every: SaveEvery = None,
    track: Track = None,
    json: Json = False,
    debug: Debug = False,
    force: Force = False,
) -> None:
    """Finetune a pretrained run: learn to predict the next item.

    Example: genrec finetune data/ml -o runs/ml --from runs/ml-pretrained
    """
    _run("finetune", json, dataset, output, start=start, **_options(locals()))


def _options(given: dict[str, Any]) -> dict[str, Any]:
    """The keyword arguments that the three commands share with the library."""
    names = ("preset", "config", "seed", "device", "resume", "track", "force")
    settings = [*(given["settings"] or []), *_batch_size(given["batch_size"])]
    shared = {name: given[name] for name in names}
    return {**shared, "settings": settings, "save_every": _seconds(given["save_every"])}


def _batch_size(text: str | None) -> list[str]:
    """`--batch-size` is the setting of that name."""
    if text is None:
        return []
    if text != "auto" and (not text.isdecimal() or int(text) < 1):
        raise typer.BadParameter(f"{text!r} is neither a number from 1 on nor auto", param_hint="--batch-size")
    return [f"batch_size={text}"]


def _seconds(text: str | None) -> float | None:
    """
    >>> _seconds("5m")
    300.0
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if not match or not float(match[1]):
        raise typer.BadParameter(f"{text!r} is no time; write 30s, 5m or 1h", param_hint="--save-every")
    return float(match[1]) * _UNITS[match[2]]


def _run(verb: str, json: bool, dataset: Path, output: Path, **options: Any) -> None:
    from genrec_cli.render import RichReporter, print_json

    reporter: Reporter = RichReporter() if is_main() else SILENT
    status = reporter.status("starting") if isinstance(reporter, RichReporter) else nullcontext()
    with status:
        import genrec.training.train as library
    result = getattr(library, verb)(dataset, output, reporter=reporter, **options)
    leave()
    if json:
        print_json(result)
    else:
        _print(output, result)


def _print(output: Path, result: dict[str, Any]) -> None:
    from genrec_cli.render import print_facts, show

    valid = result["best"]["valid"]
    epochs = ", ".join(f"{phase} {count}" for phase, count in result["epochs"].items())
    facts = {"epochs": epochs, "best epoch": result["best"]["epoch"]}
    facts |= {f"valid {name}": value for name, value in valid.items()}
    if "item_head" in result:
        facts["item head"] = f"share {result['item_head']['weight']:g}"
    if "prior" in result:
        prior = result["prior"]
        facts["prior"] = f"transitions, decay {prior['decay']:g} a step, weight {prior['weight']:g}"
    facts["seconds"] = result["seconds"]
    if result["examples_per_second"]:
        facts["examples/s"] = show(result["examples_per_second"])
    print_facts(f"Trained {output}", facts)

"""`genrec export`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from genrec_cli.options import Debug, Force, Json


class Quantize(StrEnum):
    """How weights are stored."""

    none = "none"
    int8 = "int8"
    fp16 = "fp16"


class Target(StrEnum):
    """What is written."""

    bundle = "bundle"
    triton = "triton"


def export(
    context: typer.Context,
    run: Annotated[Path | None, typer.Argument(metavar="RUN", help="A finished run.", show_default=False)] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder to write.", show_default=False)
    ] = None,
    k: Annotated[int, typer.Option(help="Length of the longest list that the bundle can return.")] = 20,
    beams: Annotated[int, typer.Option(help="Beams of GenRec's search; at least k are used.")] = 20,
    quantize: Annotated[
        Quantize, typer.Option(help="Store GenRec's weights in less; what it costs is measured.")
    ] = Quantize.none,
    opset: Annotated[int, typer.Option(help="Version of the ONNX operator set, 17 to 20.")] = 18,
    no_histories: Annotated[
        bool, typer.Option("--no-histories", help="Leave users and their histories out of the bundle.")
    ] = False,
    target: Annotated[
        Target, typer.Option(help="A bundle, or a model repository of the Triton Inference Server.")
    ] = Target.bundle,
    verify: Annotated[
        Path | None,
        typer.Option(metavar="BUNDLE", help="Write nothing: check a bundle's files and replay its golden.json."),
    ] = None,
    json: Json = False,
    debug: Debug = False,
    force: Force = False,
) -> None:
    """Turn a run into a bundle of ONNX that recommends in any runtime, and compare it with the run.

    A reference model's bundle has the same inputs and outputs, but no graphs of Optimum's layout.

    Example: genrec export runs/ml -o exports/ml --k 50

    Example: genrec export --verify exports/ml
    """
    if verify is not None:
        _check_alone(context)
        _verify(verify, json)
        return
    if run is None or output is None:
        raise typer.BadParameter("give a RUN and --output DIR, or --verify BUNDLE")
    from genrec_cli.render import RichReporter, print_json

    reporter = RichReporter()
    with reporter.status("starting"):
        from genrec.exporting.bundle import export as write_bundle
    result = write_bundle(
        run,
        output,
        k=k,
        beams=beams,
        quantize=quantize.value,
        opset=opset,
        histories=not no_histories,
        target=target.value,
        force=force,
        reporter=reporter,
    )
    print_json(result) if json else _print(result)


def _check_alone(context: typer.Context) -> None:
    """--verify writes nothing, so whatever says what to write contradicts it."""
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if name not in ("verify", "json", "debug") and source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(f"--verify BUNDLE writes nothing; leave out {_shown(parameter)}")


def _shown(parameter: Any) -> str:
    """As it is typed: --output, RUN."""
    return parameter.opts[0] if parameter.param_type_name == "option" else parameter.metavar


def _verify(bundle: Path, json: bool) -> None:
    from genrec.errors import GenRecError
    from genrec.exporting.verify import verify
    from genrec_cli.render import print_json

    result = verify(bundle)
    print_json(result) if json else _print_verified(result)
    if wrong := [request["name"] for request in result["requests"] if not request["same"]]:
        raise GenRecError(
            f"{len(wrong)} of {len(result['requests'])} requests of {bundle} are answered differently by "
            f"{result['provider']}: {'; '.join(wrong)}; see genrec doctor, or export the run again"
        )


def _print_verified(result: dict[str, Any]) -> None:
    from rich import box
    from rich.table import Table

    from genrec_cli.render import stdout

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("request", style="cyan", overflow="fold")
    table.add_column("same items")
    table.add_column("largest score difference", justify="right")
    for request in result["requests"]:
        difference = request["max_abs_diff"]
        table.add_row(
            request["name"],
            "yes" if request["same"] else "[bold red]no[/]",
            "another number of items" if difference is None else f"{difference:.1e}",
        )
    console = stdout()
    console.print(table)
    provider = result["provider"].removesuffix("ExecutionProvider")
    console.print(
        f"{result['files']} files are whole. Asked of onnxruntime on {provider}; "
        f"scores may differ by {result['tolerance']:g}."
    )


def _print(result: dict[str, Any]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from genrec_cli.render import stdout

    console = stdout()
    console.print(Text(f"{result['bundle']}{' (leaky)' if result['leaky'] else ''}", style="bold"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("file", style="cyan", overflow="fold")
    table.add_column("bytes", justify="right")
    for name, entry in result["files"].items():
        table.add_row(name, f"{entry['bytes']:,}")
    console.print(table)
    parity = result["parity"]
    way = "of all, each of which is scored" if result["beams"] is None else f"by {result['beams']} beams"
    console.print(f"Lists of {result['k']} items {way}, opset {result['opset']}.")
    console.print(
        f"Against torch, {parity['lists']:,} lists of {parity['users']:,} users: {parity['same_top_k']:.1%} the "
        f"same, scores within {parity['max_abs_diff']:.1e}."
    )
    if "comparison" in result:
        _print_comparison(result["comparison"], result["quantize"])


def _print_comparison(comparison: dict[str, Any], kind: str) -> None:
    from rich import box
    from rich.table import Table

    from genrec_cli.render import show, stdout

    fp32, small = comparison["fp32"], comparison[kind]
    names = {"users_per_second": f"users/s, batches of {comparison['batch']}", "milliseconds": "ms, one user"}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("recommender.onnx", style="cyan")
    for name in ("fp32", kind, f"{kind} / fp32"):
        table.add_column(name, justify="right")
    for name, value in fp32.items():
        ratio = f"{small[name] / value:.3f}" if value else ""
        table.add_row(names.get(name, name), show(value), show(small[name]), ratio)
    stdout().print(table)
    sample = f", a sample (seed {comparison['seed']})" if comparison["sampled"] else ""
    split = "validation users" if comparison["split"] else "users"
    stdout().print(
        f"On {comparison['users']:,} {split}{sample}: {comparison['overlap']:.1%} of the items are in both lists, "
        f"{comparison['identical']:.1%} of the lists are identical."
    )

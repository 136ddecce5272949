"""`genrec export`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from genrec_cli.options import Debug, Force, Json, Output


class Quantize(StrEnum):
    """How weights are stored."""

    none = "none"
    int8 = "int8"
    fp16 = "fp16"


def export(
    run: Annotated[Path, typer.Argument(help="A finished run.", show_default=False)],
    output: Output,
    k: Annotated[int, typer.Option(help="Length of the longest list that the bundle can return.")] = 20,
    beams: Annotated[int, typer.Option(help="Beams of the search; at least k are used.")] = 20,
    quantize: Annotated[
        Quantize, typer.Option(help="Store weights in less; what it costs is measured.")
    ] = Quantize.none,
    opset: Annotated[int, typer.Option(help="Version of the ONNX operator set, 17 to 20.")] = 18,
    no_histories: Annotated[
        bool, typer.Option("--no-histories", help="Leave users and their histories out of the bundle.")
    ] = False,
    json: Json = False,
    debug: Debug = False,
    force: Force = False,
) -> None:
    """Turn a run into a bundle of ONNX graphs that recommends in any runtime, and compare it with the run.

    Example: genrec export runs/ml -o exports/ml --k 50
    """
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
        force=force,
        reporter=reporter,
    )
    if json:
        print_json(result)
    else:
        _print(result)


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
    console.print(f"Lists of {result['k']} items by {result['beams']} beams, opset {result['opset']}.")
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

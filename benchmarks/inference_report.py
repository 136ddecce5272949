"""The figures of inference.py as a table."""

from typing import Any

from rich.console import Console
from rich.table import Table


def show(figures: dict[str, Any]) -> None:
    """One table of models, one of growth, one of commands."""
    console = Console()
    rate = (figures["matrix_rate"] + figures["matrix_rate_after"]) / 2
    console.print(f"{figures['threads']} threads; a large matrix product runs at {rate / 1e9:,.0f} GFLOP/s")
    console.print(_models(figures["models"], rate))
    if figures["growth"]:
        console.print(_growth(figures["growth"]))
    for name, seconds in figures.get("commands", {}).items():
        console.print(f"genrec {name}: {seconds:.2f} s")


def _models(models: list[dict[str, Any]], rate: float) -> Table:
    small = next(way for way in ("int8", "fp16") if way in models[0]["batch"])
    columns = ("", "genrec", f"genrec {small}", "Hugging Face", "ratio", f"ratio {small}")
    table = Table(*columns, title="20 beams, lists of 20")
    for model in models:
        batch, one, name = model["batch"], model["one"], model["model"]
        speeds = [f"{1 / batch[way]:,.1f}" for way in ("fp32", small, "peer")]
        ratios = [f"{batch[key]:.1f}" for key in ("peer_per_fp32", f"peer_per_{small}")]
        table.add_row(f"{name}: users/s, batch 32", *speeds, *ratios)
        times = [f"{one[way] * 1000:,.1f}" for way in ("fp32", small, "peer")]
        ratios = [f"{one[key]:.1f}" for key in ("peer_per_fp32", f"peer_per_{small}")]
        table.add_row(f"{name}: ms, one user", *times, *ratios)
        share = model["flops"] / batch["fp32"] / rate
        table.add_row(f"{name}: share of the limit ({model['flops'] / 1e6:,.0f} MFLOP/user)", f"{share:.0%}")
        table.add_row(f"{name}: lists as Hugging Face's", f"{model['same_as_peer']:.0%}")
    return table


def _growth(sizes: list[dict[str, Any]]) -> Table:
    table = Table("items", "ms per step", "against the first", "trie bytes per item", title="a growing catalogue")
    for size in sizes:
        ratio = size["step_seconds"] / sizes[0]["step_seconds"]
        table.add_row(
            f"{size['items']:,}",
            f"{size['step_seconds'] * 1000:.2f}",
            f"{ratio:.2f}",
            f"{size['trie_bytes'] / size['items']:.0f}",
        )
    return table

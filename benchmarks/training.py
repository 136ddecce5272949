"""Measure training: examples a second beside the published way, share of the limit, users, memory.

Example: python benchmarks/training.py data/beauty --folder training --json training.json

`data/beauty` is a dataset that `genrec prepare` made. Peers run in the same process, in turn.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

import torch
from inference import matrix_rate
from inference_models import BART_BASE, WIDE, WIDE_SETTINGS
from measuring import measure
from rich.console import Console
from rich.table import Table
from training_ours import OurWay
from training_peer import PublishedWay, save_weights
from user_growth import GROWTH, measure_users

from genrec.config import TrainConfig
from genrec.data.dataset import Dataset, load_dataset
from genrec.data.split import train_part
from genrec.settings import make_config

_MERGED = {"merged": {"encoder_merge": "item"}}
_WAYS: dict[str, dict[str, dict[str, Any]]] = {
    WIDE: _MERGED,
    "small": {f"batches of {size}": {"batch_size": size} for size in (512, 1024)},
    "base": {},
    BART_BASE: {
        **_MERGED,
        "bf16": {"precision": "bf16"},
        "merged, bf16": {"encoder_merge": "item", "precision": "bf16"},
    },
}
"""Of each shape, the ways that are measured beside its own settings."""
_BART_SHAPE = {"d_model": 768, "encoder_layers": 6, "decoder_layers": 6, "heads": 12, "ffn_dim": 3072}
_STEPS = {WIDE: 40, "small": 20, "base": 6, BART_BASE: 8}
_PEER_STEPS = {WIDE: 100, BART_BASE: 8}
"""Of 16 examples; ours has just had the same ones, of bart-base all of them."""
_LONGER_ON_GPU = 8


def settings(name: str, folder: Path, **changed: Any) -> TrainConfig:
    """A preset's settings or `WIDE`'s; bart-base starts from random weights, for what is measured is speed."""
    if name == BART_BASE:
        weights = folder / "bart-base"
        changed["weights"] = str(weights if weights.exists() else save_weights(_BART_SHAPE, weights))
    return make_config({**(WIDE_SETTINGS if name == WIDE else {"preset": name}), **changed})


def measure_shape(name: str, data: Dataset, folder: Path, repeats: int, device: str = "cpu") -> dict[str, Any]:
    """One shape: genrec in one or more ways, and the peer where there is one."""
    wanted = {"genrec": {}, **_WAYS[name]}
    ways = {
        way: OurWay(data, settings(name, folder, **changed), folder, device) for way, changed in wanted.items()
    }
    peer = None
    if name in _PEER_STEPS:
        shape = {key: getattr(ways["genrec"].config, key) for key in _BART_SHAPE}
        peer = PublishedWay(train_part(data.sequences), data.item_count, shape, device)
    rounds: list[dict[str, Any]] = []
    longer = _LONGER_ON_GPU if device == "cuda" else 1
    for _ in range(repeats + 1):
        found: dict[str, Any] = {"rate": matrix_rate(device)}
        for way, ours in ways.items():
            found[way] = ours.measure(longer * _STEPS[name])
        if peer:
            found["peer"] = peer.examples_per_second(ways["genrec"].places, longer * _PEER_STEPS[name])
        rounds.append(found)
        print(name, found, file=sys.stderr, flush=True)
    return summary(name, list(ways), rounds[1:])  # in the first one memory is taken for the first time


def summary(name: str, ways: list[str], rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the rounds; ratios are taken within a round."""

    def median(values: list[float]) -> float:
        return statistics.median(values)

    result: dict[str, Any] = {"shape": name, "ways": ways, "matrix_rate": median([r["rate"] for r in rounds])}
    for way in ways:
        result[way] = {key: median([r[way][key] for r in rounds]) for key in rounds[0][way]}
        result[way]["limit_share"] = median([r[way]["flops"] / r["rate"] for r in rounds])
        if "peer" in rounds[0]:
            result[way]["ratio"] = median([r[way]["examples_per_second"] / r["peer"] for r in rounds])
    if "peer" in rounds[0]:
        result["peer"] = median([r["peer"] for r in rounds])
    return result


def measure_memory(data: Path, folder: Path) -> float:
    """Peak resident bytes of a whole `genrec train` with `small`."""
    output = folder / "memory"
    command = [sys.executable, "-m", "genrec_cli", "train", data, "-o", output, "--preset", "small"]
    command += ["--set", "finetune_epochs=1", "--force"]
    return measure(command, output).peak_bytes


def show(figures: dict[str, Any]) -> None:
    """Tables of shapes and of users, and the memory."""
    console = Console(width=140)
    table = Table("", "examples/s", "peer", "ratio", "share of the limit", "outside model and data", "data")
    for shape in figures["shapes"]:
        for way in shape["ways"]:
            found = shape[way]
            peer = f"{shape['peer']:,.1f}" if "peer" in shape else ""
            ratio = f"{found['ratio']:.1f}" if "ratio" in found else ""
            shares = [f"{found[key]:.1%}" for key in ("limit_share", "outside", "data")]
            name = shape["shape"] if way == "genrec" else f"{shape['shape']}, {way}"
            table.add_row(name, f"{found['examples_per_second']:,.1f}", peer, ratio, *shares)
    rates = ", ".join(f"{shape['matrix_rate'] / 1e9:,.0f}" for shape in figures["shapes"])
    console.print(f"{figures['threads']} threads; a large matrix product ran at {rates} GFLOP/s")
    console.print(table)
    if figures["users"]:
        console.print(_growth(figures["users"]))
    if "memory" in figures:
        console.print(f"genrec train --preset small: {figures['memory'] / 1e9:.2f} GB resident at its peak")


def _growth(rows: list[dict[str, Any]]) -> Table:
    table = Table("users", "sparse: ms a step", "against the first", "dense: ms a step")
    for row in rows:
        dense = f"{row['dense'] * 1000:.1f}" if row["dense"] else "-"
        table.add_row(f"{row['users']:,}", f"{row['sparse'] * 1000:.1f}", f"{row['growth']:.2f}", dense)
    return table


def main() -> None:
    """Read the command line, measure, show."""
    parser = argparse.ArgumentParser(description="Measure training.")
    parser.add_argument("data", type=Path, help="a dataset, Beauty for the published figures")
    parser.add_argument("--shapes", nargs="*", choices=list(_STEPS), default=list(_STEPS))
    parser.add_argument("--users", type=float, nargs="*", default=GROWTH, help="numbers of users")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="of shapes and peer")
    parser.add_argument("--folder", type=Path, required=True, help="for runs, emptied first")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    given = parser.parse_args()
    shutil.rmtree(given.folder, ignore_errors=True)
    given.folder.mkdir(parents=True)
    data = load_dataset(given.data)
    figures: dict[str, Any] = {"threads": torch.get_num_threads(), "torch": torch.__version__}
    # Before this process grows: a child's peak begins with its parent's size.
    if WIDE in given.shapes and given.device == "cpu":
        figures["memory"] = measure_memory(given.data, given.folder)
    # Before the shapes: ten million users need 16 GB, which other models' leavings would not leave.
    figures["users"] = measure_users([int(users) for users in given.users], given.repeats)
    figures["shapes"] = [
        measure_shape(name, data, given.folder, given.repeats, given.device) for name in given.shapes
    ]
    show(figures)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if "GOMP_SPINCOUNT" not in os.environ:  # as `genrec` has it; too late once torch is loaded
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"GOMP_SPINCOUNT": "30000"})
    main()

"""What each setting of `small` is worth: one changed at a time, for docs/ablations.md.

Example: python benchmarks/one_factor.py data/beauty-before --folder one-factor

Trains what the folder lacks, and goes on where an earlier call was stopped; `--only NAME ...` trains and shows
some of the rows. Prints Markdown: the test items' NDCG@10 with seen items out, and how far a row is from the first
one, with the interval and the p-value of a paired bootstrap over users. One seed: another may differ by a few
percent.
"""

import argparse
from pathlib import Path
from typing import Any

from ablations import command
from rich.console import Console

import genrec
from genrec.comparing.words import p_of
from genrec.config import TrainConfig
from genrec.files import read_json
from genrec.ids import RUN_FILE
from genrec.progress import describe_time

COMMON: dict[str, Any] = {}
"""What all rows change of the preset."""

PLAIN = "small"
FACTORS: dict[str, dict[str, Any]] = {
    PLAIN: {},
    "no-descriptions": {"item_descriptions": False},
    "no-item-head": {"item_loss": 0.0},
    "no-repeats": {"repeats": 0},
    "tokens": {"encoder_merge": "item"},
    "users": {"user_buckets": None},
    "pretrained": {"pretrain_epochs": 8},
    "smoothed": {"label_smoothing": 0.1},
    "one-layer": {"encoder_layers": 1},
    "three-layers": {"encoder_layers": 3},
    "two-decoder-layers": {"decoder_layers": 2},
    "hybrid-codes": {"indexing": "hybrid"},
    "half-batch": {"batch_size": 128},
    "wide": {"d_model": 128, "heads": 4, "ffn_dim": 512},
    "dropout-30": {"dropout": 0.3},
    "dropout-50": {"dropout": 0.5},
    "rate-half": {"learning_rate": 1e-3},
    "rate-double": {"learning_rate": 4e-3},
    "twice-as-long": {"finetune_epochs": 16},
    "longest-prefix": {"prefixes": "last"},
    "positions": {"distances": 0},
}
"""What differs from the preset, by the names of the runs."""


def run_of(data: Path, folder: Path, name: str) -> Path:
    """The trained run of a row."""
    settings = {**COMMON, **FACTORS[name]}
    genrec.train(data, folder / name, preset="small", settings=settings, seed=0, resume=True)
    return folder / name


def table(runs: list[Path]) -> str:
    """The rows; the first run is what the others are compared with."""
    plain, *others = map(str, runs)
    found = genrec.evaluate(plain, against=others, exclude_seen=True)
    measured = {plain: found} | {other["model"]: other for other in found["against"]}
    header = ["settings", "NDCG@10", "difference", "p", "without the prior", "training"]
    lines = [header, ["---"] * len(header)]
    for run in (plain, *others):
        info = read_json(Path(run) / RUN_FILE)
        alone = measured.get(f"{run}, model alone", measured[run])
        lines.append(
            [
                command(TrainConfig(**info["config"]).model_dump()),
                f"{measured[run]['metrics']['NDCG@10']:.4f}",
                *_difference(measured[run].get("difference")),
                f"{alone['metrics']['NDCG@10']:.4f}",
                describe_time(info["result"]["seconds"]),
            ]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _difference(found: dict[str, Any] | None) -> list[str]:
    """How far a row is above the first one, with its interval, and the p-value."""
    if not found:
        return ["", ""]
    chief = found["NDCG@10"]
    return [f"{-chief['difference']:+.4f} [{-chief['high']:+.4f}, {-chief['low']:+.4f}]", p_of(chief["p"])]


def main() -> None:
    """Read the command line, train, print."""
    parser = argparse.ArgumentParser(description="Change one setting of `small` at a time.")
    parser.add_argument("data", type=Path, help="a dataset")
    parser.add_argument("--folder", type=Path, required=True, help="for the runs")
    parser.add_argument("--only", nargs="*", choices=list(FACTORS), default=list(FACTORS), metavar="NAME")
    given = parser.parse_args()
    names = [PLAIN, *(name for name in given.only if name != PLAIN)]
    told = Console(stderr=True)
    runs = []
    for name in names:
        told.print(f"{name} ...")
        runs.append(run_of(given.data, given.folder, name))
    print(table(runs))


if __name__ == "__main__":
    main()

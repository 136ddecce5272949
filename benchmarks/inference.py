"""Measure recommending: users a second, latency, share of the hardware's limit; beside Hugging Face `generate`.

Example: python benchmarks/inference.py beauty --folder inference --json inference.json

`beauty` is a dataset that `genrec prepare` made. Peers run in the same process on the same weights.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from catalogue_growth import GROWTH, measure_growth
from huggingface_peer import HuggingFacePeer
from inference_models import BART_BASE, WIDE, histories, make_run
from inference_report import show
from measuring import now

from genrec.decoding.recommender import RecommenderModule
from genrec.exporting.bundle import export
from genrec.model.checkpoint import Run, load_run
from genrec.runtime import Recommender
from genrec.scoring import Ranked, pad

BEAMS, BATCH = 20, 32

_WAYS = {"cpu": {"fp32": "none", "int8": "int8"}, "cuda": {"fp32": "none", "fp16": "fp16"}}
"""The bundles that are measured on a device, and how their weights are kept."""

Call = Callable[[list[list[int]], list[int]], Ranked]
Batches = list[tuple[list[list[int]], list[int]]]


def batches(run: Run, count: int, size: int) -> Batches:
    """Whole histories of users evenly spread over the dataset, in batches of similar length."""
    rows, users = histories(run.sequences, count * size)
    order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
    parts = [order[first : first + size] for first in range(0, len(order), size)]
    return [([rows[n] for n in part], [users[n] for n in part]) for part in parts]


def seconds_in_turn(calls: dict[str, Call], work: Batches, repeats: int) -> dict[str, list[float]]:
    """Seconds per user of each way, all ways in turn so that a noisy machine is noisy for all."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    users = sum(len(part) for _, part in work)
    for call in calls.values():
        call(*work[0])
    for _ in range(repeats):
        for name, call in calls.items():
            started = time.perf_counter()
            for history, part in work:
                call(history, part)
            found[name].append((time.perf_counter() - started) / users)
    return found


def measure_model(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """One model: genrec's bundle, its quantised bundle and the peer, at batch 32 and one by one."""
    run = load_run(_run(name, arguments))
    device = arguments.device
    ways = {
        way: Recommender(_bundle(name, quantize, arguments), device=device, verify=False)
        for way, quantize in _WAYS[device].items()
    }
    peer = HuggingFacePeer(run.model.to(device), run.scheme, BEAMS)
    calls: dict[str, Call] = {way: _asked(recommender) for way, recommender in ways.items()} | {"peer": peer}
    result: dict[str, Any] = {"model": name, "depth": run.scheme.depth, "same_as_peer": _agreement(calls, run)}
    count = 10 if name == WIDE else 1
    for label, work in (("batch", batches(run, count, BATCH)), ("one", batches(run, 10 * count, 1))):
        found = seconds_in_turn(calls, work, arguments.repeats)
        result[label] = {way: statistics.median(values) for way, values in found.items()}
        result[label] |= {
            f"peer_per_{way}": statistics.median(
                theirs / ours for theirs, ours in zip(found["peer"], found[way], strict=True)
            )
            for way in ways
        }
    run.model.to("cpu")
    result["flops"] = flops_per_user(run, batches(run, 40, 1))
    return result


def _asked(recommender: Recommender) -> Call:
    return lambda history, users: recommender(history, users, exclude_seen=False)


def _agreement(calls: dict[str, Call], run: Run) -> float:
    """Share of users whose list the peer gives too, but for items with nearly equal scores."""
    history, users = batches(run, 1, BATCH)[0]
    (items, scores), (theirs, their_scores) = (calls[way](history, users) for way in ("fp32", "peer"))
    same = np.abs(scores - their_scores) < 1e-3
    return float((same & ((items == theirs) | _tied(scores))).all(1).mean())


def _tied(scores: np.ndarray) -> np.ndarray:
    """Whether an item's score is nearly its neighbour's; the last may stand for one beyond the list."""
    gap = np.abs(np.diff(scores, axis=1)) < 1e-3
    edge = np.zeros((len(scores), 1), bool)
    return np.concatenate([edge, gap], 1) | np.concatenate([gap, ~edge], 1)


def flops_per_user(run: Run, single: Batches) -> float:
    """Floating-point operations of the matrix products for one user, no padding: mean over users."""
    from torch.utils.flop_counter import FlopCounterMode

    module = RecommenderModule(run.model, run.scheme, BEAMS, BEAMS).eval()
    none = torch.zeros((1, 0), dtype=torch.int64)
    total = 0
    for history, users in single:
        request = (torch.from_numpy(pad(history, 1)), torch.tensor(users), torch.tensor(False), none, none)
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            module(*request)
        total += counter.get_total_flops()
    return total / len(single)


def matrix_rate(device: str = "cpu", repeats: int = 30) -> float:
    """Floating-point operations a second of a large matrix product: the limit of all cores, of a GPU in bf16."""
    size, dtype = (8192, torch.bfloat16) if device == "cuda" else (1024, torch.float32)
    left, right = (torch.randn(size, size, dtype=dtype, device=device) for _ in range(2))
    seconds = []
    for _ in range(repeats):
        started = now(device)
        left @ right
        seconds.append(now(device) - started)
    return 2 * size**3 / statistics.median(seconds)


def measure_commands(arguments: argparse.Namespace) -> dict[str, float]:
    """Wall seconds of whole commands: evaluating everybody, and one cold recommendation."""
    genrec = [sys.executable, "-m", "genrec_cli"]
    bundle = _bundle(WIDE, "none", arguments)
    user = next(iter(_first_user(arguments.data)))
    evaluate = [*genrec, "eval", str(_run(WIDE, arguments)), "--beams", str(BEAMS), "--json"]
    recommend = [*genrec, "recommend", str(bundle), user, "--json"]
    evaluate, recommend = ([*command, "--device", arguments.device] for command in (evaluate, recommend))
    return {
        "eval": statistics.median(_wall(evaluate) for _ in range(min(3, arguments.repeats))),
        "recommend": statistics.median(_wall(recommend) for _ in range(2 * arguments.repeats + 1)),
    }


def _first_user(data: Path) -> Iterator[str]:
    import pyarrow.parquet as pq

    yield pq.read_table(data / "users.parquet", columns=["user_id"]).column(0)[0].as_py()


def _wall(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def _run(name: str, arguments: argparse.Namespace) -> Path:
    folder = arguments.folder / name
    return folder if folder.exists() else make_run(name, arguments.data, folder)


def _bundle(name: str, quantize: str, arguments: argparse.Namespace) -> Path:
    folder = arguments.folder / f"{name}-{quantize}"
    if not folder.exists():
        export(_run(name, arguments), folder, k=BEAMS, beams=BEAMS, quantize=quantize)
    return folder


def main() -> None:
    """Read the command line, measure, show."""
    parser = argparse.ArgumentParser(description="Measure recommending.")
    parser.add_argument("data", type=Path, help="a dataset, Beauty for the published figures")
    parser.add_argument("--models", nargs="+", choices=[WIDE, BART_BASE], default=[WIDE, BART_BASE])
    parser.add_argument("--growth", type=float, nargs="*", default=GROWTH, help="catalogue sizes, on the CPU")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", choices=list(_WAYS), default="cpu", help="of bundles and peer")
    parser.add_argument("--folder", type=Path, required=True, help="for runs and bundles, emptied first")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    arguments = parser.parse_args()
    shutil.rmtree(arguments.folder, ignore_errors=True)
    arguments.folder.mkdir(parents=True)
    figures: dict[str, Any] = {"threads": torch.get_num_threads(), "torch": torch.__version__}
    figures["matrix_rate"] = matrix_rate(arguments.device)
    figures["models"] = [measure_model(name, arguments) for name in arguments.models]
    figures["matrix_rate_after"] = matrix_rate(arguments.device)
    figures["growth"] = [measure_growth(int(items), arguments.repeats) for items in arguments.growth]
    if WIDE in arguments.models:
        figures["commands"] = measure_commands(arguments)
    show(figures)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

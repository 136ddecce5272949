"""What lies in a bundle: graphs, tables, manifest and model card."""

import hashlib
import json
import platform
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genrec.data.tables import read_table
from genrec.decoding.recommender import RecommenderModule
from genrec.decoding.scorer import TorchScorer
from genrec.exporting.card import model_card
from genrec.exporting.comparison import compare
from genrec.exporting.golden import write_golden
from genrec.exporting.graph import describe_interface, export_graph
from genrec.exporting.onnx_config import SPLIT_FILES, export_split
from genrec.exporting.parity import measure_parity
from genrec.exporting.quantize import TOLERANCE, quantize_graph
from genrec.files import describe_files, write_json
from genrec.folders import BUNDLE
from genrec.histories import ids_checksum
from genrec.ids import (
    CONFIG_FILE,
    FORMAT_VERSION,
    ITEM_ID,
    ITEM_TOKENS_FILE,
    ITEMS_FILE,
    MANIFEST_FILE,
    RECOMMENDER_FILE,
    SEQUENCES_FILE,
    USER_ID,
    USERS_FILE,
)
from genrec.indexing.tokens import USER_TOKENS_FILE
from genrec.model.checkpoint import Run
from genrec.progress import Reporter
from genrec.runtime.integrity import CHECKSUM, manifest_checksum
from genrec.runtime.recommender import Recommender

README_FILE = "README.md"
_FP32 = "fp32"
_PACKAGES = ("genrec", "torch", "transformers", "optimum", "optimum-onnx", "onnx")


def write_bundle(run: Run, folder: Path, settings: dict[str, Any], reporter: Reporter) -> dict[str, Any]:
    """Fill an empty folder with a run's bundle.

    Args:
        run: On the CPU.
        folder: An existing folder.
        settings: "k", "beams", "quantize", "opset" and "histories", checked.
        reporter: Receives progress and warnings.

    Returns:
        The manifest.

    Raises:
        GenRecError: An exported graph differs from torch.
    """
    scheme = run.scheme
    with reporter.task("export", 3) as task:
        module = RecommenderModule(run.model, scheme, settings["beams"], settings["k"], run.prior).eval()
        names = _write_graph(module, folder, settings)
        task.advance()
        export_split(run.model, folder, settings["opset"])
        task.advance()
        names += [*SPLIT_FILES, *_copy_tables(run.path, folder, settings["histories"])]
        task.advance()
    manifest = _describe(run, folder, settings) | describe_interface(module)
    # The manifest is written twice: the recommender that is compared reads the first.
    write_manifest(folder, manifest, names)
    bundle = Recommender(folder, device="cpu", verify=False)
    torch_scorer = TorchScorer(run.model, scheme, settings["beams"], run.prior)
    manifest["parity"] = measure_parity(torch_scorer, bundle, run.sequences, settings["k"], reporter)
    if settings["quantize"] != "none":
        _compare(run, folder, bundle, manifest, reporter)
    elif manifest["parity"]["same_top_k"] < 1:
        reporter.warn(f"only {manifest['parity']['same_top_k']:.2%} of the lists are the same as torch's")
    write_golden(bundle, folder, manifest, manifest["tolerance"])
    (folder / README_FILE).write_text(model_card(manifest), encoding="utf-8")
    write_manifest(folder, manifest, [path.name for path in folder.iterdir() if path.name != MANIFEST_FILE])
    return manifest


def write_manifest(folder: Path, manifest: dict[str, Any], names: list[str]) -> None:
    """Write manifest.json, which is given the checksums of the named files and its own."""
    manifest["files"] = describe_files(folder, sorted(names))
    manifest[CHECKSUM] = manifest_checksum(manifest)
    write_json(folder / MANIFEST_FILE, manifest)


def _write_graph(module: RecommenderModule, folder: Path, settings: dict[str, Any]) -> list[str]:
    """Write the recommender; where it is quantised, the graph in fp32 stays in a folder of its own meanwhile."""
    if settings["quantize"] == "none":
        return export_graph(module, folder, settings["opset"])
    (folder / _FP32).mkdir()
    export_graph(module, folder / _FP32, settings["opset"])
    return quantize_graph(folder / _FP32 / RECOMMENDER_FILE, folder / RECOMMENDER_FILE, settings["quantize"])


def _compare(run: Run, folder: Path, bundle: Recommender, manifest: dict[str, Any], reporter: Reporter) -> None:
    """Put the quantised graph beside the one in fp32, which then goes."""
    kind = manifest["quantize"]
    said = {**manifest, "quantize": "none"}
    write_json(folder / _FP32 / MANIFEST_FILE, {**said, CHECKSUM: manifest_checksum(said)})
    fp32 = Recommender(folder / _FP32, device="cpu", verify=False)
    manifest["comparison"] = compare(fp32, bundle, run.sequences, kind, reporter)
    shutil.rmtree(folder / _FP32)


def _copy_tables(run: Path, folder: Path, histories: bool) -> list[str]:
    """Copy what maps external IDs, and what Optimum's graphs need: configuration and tokens."""
    names = [CONFIG_FILE, ITEMS_FILE, ITEM_TOKENS_FILE, USER_TOKENS_FILE]
    names += [USERS_FILE, SEQUENCES_FILE] if histories else []
    for name in names:
        shutil.copyfile(run / name, folder / name)
    return names


def _describe(run: Run, folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """All facts of the manifest but the interface, the parity and the files."""
    result = run.info.get("result") or {}
    dataset = run.info["dataset"]
    users = read_table(run.path / USERS_FILE, [USER_ID]).column(USER_ID)
    items = read_table(run.path / ITEMS_FILE, [ITEM_ID]).column(ITEM_ID)
    return {
        "format_version": FORMAT_VERSION,
        "target": BUNDLE,
        "model_type": run.model.config.model_type,
        **settings,
        "tolerance": TOLERANCE[settings["quantize"]],
        "depth": run.scheme.depth,
        "max_length": run.config.max_length,
        "d_model": run.model.config.d_model,
        "user_count": run.model.config.user_count,
        "item_count": run.scheme.item_count,
        "user_ids_sha256": ids_checksum(users),
        "indexing": run.scheme.indexing,
        "leaky": run.scheme.indexing == "leaky-sequential",
        "dataset": {"name": dataset["name"], "checksum": dataset["checksum"]},
        "run": {"name": run.path.absolute().name, "checksum": _checksum(run.info["files"])},
        "parameters": run.info.get("parameters"),
        "item_share": run.model.config.item_share,
        "prior": {"transitions": run.prior.weight} if run.prior else {},
        "metrics": result.get("best") or {},
        "example_items": items.slice(0, 2).to_pylist(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
    }


def _checksum(files: dict[str, Any]) -> str:
    """Identifies a run by the contents of its files."""
    lines = json.dumps({name: entry["sha256"] for name, entry in files.items()}, sort_keys=True)
    return hashlib.sha256(lines.encode()).hexdigest()

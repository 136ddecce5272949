"""What lies in a bundle: graphs, tables, manifest and model card."""

import hashlib
import json
import platform
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import nn

from genrec.data.tables import Sequences, read_sequences, read_table
from genrec.exporting.card import model_card
from genrec.exporting.comparison import compare
from genrec.exporting.golden import write_golden
from genrec.exporting.graph import describe_interface, export_graph
from genrec.exporting.parity import measure_parity
from genrec.exporting.quantize import TOLERANCE, quantize_graph
from genrec.exporting.sources import Source
from genrec.files import describe_files, write_json
from genrec.folders import BUNDLE
from genrec.histories import ids_checksum
from genrec.ids import (
    FORMAT_VERSION,
    ITEM_ID,
    ITEMS_FILE,
    MANIFEST_FILE,
    RECOMMENDER_FILE,
    SEQUENCES_FILE,
    USER_ID,
    USERS_FILE,
)
from genrec.progress import Reporter
from genrec.runtime.integrity import CHECKSUM, manifest_checksum
from genrec.runtime.recommender import Recommender

README_FILE = "README.md"
_FP32 = "fp32"
_PACKAGES = ("genrec", "torch", "transformers", "optimum", "optimum-onnx", "onnx")


def write_bundle(source: Source, folder: Path, settings: dict[str, Any], reporter: Reporter) -> dict[str, Any]:
    """Fill an empty folder with a run's bundle.

    Args:
        source: The run.
        folder: An existing folder.
        settings: "k", "quantize", "opset" and "histories", checked.
        reporter: Receives progress and warnings.

    Returns:
        The manifest.

    Raises:
        GenRecError: An exported graph differs from torch.
    """
    sequences = read_sequences(source.path)
    with reporter.task("export", 3) as task:
        names = _write_graph(source.make_module(settings["k"]), folder, settings)
        task.advance()
        names += source.write_beside(folder, settings["opset"])
        task.advance()
        names += _copy_tables(source.path, folder, settings["histories"])
        task.advance()
    manifest = _describe(source, settings) | describe_interface(settings["k"])
    # The manifest is written twice: the recommender that is compared reads the first.
    write_manifest(folder, manifest, names)
    bundle = Recommender(folder, device="cpu", verify=False)
    manifest["parity"] = measure_parity(source.scorer(), bundle, sequences, settings["k"], reporter)
    if settings["quantize"] != "none":
        _compare(sequences, folder, bundle, manifest, reporter)
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


def _write_graph(module: nn.Module, folder: Path, settings: dict[str, Any]) -> list[str]:
    """Write the recommender; where it is quantised, the graph in fp32 stays in a folder of its own meanwhile."""
    if settings["quantize"] == "none":
        return export_graph(module, settings["k"], folder, settings["opset"])
    (folder / _FP32).mkdir()
    export_graph(module, settings["k"], folder / _FP32, settings["opset"])
    return quantize_graph(folder / _FP32 / RECOMMENDER_FILE, folder / RECOMMENDER_FILE, settings["quantize"])


def _compare(
    sequences: Sequences, folder: Path, bundle: Recommender, manifest: dict[str, Any], reporter: Reporter
) -> None:
    """Put the quantised graph beside the one in fp32, which then goes."""
    kind = manifest["quantize"]
    said = {**manifest, "quantize": "none"}
    write_json(folder / _FP32 / MANIFEST_FILE, {**said, CHECKSUM: manifest_checksum(said)})
    fp32 = Recommender(folder / _FP32, device="cpu", verify=False)
    manifest["comparison"] = compare(fp32, bundle, sequences, kind, reporter)
    shutil.rmtree(folder / _FP32)


def _copy_tables(run: Path, folder: Path, histories: bool) -> list[str]:
    """Copy what maps external IDs."""
    names = [ITEMS_FILE, USERS_FILE, SEQUENCES_FILE] if histories else [ITEMS_FILE]
    for name in names:
        shutil.copyfile(run / name, folder / name)
    return names


def _describe(source: Source, settings: dict[str, Any]) -> dict[str, Any]:
    """All facts of the manifest but the interface, the parity and the files."""
    info = source.info
    result, dataset = info.get("result") or {}, info["dataset"]
    users = read_table(source.path / USERS_FILE, [USER_ID]).column(USER_ID)
    items = read_table(source.path / ITEMS_FILE, [ITEM_ID]).column(ITEM_ID)
    return {
        "format_version": FORMAT_VERSION,
        "target": BUNDLE,
        **settings,
        **source.facts(),
        "tolerance": TOLERANCE[settings["quantize"]],
        "user_ids_sha256": ids_checksum(users),
        "dataset": {"name": dataset["name"], "checksum": dataset["checksum"]},
        "run": {"name": source.path.absolute().name, "checksum": _checksum(info["files"])},
        "parameters": info.get("parameters"),
        "metrics": result.get("best") or {},
        "example_items": items.slice(0, 2).to_pylist(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
    }


def _checksum(files: dict[str, Any]) -> str:
    """Identifies a run by the contents of its files."""
    lines = json.dumps({name: entry["sha256"] for name, entry in files.items()}, sort_keys=True)
    return hashlib.sha256(lines.encode()).hexdigest()

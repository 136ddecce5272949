"""`genrec export`: a run becomes a bundle, the folder that any ONNX runtime can serve from."""

from pathlib import Path
from typing import Any

from genrec.errors import GenRecError
from genrec.files import atomic_folder, check_output
from genrec.folders import RUN, require_kind
from genrec.progress import SILENT, Reporter

QUANTISATIONS = ("none", "int8", "fp16")
TARGETS = ("bundle", "triton")

OPSETS = range(17, 21)
"""Versions of the operator set: LayerNormalization came with 17, and the tracing exporter knows none above 20."""

_TOLD = ("model_type", "k", "beams", "opset", "quantize", "indexing", "leaky", "target")
"""What is told of the manifest."""


def export(
    run: str | Path,
    output: str | Path,
    *,
    k: int = 20,
    beams: int = 20,
    quantize: str = "none",
    opset: int = 18,
    histories: bool = True,
    target: str = "bundle",
    force: bool = False,
    reporter: Reporter = SILENT,
) -> dict[str, Any]:
    """Write a bundle and compare it with the run.

    Args:
        run: Folder of a finished run.
        output: Folder to write.
        k: Length of the lists.
        beams: Beams of the search, where the model has one; at least `k` are used.
        quantize: "none"; "int8" or "fp16" store GenRec's graph so and measure what that costs and gains.
        opset: Version of the ONNX operator set, 17 to 20.
        histories: Whether users and their histories go with it.
        target: "bundle", or "triton" for a model repository of the Triton Inference Server.
        force: Replace an existing output.
        reporter: Receives progress.

    Returns:
        {"bundle": path, "files": {name: {"sha256", "bytes"}}, "parity": {"max_abs_diff", "same_top_k", ...},
        "model_type", "k", "beams", "opset", "quantize", "indexing", "leaky", "target"}, of which a model that
        scores items has no "beams" and "indexing" (None); and where it is quantised "comparison", as
        `genrec.exporting.comparison.compare` returns it.

    Raises:
        GenRecError: An argument is out of range or does not suit the model, the run is missing, unfinished or
            damaged, the output exists, or an exported graph differs from torch.
    """
    _check_arguments(k, beams, quantize, opset, target)
    output = Path(output)
    check_output(output, force, [Path(run)])
    require_kind(Path(run), RUN)
    # What can go wrong by a slip is told by now, before seconds go into importing torch.
    from genrec.exporting.content import write_bundle
    from genrec.exporting.sources import open_source
    from genrec.exporting.triton import write_repository

    source = open_source(Path(run), max(beams, k))
    if quantize != "none" and source.only_fp32:
        raise GenRecError(
            f"{run} is a run of {source.info['config']['model']}, which stays in fp32: {source.only_fp32}; export "
            f"it without --quantize {quantize}"
        )
    settings = {"k": k, "quantize": quantize, "opset": opset, "histories": histories}
    write = write_repository if target == "triton" else write_bundle
    with atomic_folder(output, force) as folder:
        manifest = write(source, folder, settings, reporter)
    return {
        "bundle": str(output),
        "files": manifest["files"],
        "parity": manifest["parity"],
        **{name: manifest[name] for name in (*_TOLD, "comparison") if name in manifest},
    }


def _check_arguments(k: int, beams: int, quantize: str, opset: int, target: str) -> None:
    faults = []
    if k < 1:
        faults.append(f"k is {k}, give 1 or more")
    if beams < 1:
        faults.append(f"beams is {beams}, give 1 or more")
    if opset not in OPSETS:
        faults.append(f"opset is {opset}, give {OPSETS[0]} to {OPSETS[-1]}")
    if quantize not in QUANTISATIONS:
        faults.append(f"quantize is {quantize!r}, choose one of: {', '.join(QUANTISATIONS)}")
    if target not in TARGETS:
        faults.append(f"target is {target!r}, give {' or '.join(TARGETS)}")
    if faults:
        raise GenRecError("; ".join(faults))

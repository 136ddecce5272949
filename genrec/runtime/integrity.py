"""What a bundle says of itself, and whether it is true: nothing runs before this is known."""

import hashlib
import json
from pathlib import Path
from typing import Any

from genrec.data.tables import open_parquet
from genrec.errors import GenRecError
from genrec.files import read_json, verify_files, verify_sizes
from genrec.folders import BUNDLE, require_kind
from genrec.ids import ITEMS_FILE, MANIFEST_FILE, RECOMMENDER_FILE, SEQUENCES_FILE, TABLE_FILES, USERS_FILE

CHECKSUM = "checksum"
"""The manifest's key for its own checksum."""

_QUICK_BYTES = 16_000_000
"""Size of a file whose checksum is a matter of milliseconds."""

_COUNTS = ("k", "max_length", "d_model", "opset", "user_count", "item_count")
_OF_SEARCH = ("beams", "depth")
"""Counts too, but null where a model scores all items."""

_SOURCES = ("dataset", "run")
_DTYPES = {"tensor(int64)": "int64", "tensor(bool)": "bool", "tensor(float)": "float32"}


def read_manifest(bundle: Path) -> dict[str, Any]:
    """What a bundle says of itself.

    Raises:
        GenRecError: The folder is no bundle, or its manifest is damaged or of a newer genrec.
    """
    require_kind(bundle, BUNDLE)
    path = bundle / MANIFEST_FILE
    manifest = read_json(path)
    target = manifest.get("target", BUNDLE)
    if target != BUNDLE:
        raise GenRecError(f"{bundle} was made for {target}, not for genrec; export the run without --target")
    faults = [f"{name} is {manifest.get(name)!r}" for name in _COUNTS if not _is_count(manifest.get(name))]
    if any(manifest.get(name, 0) is not None for name in _OF_SEARCH):
        faults += [f"{name} is {manifest.get(name)!r}" for name in _OF_SEARCH if not _is_count(manifest.get(name))]
    faults += _faults_of_files(manifest.get("files"), manifest.get("histories"))
    faults += [
        f"its {name} has no checksum" for name in ("dataset", "run") if not _has_checksum(manifest.get(name))
    ]
    if not all(_are_tensors(manifest.get(side)) for side in ("inputs", "outputs")):
        faults.append("names, types or shapes of the graph's inputs and outputs are missing")
    if not faults and manifest.get(CHECKSUM) != manifest_checksum(manifest):
        faults.append("its own checksum differs")
    if faults:
        raise GenRecError(f"{path} is damaged: {'; '.join(faults)}; export the bundle again")
    return manifest


def manifest_checksum(manifest: dict[str, Any]) -> str:
    """SHA-256 of all that a manifest says but its own checksum."""
    content = {name: value for name, value in manifest.items() if name != CHECKSUM}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def verify_bundle(folder: Path, manifest: dict[str, Any]) -> None:
    """Check every file; a large one that is not read here (of Optimum's) by its size alone, to start quickly.

    Raises:
        GenRecError: A file is missing, truncated or changed, or a table has not the rows that the manifest says.
    """
    files = manifest["files"]
    read = {name for name in files if name in TABLE_FILES or name.startswith(RECOMMENDER_FILE)}
    small = {name for name, entry in files.items() if entry["bytes"] <= _QUICK_BYTES}
    verify_files(folder, {name: files[name] for name in sorted(read | small)})
    verify_sizes(folder, files)
    for name, count in ((ITEMS_FILE, "item_count"), (USERS_FILE, "user_count")):
        if name in files and (rows := open_parquet(folder / name).metadata.num_rows) != manifest[count]:
            raise GenRecError(
                f"{folder / name} has {rows} rows, but {MANIFEST_FILE} says {count} = {manifest[count]}; "
                "export the bundle again"
            )


def check_graph(session: Any, manifest: dict[str, Any], path: Path) -> None:
    """Compare what a session takes and returns with what the manifest says.

    Args:
        session: Of onnxruntime.
        manifest: Of `read_manifest`.
        path: The graph's file, for the message.

    Raises:
        GenRecError: A name, a type, a number of dimensions or a fixed dimension differs.
    """
    for side, nodes in (("inputs", session.get_inputs()), ("outputs", session.get_outputs())):
        found = [_signature(node.name, _DTYPES.get(node.type, node.type), node.shape) for node in nodes]
        wanted = [_signature(**entry) for entry in manifest[side]]
        if found != wanted:
            raise GenRecError(
                f"the {side} of {path} are {', '.join(found)}, but {MANIFEST_FILE} says {', '.join(wanted)}; "
                "export the bundle again"
            )


def _signature(name: str, dtype: str, shape: list[int | str | None]) -> str:
    """As "history int64 [?, ?]": what free dimensions are called does not matter."""
    return f"{name} {dtype} [{', '.join(str(size) if isinstance(size, int) else '?' for size in shape)}]"


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _has_checksum(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("checksum"), str)


def _are_tensors(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(entry, dict) and entry.keys() == {"name", "dtype", "shape"} and isinstance(entry["shape"], list)
        for entry in value
    )


def _faults_of_files(files: Any, histories: Any) -> list[str]:
    if not isinstance(files, dict) or not {RECOMMENDER_FILE, ITEMS_FILE} <= files.keys():
        return [f"it does not list {RECOMMENDER_FILE} and {ITEMS_FILE}"]
    if not all(_is_described(entry) for entry in files.values()):
        return ["a file's size or checksum is missing"]
    if not isinstance(histories, bool) or (histories and not {USERS_FILE, SEQUENCES_FILE} <= files.keys()):
        return [f"it does not list {USERS_FILE} and {SEQUENCES_FILE}, nor say that they were left out"]
    return []


def _is_described(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("sha256"), str) and type(entry.get("bytes")) is int

"""The folder that `genrec prepare` writes, read back and checked."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genrec.data.tables import Sequences, open_parquet, read_sequences
from genrec.errors import GenRecError
from genrec.files import describe_files, read_json, verify_files, write_json
from genrec.ids import (
    DATASET_FILE,
    FORMAT_VERSION,
    ITEMS_FILE,
    MANIFEST_FILE,
    RUN_FILE,
    TABLE_FILES,
    USERS_FILE,
)

__all__ = ["Dataset", "Sequences", "contents_checksum", "load_dataset", "read_sequences", "save_info"]

_OTHER_FOLDERS = {RUN_FILE: "a run", MANIFEST_FILE: "a bundle"}


@dataclass(frozen=True)
class Dataset:
    """A prepared interaction log."""

    path: Path
    """The folder, which also holds the tables of users and items (see `genrec.data.catalogue.Catalogue`)."""
    info: dict[str, Any]
    """What dataset.json says."""
    sequences: Sequences
    user_count: int
    item_count: int
    checksum: str
    """Identifies the contents: equal for equal users, items and sequences, wherever the folder lies."""

    @property
    def interaction_count(self) -> int:
        """The number of interactions, N."""
        return len(self.sequences.items)


def load_dataset(path: Path | str, verify: bool = True) -> Dataset:
    """Read a dataset folder.

    Args:
        path: The folder.
        verify: Whether to compare the tables with the checksums that prepare recorded.

    Raises:
        GenRecError: The folder is missing, is no dataset, is damaged, or comes from a newer genrec.
    """
    path = Path(path)
    _check_kind(path)
    info = read_json(path / DATASET_FILE)
    files = info.get("files")
    if not isinstance(files, dict) or not set(TABLE_FILES) <= set(files):
        raise GenRecError(
            f"{path / DATASET_FILE} is damaged: it does not list {', '.join(TABLE_FILES)}; prepare it anew"
        )
    if verify:
        verify_files(path, files)
    sequences = read_sequences(path)
    _check_counts(path, info, sequences)
    return Dataset(path, info, sequences, info["users"], info["items"], contents_checksum(files))


def save_info(folder: Path, **info: Any) -> dict[str, Any]:
    """Make a folder that holds the three tables a dataset: write dataset.json.

    Args:
        folder: The folder (see `genrec.files.atomic_folder`).
        **info: What dataset.json says besides the format's version and the tables' checksums; users, items and
            interactions among it.

    Returns:
        What dataset.json says.
    """
    content = {"format_version": FORMAT_VERSION, **info, "files": describe_files(folder, list(TABLE_FILES))}
    write_json(folder / DATASET_FILE, content)
    return content


def contents_checksum(files: dict[str, dict[str, Any]]) -> str:
    """One string for the contents of the three tables, from what `describe_files` says of them."""
    lines = "".join(f"{name} {files[name]['sha256']}\n" for name in TABLE_FILES)
    return hashlib.sha256(lines.encode()).hexdigest()


def _check_kind(path: Path) -> None:
    if (path / DATASET_FILE).is_file():
        return
    hint = "make one with: genrec prepare SOURCE -o DATASET"
    if not path.exists():
        raise GenRecError(f"{path} does not exist; a dataset is wanted here, {hint}")
    if not path.is_dir():
        raise GenRecError(f"{path} is a file, not a dataset folder; {hint}")
    for name, kind in _OTHER_FOLDERS.items():
        if (path / name).is_file():
            raise GenRecError(
                f"{path} is {kind}, not a dataset; give the folder that genrec prepare wrote, or {hint}"
            )
    raise GenRecError(f"{path} is not a dataset: it has no {DATASET_FILE}; {hint}")


def _check_counts(path: Path, info: dict[str, Any], sequences: Sequences) -> None:
    """Compare dataset.json's counts with the tables."""
    found = {
        "users": open_parquet(path / USERS_FILE).metadata.num_rows,
        "items": open_parquet(path / ITEMS_FILE).metadata.num_rows,
        "interactions": len(sequences.items),
    }
    for name, count in found.items():
        if info.get(name) != count:
            raise GenRecError(
                f"{path} is damaged: {DATASET_FILE} says {info.get(name)} {name}, "
                f"the tables hold {count}; prepare it anew"
            )
    if len(sequences.offsets) - 1 != found["users"]:
        raise GenRecError(f"{path} is damaged: sequences and users differ in number; prepare it anew")
    items = sequences.items
    if len(items) and (np.min(items) < 1 or np.max(items) > found["items"]):
        raise GenRecError(f"{path} is damaged: sequences name items beyond 1..{found['items']}; prepare it anew")

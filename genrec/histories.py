"""Who the users of a model are and what they did last: from the model's own tables or from a newer dataset."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genrec.data.catalogue import Catalogue
from genrec.data.tables import Sequences, read_sequences, read_table
from genrec.errors import GenRecError
from genrec.files import read_json, verify_files
from genrec.folders import DATASET, require_kind
from genrec.ids import DATASET_FILE, ITEM_ID, ITEMS_FILE, TABLE_FILES, UNKNOWN, USER_ID, USERS_FILE


@dataclass(frozen=True)
class Found:
    """What is known of a user.

    Attributes:
        index: The user's index in the model; 0 where the model does not know the user.
        known: Whether the model knows the user.
        items: int64 [n] indexes of the user's items in the model, oldest first.
        new_items: How many more items the user has that the model does not know.
    """

    index: int = UNKNOWN
    known: bool = False
    items: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    new_items: int = 0


class Histories:
    """Looks up users' histories for a model.

    Args:
        source: Tables of the model, or of a dataset that extends the model's (see `extended`).
        user_count: Number of users of the model, U.
        item_count: Number of items of the model, I.
    """

    def __init__(self, source: Catalogue, user_count: int, item_count: int) -> None:
        self.source = source
        self.user_count = user_count
        self.item_count = item_count

    @cached_property
    def sequences(self) -> Sequences:
        """Everybody's histories in memory: 4 bytes an interaction (8 while they are read), 8 a user."""
        return read_sequences(self.source.folder)

    def of(self, user_id: str) -> Found:
        """What is known of one user; reads no more than it must."""
        index = self.source.user_index(user_id)
        return self._found(index, self.source.history(index))

    def _found(self, index: int, items: NDArray[Any]) -> Found:
        known = 0 < index <= self.user_count
        kept = items[items <= self.item_count].astype(np.int64)
        return Found(index if known else UNKNOWN, known, kept, len(items) - len(kept))


def extended(data: Path | str, model: Path, info: dict[str, Any], counts: tuple[int, int]) -> Histories:
    """The histories of a dataset that extends the model's; arguments and errors as in `check_extends`."""
    check_extends(data, model, info, counts)
    return Histories(Catalogue(data), *counts)


def check_extends(data: Path | str, model: Path, info: dict[str, Any], counts: tuple[int, int]) -> None:
    """Refuse a dataset whose first users and items are not the model's.

    Args:
        data: Folder of the dataset. Its further users are unknown to the model, its further items skipped.
        model: Folder of the run or bundle.
        info: What run.json or manifest.json says; its `user_ids_sha256` stands in for users left out of a bundle.
        counts: Numbers of users and items of the model.

    Raises:
        GenRecError: The dataset is missing, damaged, or does not extend the model's.
    """
    data = Path(data)
    require_kind(data, DATASET)
    files = read_json(data / DATASET_FILE).get("files")
    if not isinstance(files, dict) or not set(TABLE_FILES) <= set(files):
        raise GenRecError(f"{data / DATASET_FILE} is damaged: it does not list its tables; prepare it anew")
    verify_files(data, {name: files[name] for name in TABLE_FILES})
    _check_head(data, model, (ITEMS_FILE, ITEM_ID, "item"), counts[1], None)
    _check_head(data, model, (USERS_FILE, USER_ID, "user"), counts[0], info.get("user_ids_sha256"))


def ids_checksum(ids: pa.ChunkedArray) -> str:
    """SHA-256 of a list of external IDs, told apart whatever characters they hold."""
    digest = hashlib.sha256()
    for chunk in ids.iterchunks():
        for value in chunk.to_pylist():
            encoded = value.encode()
            digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return digest.hexdigest()


def _check_head(data: Path, model: Path, table: tuple[str, str, str], count: int, checksum: str | None) -> None:
    """Compare the first `count` IDs of a dataset's table with the model's, or with their checksum."""
    file, column, kind = table
    rule = f"give a dataset whose first {count} {kind}s are the model's own, in the same order"
    ids = read_table(data / file, [column]).column(column)
    if len(ids) < count:
        raise GenRecError(f"{data} has {len(ids)} {kind}s, the model has {count}; {rule}")
    head = ids.slice(0, count)
    if not (model / file).exists():
        if ids_checksum(head) != checksum:
            raise GenRecError(f"the first {count} {kind}s of {data} are not those of the model; {rule}")
        return
    own = read_table(model / file, [column]).column(column)
    if not head.equals(own):
        pairs = zip(head.to_pylist(), own.to_pylist(), strict=True)
        place, (found, wanted) = next((n, pair) for n, pair in enumerate(pairs, 1) if pair[0] != pair[1])
        raise GenRecError(
            f"{data} does not extend the model's data: its {kind} {place} is {found!r}, "
            f"the model's is {wanted!r}; {rule}"
        )

"""The token scheme of a run: which tokens stand for each item and user, and the special tokens."""

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from genrec.errors import GenRecError
from genrec.ids import INDEX, ITEM_TOKENS_FILE, TOKENS

USER_TOKENS_FILE = "user_tokens.parquet"

TokenMatrix = NDArray[np.int32]


@dataclass(frozen=True)
class SpecialTokens:
    """Vocabulary numbers of the special tokens."""

    pad: int
    begin: int
    end: int
    mask: int


@dataclass(frozen=True)
class TokenScheme:
    """Tokens of all items and users.

    Attributes:
        indexing: Name of the rule that made the item tokens.
        item_tokens: int32 [item_count + 1, depth]; row 0 is padding. What the decoder generates: ends with
            `special.end` where items differ in length; `special.pad` fills the rest.
        user_tokens: int32 [user_count + 1, n] in text mode, [1, n] where all users share their tokens.
        special: The special tokens.
        vocabulary: Number of tokens.
    """

    indexing: str
    item_tokens: TokenMatrix
    user_tokens: TokenMatrix
    special: SpecialTokens
    vocabulary: int

    def __post_init__(self) -> None:
        rows = self.item_tokens[1:]
        if len(np.unique(rows, axis=0)) != len(rows):
            raise GenRecError(f"indexing {self.indexing!r} gives several items the same tokens; use another")

    @property
    def item_count(self) -> int:
        """Number of items, I."""
        return len(self.item_tokens) - 1

    @property
    def depth(self) -> int:
        """Most tokens of an item, D, [END] included where items differ in length."""
        return self.item_tokens.shape[1]

    @cached_property
    def encoder_tokens(self) -> TokenMatrix:
        """int32 [item_count + 1, n]: the item tokens as the encoder reads them, without [END]."""
        tokens = np.where(self.item_tokens == self.special.end, self.special.pad, self.item_tokens)
        widest = int((tokens != self.special.pad).sum(1).max(initial=1))
        return np.ascontiguousarray(tokens[:, :widest])

    def save(self, folder: Path) -> None:
        """Write the scheme as Parquet; the facts that are no tokens lie in the schema's metadata."""
        facts = {"indexing": self.indexing, "vocabulary": str(self.vocabulary)}
        facts |= {name: str(token) for name, token in asdict(self.special).items()}
        _write(folder / ITEM_TOKENS_FILE, self.item_tokens, self.special.pad, facts)
        _write(folder / USER_TOKENS_FILE, self.user_tokens, self.special.pad, {})


def load_scheme(folder: Path) -> TokenScheme:
    """Read the scheme that `TokenScheme.save` wrote.

    Raises:
        GenRecError: A file is missing or damaged.
    """
    try:
        items, facts = _read(folder / ITEM_TOKENS_FILE)
        users, _ = _read(folder / USER_TOKENS_FILE)
        special = SpecialTokens(**{name: int(facts[name]) for name in ("pad", "begin", "end", "mask")})
        return TokenScheme(
            indexing=facts["indexing"],
            item_tokens=_matrix(items, special.pad),
            user_tokens=_matrix(users, special.pad),
            special=special,
            vocabulary=int(facts["vocabulary"]),
        )
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise GenRecError(f"the item tokens in {folder} are damaged ({error}); make the run again") from error


def pad_rows(rows: list[list[int]], pad: int) -> TokenMatrix:
    """Token lists as one int32 matrix, filled up with `pad`.

    >>> pad_rows([[5], [6, 7]], pad=0).tolist()
    [[5, 0], [6, 7]]
    """
    matrix = np.full((len(rows), max(map(len, rows), default=0)), pad, dtype=np.int32)
    for row, tokens in zip(matrix, rows, strict=True):
        row[: len(tokens)] = tokens
    return matrix


def _write(path: Path, matrix: TokenMatrix, pad: int, facts: dict[str, str]) -> None:
    lengths = (matrix != pad).sum(1)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    tokens = pa.ListArray.from_arrays(pa.array(offsets), pa.array(matrix[matrix != pad]))
    table = pa.table({INDEX: pa.array(np.arange(len(matrix), dtype=np.int32)), TOKENS: tokens})
    parquet.write_table(table.replace_schema_metadata({f"genrec.{k}": v for k, v in facts.items()}), path)


def _read(path: Path) -> tuple[pa.ListArray, dict[str, str]]:
    table = parquet.read_table(path)
    metadata = table.schema.metadata or {}
    facts = {key.decode().removeprefix("genrec."): value.decode() for key, value in metadata.items()}
    return table[TOKENS].combine_chunks(), facts


def _matrix(rows: pa.ListArray, pad: int) -> TokenMatrix:
    lengths = np.diff(rows.offsets.to_numpy())
    matrix = np.full((len(rows), max(int(lengths.max(initial=0)), 1)), pad, dtype=np.int32)
    matrix[np.arange(matrix.shape[1]) < lengths[:, None]] = rows.flatten().to_numpy()
    return matrix

"""The order of a user's rows: by time, and among equal times by a rule that can be named."""

from dataclasses import dataclass
from typing import Any, Final

from genrec.data.engine import Engine

INPUT: Final = "input"
ITEM: Final = "item"
SHUFFLE: Final = "shuffle"
TIES: Final = (INPUT, ITEM, SHUFFLE)
"""The order of the rows in the source; of the item IDs' bytes; of a hash of seed, user, item and time."""


@dataclass(frozen=True)
class Ties:
    """How rows of one user and time are ordered."""

    rule: str = INPUT
    seed: int = 0
    """Of `shuffle`."""
    column: str | None = None
    """The source's column that numbers its rows, where that and not their position in the source counts."""

    def key(self, engine: Engine) -> str:
        """SQL: what orders rows of `judged` (beside item_codes AS i) that have one user and time."""
        if self.rule == ITEM:
            return "i.place"
        if self.rule == SHUFFLE:
            # Only the row's content is hashed, so the order does not depend on the file's, nor on other rows.
            return engine.hashed(f"concat_ws(chr(31), '{self.seed}', user_id, item_id, micros)")
        return "position" if self.column else "CAST(NULL AS BIGINT)"

    @property
    def keys(self) -> str:
        """SQL: the columns of `events` that order rows of one user and time."""
        # A parent's rows have negative numbers. Those of new rows say nothing here: Spark knows none.
        return "tie, least(n, 0), item_code" if self.column or self.rule != INPUT else "n"

    def describe(self, share: float | None) -> dict[str, Any]:
        """For dataset.json; `share` is that of `genrec.data.ties`, None without times."""
        return {"rule": self.rule, "seed": self.seed, "column": self.column, "share": share}

"""What the paper printed, for the datasets that it names."""

import re
import tomllib
from importlib.resources import files
from typing import Any, Final

from genrec.config import GENREC
from genrec.data.dataset import Dataset

LEAKY: Final = "leaky-sequential"
"""The item tokens of the paper's protocol."""

SAME, OTHER = "published", "published, other protocol"


class Published:
    """The published values of a dataset.

    Attributes:
        source: Where they are printed.
        dataset: What the paper calls the dataset.
    """

    def __init__(self, source: str, metrics: list[str], found: dict[str, Any]) -> None:
        self.source, self.dataset = source, str(found["name"])
        self._models = {name: dict(zip(metrics, values, strict=True)) for name, values in found["models"].items()}

    def of(self, model: str, indexing: str | None, exclude_seen: bool) -> dict[str, Any] | None:
        """{"metrics", "words"} of a model, or None; the words say whether ours were found as the paper's were.

        Only GenRec with leaky item numbers, seen items kept, follows the paper's protocol;
        where other models' values come from the paper does not say.
        """
        metrics = self._models.get(re.sub(r"\W|_", "", model.lower()))
        if metrics is None:
            return None
        same = model == GENREC and indexing == LEAKY and not exclude_seen
        return {"metrics": metrics, "words": SAME if same else OTHER}


def published_of(data: Dataset) -> Published | None:
    """The published values of a dataset with the statistics that the paper prints; None for others."""
    table = tomllib.loads((files("genrec.comparing") / "published.toml").read_text(encoding="utf-8"))
    users, items, interactions = data.user_count, data.item_count, data.interaction_count
    if not users or not items:
        return None
    own = {
        "users": users,
        "items": items,
        "items_per_user": round(interactions / users, 1),
        "users_per_item": round(interactions / items, 1),
    }
    found = (entry for entry in table["datasets"] if all(entry[key] == value for key, value in own.items()))
    return next((Published(table["source"], table["metrics"], entry) for entry in found), None)

"""The model's configuration: BART's, plus the sizes of the user-ID and item-ID tables."""

from typing import Any

from transformers import BartConfig


class GenRecConfig(BartConfig):
    """Configuration of `GenRecForConditionalGeneration`.

    Args:
        user_count: U; the user-ID table has U + 1 rows, row 0 being "no user" and the unknown user.
        item_count: I; the item-ID table has I + 1 rows, row 0 being "no item".
        label_smoothing: Probability mass that the training loss spreads over the vocabulary.
        kwargs: Everything that `transformers.BartConfig` takes.
    """

    model_type = "genrec"

    def __init__(
        self, user_count: int = 0, item_count: int = 0, label_smoothing: float = 0.0, **kwargs: Any
    ) -> None:
        self.user_count = user_count
        self.item_count = item_count
        self.label_smoothing = label_smoothing
        super().__init__(**kwargs)

"""The model's configuration: BART's, plus the sizes of the user-ID and item-ID tables."""

from typing import Any

from transformers import BartConfig


class GenRecConfig(BartConfig):
    """Configuration of `GenRecForConditionalGeneration`.

    Args:
        user_count: U; the user-ID table has U + 1 rows where users are not hashed, row 0 being "no user" and the
            unknown user.
        item_count: I; the item-ID table has I + 1 rows, row 0 being "no item".
        label_smoothing: Probability mass that the training loss spreads over the vocabulary.
        input_length: Most positions of the encoder's input; None allows as many as have an embedding.
        merged_tokens: Tokens that one position of the encoder sums, an item's; 0 gives each token a position.
        ids_alone: Whether an item shows the encoder its ID embedding alone: one token stands for all items, and
            `merged_tokens` is 1.
        causal_encoder: Whether a position of the encoder sees itself and those before it only; such an input has
            no [END], which nothing would see.
        newest_first: Whether the encoder reads the newest item first, so that a position says how old its item is.
        distances: Distances between two positions of the encoder that attention tells apart, larger ones being
            alike; they take the place of the positions' own embeddings. 0 leaves those.
        user_buckets: Rows that users are hashed into, plus row 0; 0 drops the user embedding, None gives each
            user a row.
        sparse_ids: Whether the ID tables have sparse gradients; with `item_loss` or `item_terms`, which touch all
            items, only the users' has.
        item_terms: Terms that describe items; those of an item add to its ID embedding. 0 has none.
        item_term_entries: How many there are of all items together.
        item_loss: Weight of the auxiliary loss, in which the encoder's states name the item by the item-ID table.
        item_share: Share of that item head in the distribution that the search ranks by, beside the decoder.
        repeats: Steps of a history that the item head tells apart when it asks whether an item was in it; 0 does
            not ask.
        mask_token: The token of [MASK]; only the item head needs it.
        kwargs: Everything that `transformers.BartConfig` takes.
    """

    model_type = "genrec"

    def __init__(
        self,
        user_count: int = 0,
        item_count: int = 0,
        label_smoothing: float = 0.0,
        input_length: int | None = None,
        merged_tokens: int = 0,
        ids_alone: bool = False,
        causal_encoder: bool = False,
        newest_first: bool = False,
        distances: int = 0,
        user_buckets: int | None = None,
        sparse_ids: bool = False,
        item_terms: int = 0,
        item_term_entries: int = 0,
        item_loss: float = 0.0,
        item_share: float = 0.0,
        repeats: int = 0,
        mask_token: int = -1,
        **kwargs: Any,
    ) -> None:
        self.user_count = user_count
        self.item_count = item_count
        self.label_smoothing = label_smoothing
        self.input_length = input_length
        self.merged_tokens = merged_tokens
        self.ids_alone = ids_alone
        self.causal_encoder = causal_encoder
        self.newest_first = newest_first
        self.distances = distances
        self.user_buckets = user_buckets
        self.sparse_ids = sparse_ids
        self.item_terms = item_terms
        self.item_term_entries = item_term_entries
        self.item_loss = item_loss
        self.item_share = item_share
        self.repeats = repeats
        self.mask_token = mask_token
        super().__init__(**kwargs)

    @property
    def sparse_items(self) -> bool:
        """Whether the item-ID table has sparse gradients."""
        return self.sparse_ids and not self.item_loss and not self.item_terms

    @property
    def user_rows(self) -> int:
        """Rows of the user-ID table, row 0 included."""
        return 1 + (self.user_count if self.user_buckets is None else self.user_buckets)

"""From user and item indexes to the encoder's inputs (paper, equation 1), by vector gathers alone.

One module serves training, evaluation and the exported graph: `[BEG] user item ... [MASK] ... [END]`,
without [END] where the encoder is causal.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from genrec.indexing.tokens import TokenMatrix, TokenScheme
from genrec.model.configuration import GenRecConfig


class EncoderInputs(NamedTuple):
    """What the encoder reads; each int64 [batch, length], padding on the right.

    Where items are merged, `input_ids` is [batch, length, merged_tokens]: a position holds all tokens of an item.
    """

    input_ids: Tensor
    attention_mask: Tensor
    user_ids: Tensor
    item_ids: Tensor


class InputBuilder(nn.Module):
    """Looks up and joins the tokens of users and items.

    Item row `item_count + 1` is the [MASK]: a sequence of rows can hold it at any place.

    Args:
        scheme: Tokens of items and users.
        config: The model's; says how long inputs may be, and what becomes of items' tokens and of users.
    """

    item_tokens: Tensor
    user_tokens: Tensor

    def __init__(self, scheme: TokenScheme, config: GenRecConfig) -> None:
        super().__init__()
        self.pad, self.begin, self.end = scheme.special.pad, scheme.special.begin, scheme.special.end
        self.item_count = scheme.item_count
        self.mask_item = scheme.item_count + 1
        self.max_length = config.input_length or config.max_position_embeddings
        self.causal, self.newest_first = config.causal_encoder, config.newest_first
        self.merged, self.user_buckets = config.merged_tokens, config.user_buckets
        tokens = _one_for_all(scheme) if config.ids_alone else scheme.encoder_tokens
        self.depth = tokens.shape[1]
        self.budget = self.max_length - (1 if self.causal else 2) - scheme.user_tokens.shape[1]
        """Positions left for the items and [MASK] beside [BEG], the user and [END], if there is one."""
        mask_row = torch.full((1, self.depth), self.pad, dtype=torch.int64)
        mask_row[0, 0] = scheme.special.mask
        items = torch.from_numpy(tokens).long()
        self.register_buffer("item_tokens", torch.cat([items, mask_row]), persistent=False)
        self.register_buffer("user_tokens", torch.from_numpy(scheme.user_tokens).long(), persistent=False)

    @property
    def max_items(self) -> int:
        """How many items always fit, whatever their number of tokens, with the [MASK] among them."""
        return (self.budget - 1) // (1 if self.merged else self.depth)

    def forward(self, items: Tensor, users: Tensor) -> EncoderInputs:
        """Build the encoder's inputs; where a row is too long its newest items are kept.

        Args:
            items: int64 [batch, n] item rows, oldest first; zeros, wherever they stand, are padding.
            users: int64 [batch]; 0 is the unknown user.

        Returns:
            Inputs of length min(max_length, what n items could need).
        """
        items = items.flip(1) if self.newest_first else items
        tokens = self.item_tokens[items]  # [batch, n, depth]
        used = (tokens != self.pad).sum(-1)  # [batch, n]
        if self.merged:
            used = used.clamp(max=1)
        newer = used.cumsum(1) if self.newest_first else used.flip(1).cumsum(1).flip(1)
        tokens = torch.where((newer <= self.budget).unsqueeze(-1), tokens, self.pad)
        item = torch.where(items <= self.item_count, items, 0)
        if not self.merged:
            item = item.unsqueeze(-1).expand_as(tokens).flatten(1)  # [batch, n * depth]
            tokens = tokens.flatten(1)
        user = self.user_tokens[users if self.user_tokens.shape[0] > 1 else torch.zeros_like(users)]
        edge = self._user_rows(users).unsqueeze(1)
        none = torch.zeros_like(edge)
        begin, end = none + self.begin, none + self.end
        row = [self._wide(begin), self._wide(user), tokens, self._wide(end)]
        user_ids = [none, edge.expand_as(user), torch.zeros_like(item), none]
        item_ids = [none, torch.zeros_like(user), item, none]
        parts = slice(3 if self.causal else 4)
        return self._close_gaps(*(torch.cat(column[parts], dim=1) for column in (row, user_ids, item_ids)))

    def _user_rows(self, users: Tensor) -> Tensor:
        """Rows of the users' embeddings, int64 [batch]: their own, or those they are hashed to."""
        if self.user_buckets is None:
            return users
        if not self.user_buckets:
            return torch.zeros_like(users)
        # Knuth's multiplicative hash: neighbours in the table, often of one kind, part ways.
        hashed = (users * 2654435761) % 2**32 % self.user_buckets + 1
        return torch.where(users > 0, hashed, 0)

    def _wide(self, tokens: Tensor) -> Tensor:
        """Tokens [batch, m] that stand alone in positions which may hold several."""
        if not self.merged:
            return tokens
        return nn.functional.pad(tokens.unsqueeze(-1), (0, self.depth - 1), value=self.pad)

    def _close_gaps(self, row: Tensor, user_ids: Tensor, item_ids: Tensor) -> EncoderInputs:
        """Move the tokens of each row to its left end; all [batch, width], `row` perhaps [batch, width, depth]."""
        place = torch.arange(row.shape[1], device=row.device)
        first = row[..., 0] if self.merged else row
        order = torch.where(first != self.pad, place, place + row.shape[1]).argsort(1)[:, : self.max_length]
        mask = (first.gather(1, order) != self.pad).long()
        ids = (mask * numbers.gather(1, order) for numbers in (user_ids, item_ids))
        if self.merged:
            input_ids = row.gather(1, order.unsqueeze(-1).expand(-1, -1, self.depth))
        else:
            input_ids = row.gather(1, order)
        return EncoderInputs(input_ids, mask, *ids)


def _one_for_all(scheme: TokenScheme) -> TokenMatrix:
    """[BEG] for every item, for none of its own tokens shall be seen; in the shape of `encoder_tokens`."""
    tokens = np.full((scheme.item_count + 1, 1), scheme.special.begin, np.int32)
    tokens[0] = scheme.special.pad
    return tokens

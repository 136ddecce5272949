"""Trie-constrained beam search, written once for vectors: used by eval and recommend, traced into ONNX."""

from typing import cast

import torch
from torch import Tensor, nn

from genrec.decoding.decoder import BeamDecoder, Cache
from genrec.decoding.exclusion import Exclusion, items_left
from genrec.indexing.trie import Level, Trie
from genrec.model.modeling import GenRecForConditionalGeneration

DEAD = -2
"""Node of a beam that no allowed item is left for: equal to no item's node, -1 (no item) included."""


class TrieLevel(nn.Module):
    """The arrays of one `Level` as buffers, and what a step needs of them."""

    start: Tensor
    count: Tensor
    token: Tensor
    leaves: Tensor
    vocabulary: Tensor
    node_of_item: Tensor
    slot_of_item: Tensor

    def __init__(self, level: Level) -> None:
        super().__init__()
        for name in ("start", "count", "token", "leaves", "vocabulary", "node_of_item", "slot_of_item"):
            self.register_buffer(name, torch.from_numpy(getattr(level, name)), persistent=False)
        self.widest = int(level.count.max())
        self.child_count = len(level.token)

    def slots(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """The children of nodes (int64 [batch, beams]).

        Returns:
            Children int64 and whether each exists, both [batch, beams, slots].
        """
        slot = torch.arange(self.widest, device=nodes.device)
        exists = slot < self.count[nodes].unsqueeze(2)
        children = self.start[nodes].long().unsqueeze(2) + slot
        return torch.where(exists, children, 0), exists


class BeamSearch(nn.Module):
    """Finds the items with the highest probability; every result is a catalogue item, each at most once."""

    item_of_leaf: Tensor

    def __init__(self, model: GenRecForConditionalGeneration, trie: Trie, beams: int) -> None:
        super().__init__()
        self.beams = beams
        self.decoder = BeamDecoder(model.model.decoder)
        self.head = model.lm_head
        self.bias = model.final_logits_bias
        self.first_token = int(model.config.decoder_start_token_id)
        self.levels = nn.ModuleList(TrieLevel(level) for level in trie.levels)
        self.register_buffer("item_of_leaf", torch.from_numpy(trie.item_of_leaf).long(), persistent=False)

    def forward(self, states: Tensor, attention_mask: Tensor, exclusion: Exclusion) -> tuple[Tensor, Tensor]:
        """Search from encoder states.

        Args:
            states: [batch, length, d_model].
            attention_mask: int64 [batch, length].
            exclusion: What may be returned.

        Returns:
            Items int64 and scores float32, both [batch, width] with width = min(beams, items of the catalogue),
            scores descending, equal scores by item index; (0, -inf) where fewer items are allowed. A score is
            the sum over the item's tokens of the log-softmax over the children of each trie node.
        """
        memory = self.decoder.remember(states, attention_mask)
        node = attention_mask[:, :1] * 0  # the root; [batch, 1]
        tokens = node + self.first_token
        scores = node.to(states.dtype)
        cache: Cache = []
        parent_of_item = torch.zeros_like(exclusion.items)
        levels = cast(list[TrieLevel], list(self.levels))
        for position, level in enumerate(levels):
            hidden, cache = self.decoder.step(tokens, position, memory, cache)
            node, tokens, scores, parent = self._extend(level, hidden, node, scores, exclusion, parent_of_item)
            if position + 1 < len(levels):
                cache = _reorder(cache, parent)
                parent_of_item = level.node_of_item[exclusion.items].long()
        return _rank(self.item_of_leaf[node], scores)

    def _extend(
        self,
        level: TrieLevel,
        hidden: Tensor,
        node: Tensor,
        scores: Tensor,
        exclusion: Exclusion,
        parent_of_item: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One step: the best children of all beams; each result [batch, new beams]."""
        children, exists = level.slots(node)
        log_probabilities = self._log_probabilities(level, hidden, children, exists)
        alive = torch.where(scores > -torch.inf, node, DEAD)
        left = items_left(
            exclusion,
            level.leaves[children].long(),
            alive,
            parent_of_item,
            level.slot_of_item[exclusion.items].long(),
        )
        candidates = scores.unsqueeze(2) + log_probabilities
        candidates = torch.where(exists & (left > 0), candidates, -torch.inf).flatten(1)
        best, place = candidates.topk(min(self.beams, level.child_count), dim=1)
        chosen = children.flatten(1).gather(1, place)
        parent = torch.div(place, level.widest, rounding_mode="trunc")
        return chosen, level.vocabulary[level.token[chosen].long()].long(), best, parent

    def _log_probabilities(self, level: TrieLevel, hidden: Tensor, children: Tensor, exists: Tensor) -> Tensor:
        """Log-softmax over the children of each beam's node: [batch, beams, slots]."""
        weight = self.head.weight[level.vocabulary]  # [tokens at this depth, d_model]
        logits = nn.functional.linear(hidden, weight, self.bias[0, level.vocabulary.long()]).float()
        logits = logits.gather(2, level.token[children].long())
        return torch.where(exists, logits, -torch.inf).log_softmax(dim=2)


def _reorder(cache: Cache, parent: Tensor) -> Cache:
    """Give each new beam its parent's keys and values; parent int64 [batch, new beams]."""
    batch = parent.shape[0]
    beams = cache[0][0].shape[0] // batch
    row = torch.arange(batch, device=parent.device).unsqueeze(1) * beams + parent
    return [(key[row.flatten()], value[row.flatten()]) for key, value in cache]


def _rank(items: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Sort by score descending, equal scores by item ascending; dead beams become (0, -inf)."""
    items = torch.where(scores > -torch.inf, items, 0)
    items, order = items.sort(dim=1)
    scores = scores.gather(1, order)
    # A plain sort becomes ONNX's TopK, whose standard says that of equal values the first comes first; the
    # exporter does not know torch's own word for that.
    stable = {} if torch.onnx.is_in_onnx_export() else {"stable": True}
    scores, best = scores.sort(dim=1, descending=True, **stable)
    return items.gather(1, best), scores

"""Trie-constrained beam search, written once for vectors: used by eval and recommend, traced into ONNX."""

from typing import cast

import torch
from torch import Tensor, nn

from genrec.decoding.decoder import BeamDecoder
from genrec.decoding.exclusion import Exclusion, items_left
from genrec.indexing.trie import Level, Trie
from genrec.model.modeling import GenRecForConditionalGeneration

DEAD = -2
"""Node of a beam that no allowed item is left for: equal to no item's node, -1 (no item) included."""


class TrieLevel(nn.Module):
    """The arrays of one `Level` as buffers, and what a step needs of them."""

    start: Tensor
    token: Tensor
    leaves: Tensor
    vocabulary: Tensor
    node_of_item: Tensor

    def __init__(self, level: Level) -> None:
        super().__init__()
        for name in ("start", "token", "leaves", "vocabulary", "node_of_item"):
            self.register_buffer(name, torch.from_numpy(getattr(level, name)), persistent=False)
        self.widest, self.aligned = level.widest, level.aligned
        self.child_count = len(level.token)
        self.last = bool((level.leaves == 1).all())

    def slots(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """The children of nodes (int64 [batch, beams]).

        Returns:
            Children int64 and whether each exists, both [batch, beams, slots].
        """
        first = self.start[nodes].long().unsqueeze(2)
        children = first + torch.arange(self.widest, device=nodes.device)
        exists = children < self.start[nodes + 1].long().unsqueeze(2)
        return torch.where(exists, children, 0), exists


class BeamSearch(nn.Module):
    """Finds the items with the highest probability; every result is a catalogue item, each at most once."""

    item_of_leaf: Tensor
    prefix: Tensor

    def __init__(self, model: GenRecForConditionalGeneration, trie: Trie, beams: int) -> None:
        super().__init__()
        self.beams = beams
        self.decoder = BeamDecoder(model.model.decoder)
        self.head = model.lm_head
        self.bias = model.final_logits_bias
        self.levels = nn.ModuleList(TrieLevel(level) for level in trie.levels)
        start = int(model.config.decoder_start_token_id)
        self.register_buffer("prefix", torch.tensor([[start, *trie.prefix.tolist()]]), persistent=False)
        self.register_buffer("item_of_leaf", torch.from_numpy(trie.item_of_leaf), persistent=False)

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
        encoded = self.decoder.remember(states)
        padding = torch.where(attention_mask > 0, 0.0, -torch.inf).to(states.dtype)[:, None, None, :]
        tokens, places, sight = self._prefix()
        hidden, past = self.decoder.step(tokens, places, encoded, padding, None, sight)
        hidden, sight = hidden[:, -1:], sight[:, :, -1:]
        node = tokens[:, :1] * 0  # the root; [1, 1], as long as all users have the same beam
        scores = node.to(torch.float32)
        parent_of_item = torch.zeros_like(exclusion.items)
        for depth, level in enumerate(cast(list[TrieLevel], list(self.levels))):
            if depth:
                hidden, past = self.decoder.step(tokens, places[-1:] + depth, encoded, padding, past, sight)
            node, tokens, scores, parent = self._extend(level, hidden, node, scores, exclusion, parent_of_item)
            sight = _descend(sight, parent)
            parent_of_item = level.node_of_item[exclusion.items].long()
        return _rank(self.item_of_leaf[node].long(), scores)

    def _prefix(self) -> tuple[Tensor, Tensor, Tensor]:
        """What every search begins with: tokens [1, n], their places [n], and that each sees those before it."""
        length = self.prefix.shape[1]
        sight = torch.full((1, 1, length, length), -torch.inf, device=self.prefix.device).triu(1)
        return self.prefix, torch.arange(length, device=self.prefix.device), sight.to(self.head.weight.dtype)

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
        leaves = exists.long() if level.last else torch.where(exists, level.leaves[children].long(), 0)
        slot_of_item = level.node_of_item[exclusion.items].long() - level.start[parent_of_item].long()
        alive = torch.where(scores > -torch.inf, node, DEAD)
        left = items_left(exclusion, leaves, alive, parent_of_item, slot_of_item)
        candidates = torch.where(left > 0, scores.unsqueeze(2) + log_probabilities, -torch.inf).flatten(1)
        best, place = candidates.topk(min(self.beams, level.child_count), dim=1)
        parent = torch.div(place, level.widest, rounding_mode="trunc")
        slot = place - parent * level.widest
        chosen = children.expand(place.shape[0], -1, -1).flatten(1).gather(1, place)
        token = slot if level.aligned else level.token[chosen].long()
        return chosen, level.vocabulary[token].long(), best, parent

    def _log_probabilities(self, level: TrieLevel, hidden: Tensor, children: Tensor, exists: Tensor) -> Tensor:
        """Log-softmax over the children of each beam's node: [batch, beams, slots]."""
        weight = self.head.weight[level.vocabulary]  # [tokens at this depth, d_model]
        logits = nn.functional.linear(hidden, weight, self.bias[0, level.vocabulary.long()]).float()
        if not level.aligned:
            logits = logits.gather(2, level.token[children].long().expand(logits.shape[0], -1, -1))
        return torch.where(exists, logits, -torch.inf).log_softmax(dim=2)


def _descend(sight: Tensor, parent: Tensor) -> Tensor:
    """What the next tokens see: what their parents (int64 [batch, new beams]) saw, and each itself."""
    batch, beams = parent.shape
    index = parent[:, None, :, None].expand(-1, -1, -1, sight.shape[3])
    inherited = sight.expand(batch, -1, -1, -1).gather(2, index)
    itself = torch.full((beams, beams), -torch.inf, dtype=sight.dtype, device=sight.device)
    itself = itself.triu(1) + itself.tril(-1)
    return torch.cat([inherited, itself.expand(batch, 1, -1, -1)], dim=3)


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

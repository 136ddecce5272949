"""Trie-constrained beam search, written once for vectors: used by eval and recommend, traced into ONNX."""

from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from genrec.decoding.candidates import locate
from genrec.decoding.decoder import Generator, Memory
from genrec.decoding.exclusion import Exclusion, items_left
from genrec.decoding.mixture import Mixture, mix
from genrec.decoding.top import in_order, top
from genrec.indexing.trie import Level, Trie

DEAD = -2
"""Node of a beam that no allowed item is left for: equal to no item's node, -1 (no item) included."""


class Beams(NamedTuple):
    """The prefixes that a search keeps.

    Attributes:
        node: int64 [batch, beams] of the trie.
        score: float32 [batch, beams] what they are ranked by; -inf is a dead beam.
        likelihood: float32 [batch, beams] the decoder's part of it; the score itself where nothing is mixed in.
    """

    node: Tensor
    score: Tensor
    likelihood: Tensor


class TrieLevel(nn.Module):
    """The arrays of one `Level` as buffers, with the logits' weights of its tokens.

    Args:
        level: Of a trie.
        generator: Makes the logits.
        beams: How many nodes at this depth a search may keep.
    """

    start: Tensor
    token: Tensor
    leaves: Tensor
    vocabulary: Tensor
    node_of_item: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, level: Level, generator: Generator, beams: int) -> None:
        super().__init__()
        for name in ("start", "token", "leaves", "vocabulary", "node_of_item"):
            self.register_buffer(name, torch.from_numpy(getattr(level, name)), persistent=False)
        tokens = self.vocabulary.long().to(generator.weight.device)
        self.register_buffer("weight", generator.weight[tokens], persistent=False)
        self.register_buffer("bias", generator.bias[tokens], persistent=False)
        counts = np.diff(level.start)
        self.widest, self.aligned = level.widest, level.aligned
        self.full = bool((counts == self.widest).all())
        self.last = bool((level.leaves == 1).all())
        self.single = len(counts) == 1
        self.beams = min(beams, len(counts))
        self.kept = min(beams, len(level.token))

    def slots(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """The children of nodes (int64 [batch, beams]).

        Returns:
            Children int64 and whether each exists, both [batch, beams, slots].
        """
        children = self.start[nodes].long().unsqueeze(2) + torch.arange(self.widest, device=nodes.device)
        exists = children < self.start[nodes + 1].long().unsqueeze(2)
        return torch.where(exists, children, 0), exists

    def locate(self, items: Tensor, above: "TrieLevel | None", parents: Tensor) -> tuple[Tensor, Tensor]:
        """Where items (int64 [batch, n]) stand among the children of `parents`; see `locate`.

        Args:
            items: Item indexes.
            above: The level whose children the parents are; None for the root.
            parents: int64 [batch, beams].
        """
        parent_of_item = torch.zeros_like(items) if above is None else above.node_of_item[items].long()
        slot_of_item = self.node_of_item[items].long() - self.start[parent_of_item].long()
        return locate(parents, parent_of_item, slot_of_item, self.widest, self.single)

    def mass_below(self, mixture: Mixture, children: Tensor, above: "TrieLevel | None", parents: Tensor) -> Tensor:
        """What a mixture adds to the decoder's part of each candidate: float32 [batch, beams * slots].

        Args:
            mixture: Its other parts.
            children: int64 [batch or 1, beams, slots].
            above: As in `locate`.
            parents: int64 [batch or 1, beams], as in `locate`.
        """
        mass = mixture.decoder * torch.zeros_like(children.flatten(1), dtype=torch.float32)
        if mixture.every is not None:
            nodes = torch.zeros_like(mixture.every[:, :1]).expand(-1, len(self.token))
            owner = self.node_of_item[1:].long().expand(mixture.every.shape[0], -1)
            nodes = nodes.scatter_add(1, owner, mixture.every[:, 1:])
            below_alive = (parents != DEAD).unsqueeze(2).expand(children.shape).flatten(1)
            mass = mass + nodes.gather(1, children.flatten(1).expand(mass.shape[0], -1)) * below_alive
        if mixture.listed is not None:
            items, masses = mixture.listed
            place, below = self.locate(items, above, parents)
            masses = masses * below
            mass = mass.scatter_add(1, torch.where(masses > 0, place, 0), masses)
        return mass

    def log_probabilities(self, rows: Tensor, children: Tensor, exists: Tensor) -> Tensor:
        """Log-softmax over the children of each beam's node, float32 [batch, beams, slots]."""
        logits = functional.linear(rows, self.weight, self.bias).float()
        logits = logits.view(-1, self.beams, self.weight.shape[0])
        if not self.aligned:
            logits = logits.gather(2, self.token[children].long().expand(logits.shape[0], -1, -1))
        return (logits if self.full else torch.where(exists, logits, -torch.inf)).log_softmax(dim=2)


class BeamSearch(nn.Module):
    """Finds the items with the highest probability; every result is a catalogue item, each at most once."""

    item_of_leaf: Tensor
    prefix: Tensor

    def __init__(self, generator: Generator, trie: Trie, beams: int) -> None:
        super().__init__()
        self.decoder = generator.decoder
        self.levels = nn.ModuleList(TrieLevel(level, generator, beams) for level in trie.levels)
        prefix = torch.tensor([[generator.start, *trie.prefix.tolist()]])
        self.register_buffer("prefix", prefix, persistent=False)
        self.register_buffer("item_of_leaf", torch.from_numpy(trie.item_of_leaf), persistent=False)

    def forward(
        self, states: Tensor, padding: Tensor, exclusion: Exclusion, mixture: Mixture | None = None
    ) -> tuple[Tensor, Tensor]:
        """Search from encoder states.

        Args:
            states: [batch * length, d_model].
            padding: [batch, 1, 1, length]; 0, or -inf on padding.
            exclusion: What may be returned.
            mixture: What the decoder's distribution is a part of.

        Returns:
            Items int64 and scores float32, both [batch, width] with width = min(beams, items of the catalogue),
            scores descending, equal scores by item index; (0, -inf) where fewer items are allowed. A score is
            the sum over the item's tokens of the log-softmax over the children of each trie node; of a mixture
            the logarithm.
        """
        encoded = self.decoder.remember(states, padding)
        rows, past, sight = self._begin(encoded, padding)
        node = self.prefix[:, :1] * 0  # the root; [1, 1], as long as all users have the same beam
        beams = Beams(node, node.to(torch.float32), node.to(torch.float32))
        above = None  # the level that led to the beams' nodes
        levels = cast(list[TrieLevel], list(self.levels))
        for depth, level in enumerate(levels):
            beams, place = self._extend(level, above, rows, beams, exclusion, mixture)
            above = level
            if depth + 1 < len(levels):
                parent, slot = _split_place(level, place)
                token = slot if level.aligned else level.token[beams.node].long()
                embedded = self.decoder.embed(level.vocabulary[token].long(), self.prefix.shape[1] + depth)
                sight = _descend(sight, parent, level)
                rows, past = self.decoder.step(embedded, encoded, padding, past, sight)
        return _rank(self.item_of_leaf[beams.node].long(), beams.score)

    def _begin(self, encoded: Memory, padding: Tensor) -> tuple[Tensor, Memory, Tensor]:
        """Feed what every search begins with; the last token's rows [batch, d_model], the past, its sight."""
        length = self.prefix.shape[1]
        tokens = self.prefix.expand(padding.shape[0], -1)
        sight = torch.full((1, 1, length, length), -torch.inf, dtype=padding.dtype, device=padding.device).triu(1)
        rows, past = self.decoder.step(self.decoder.embed(tokens, 0, length), encoded, padding, None, sight)
        if length > 1:
            rows, sight = rows.view(-1, length, rows.shape[1])[:, -1], sight[:, :, -1:]
        return rows, past, sight

    def _extend(
        self,
        level: TrieLevel,
        above: TrieLevel | None,
        rows: Tensor,
        beams: Beams,
        exclusion: Exclusion,
        mixture: Mixture | None,
    ) -> tuple[Beams, Tensor]:
        """One step: the best children of all beams, and their places among all candidates."""
        children, exists = level.slots(beams.node)
        log_probabilities = level.log_probabilities(rows, children, exists)
        leaves = exists.long() if level.last else torch.where(exists, level.leaves[children].long(), 0)
        alive = torch.where(beams.score > -torch.inf, beams.node, DEAD)
        left = items_left(exclusion, leaves, *level.locate(exclusion.items, above, alive))
        likelihood = (beams.likelihood.unsqueeze(2) + log_probabilities).flatten(1)
        candidates = likelihood
        if mixture is not None:
            candidates = mix(likelihood, level.mass_below(mixture, children, above, alive), mixture.decoder)
        candidates = torch.where(left > 0, candidates, -torch.inf)
        best, place = top(candidates, level.kept)
        kept = best
        if mixture is not None:  # a dead beam's children are dead too
            kept = torch.where(best > -torch.inf, likelihood.gather(1, place), -torch.inf)
        # Where there is one parent a child's place is its number.
        node = place if level.single else children.flatten(1).gather(1, place)
        return Beams(node, best, kept), place


def _split_place(level: TrieLevel, place: Tensor) -> tuple[Tensor, Tensor]:
    """A candidate's place as its parent's beam and its slot there; both int64 [batch, new beams]."""
    if level.beams == 1:
        return place * 0, place
    parent = torch.div(place, level.widest, rounding_mode="trunc")
    return parent, place - parent * level.widest


def _descend(sight: Tensor, parent: Tensor, level: TrieLevel) -> Tensor:
    """What the next tokens see: what their parents (int64 [batch, new beams]) saw, and each itself."""
    itself = torch.full((level.kept, level.kept), -torch.inf, dtype=sight.dtype, device=sight.device)
    itself = (itself.triu(1) + itself.tril(-1))[None, None]
    if level.beams == 1:  # all have the same parent
        return torch.cat([sight.expand(-1, -1, level.kept, -1), itself], dim=3)
    batch = parent.shape[0]
    index = parent[:, None, :, None].expand(-1, -1, -1, sight.shape[3])
    inherited = sight.expand(batch, -1, -1, -1).gather(2, index)
    return torch.cat([inherited, itself.expand(batch, -1, -1, -1)], dim=3)


def _rank(items: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Sort by score descending, equal scores by item ascending; dead beams become (0, -inf)."""
    items = torch.where(scores > -torch.inf, items, 0)
    items, order = items.sort(dim=1)
    scores = scores.gather(1, order)
    scores, best = in_order(scores)
    return items.gather(1, best), scores

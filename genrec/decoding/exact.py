"""Every item's exact score: the whole trie, level by level in pieces, in place of a search.

A piece is some nodes whose tokens are decoded together; their children are divided into pieces again, and what
lies below one is finished before the next begins, so that memory grows with the scores alone. A node with a single
item below has that item's score: what follows is sure.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from genrec.decoding.decoder import BeamDecoder, Memory
from genrec.decoding.encoder import EncoderPass
from genrec.decoding.mixture import Mixture, make_mixer, mix
from genrec.decoding.prior import TransitionPrior
from genrec.indexing.tokens import TokenScheme
from genrec.indexing.trie import Level, Trie, build_trie
from genrec.model.inputs import InputBuilder
from genrec.model.modeling import GenRecForConditionalGeneration

PIECE = 128
"""Most nodes whose tokens are decoded together."""


class Piece(NamedTuple):
    """Some nodes at one depth, and how their children go on; tensors are int64 but for `exists`.

    Attributes:
        depth: Of the nodes; the root's is 0.
        vocabulary: [m] the tokens that the nodes' children have.
        slots: [nodes, slots] each child's place in `vocabulary`; 0 where a node has fewer children.
        exists: bool [nodes, slots].
        ends: [n] places among all slots of children with a single item below.
        items: [n] those items.
        parts: The other children.
    """

    depth: int
    vocabulary: Tensor
    slots: Tensor
    exists: Tensor
    ends: Tensor
    items: Tensor
    parts: "list[Part]"


class Part(NamedTuple):
    """Children that are decoded together; tensors are int64 [nodes].

    Attributes:
        parents: Place of each one's parent in the parents' piece.
        places: Their places among all slots there.
        tokens: Theirs.
        piece: The same nodes as parents of others.
    """

    parents: Tensor
    places: Tensor
    tokens: Tensor
    piece: Piece


class Front(NamedTuple):
    """Where a walk through the pieces stands: at a piece's nodes, whose tokens are decoded.

    Attributes:
        rows: [batch * nodes, d_model], hidden states of the nodes' tokens.
        past: Keys and values of all tokens on the way.
        sight: [1, 1, nodes, all tokens so far], as in `BeamDecoder.step`.
        scores: float32 [batch, nodes], the nodes' own.
    """

    rows: Tensor
    past: Memory
    sight: Tensor
    scores: Tensor


class ExactScores:
    """Computes the log-probability of all items for a batch of users.

    Args:
        model: Stays on the device where it is.
        scheme: Its tokens.
        piece: Most nodes whose tokens are decoded together.
        prior: Mixed with the model's distribution.
    """

    def __init__(
        self,
        model: GenRecForConditionalGeneration,
        scheme: TokenScheme,
        piece: int = PIECE,
        prior: TransitionPrior | None = None,
    ) -> None:
        self.device = model.device
        self.user_count, self.item_count = model.config.user_count, scheme.item_count
        self.inputs = InputBuilder(scheme, model.config).to(self.device)
        self.mixer = make_mixer(model, prior)
        self.encoder, self.decoder = EncoderPass(model.model.encoder), BeamDecoder(model.model.decoder)
        self.weight, self.bias = model.lm_head.weight, model.final_logits_bias[0]
        trie = build_trie(scheme.item_tokens)
        start = [int(model.config.decoder_start_token_id), *trie.prefix.tolist()]
        self.prefix = torch.tensor([start], device=self.device)
        self.root = _Divider(trie, piece, self.device).divide(0, np.zeros(1, np.int64))

    @torch.inference_mode()
    def __call__(self, history: Tensor, user: Tensor) -> Tensor:
        """Score everything.

        Numbers that are no item's count as padding, such user numbers as unknown.

        Args:
            history: int64 [batch, length] item indexes, oldest first; zeros are padding.
            user: int64 [batch]; 0 = unknown.

        Returns:
            float32 [batch, items + 1]: the scores of `BeamSearch`, whose exponentials sum to 1; -inf for row 0.
        """
        batch, length = len(user), self.prefix.shape[1]
        history = torch.where(history.clamp(0, self.item_count) == history, history, 0)
        user = torch.where(user.clamp(0, self.user_count) == user, user, 0)
        mask_item = torch.full_like(user, self.inputs.mask_item).unsqueeze(1)
        inputs = self.inputs(torch.cat([history, mask_item], dim=1), user)
        states, padding = self.encoder(inputs)
        encoded = self.decoder.remember(states, padding)
        sight = torch.full((1, 1, length, length), -torch.inf, dtype=padding.dtype, device=self.device).triu(1)
        embedded = self.decoder.embed(self.prefix.expand(batch, -1), 0, length)
        rows, past = self.decoder.step(embedded, encoded, padding, None, sight)
        found = torch.full((batch, self.item_count + 1), -torch.inf, device=self.device)
        scores = torch.zeros((batch, 1), device=self.device)
        front = Front(rows.view(batch, length, -1)[:, -1], past, sight[:, :, -1:], scores)
        self._walk(self.root, front, (encoded, padding), found)
        mixture = self.mixer(history, inputs, states.view(*inputs.attention_mask.shape, -1))
        return found if mixture is None else mix(found, _mass(mixture, found), mixture.decoder)

    def _walk(self, piece: Piece, front: Front, encoder: tuple[Memory, Tensor], found: Tensor) -> None:
        """Write the scores of all items below a piece to `found`, float32 [batch, items + 1]."""
        batch, nodes = front.scores.shape
        logits = functional.linear(front.rows, self.weight[piece.vocabulary], self.bias[piece.vocabulary])
        logits = logits.float().view(batch, nodes, -1).gather(2, piece.slots.expand(batch, -1, -1))
        log_probabilities = torch.where(piece.exists, logits, -torch.inf).log_softmax(dim=2)
        scores = (front.scores.unsqueeze(2) + log_probabilities).flatten(1)  # [batch, nodes * slots]
        found[:, piece.items] = scores[:, piece.ends]
        for part in piece.parts:
            count = len(part.tokens)
            itself = torch.full((count, count), -torch.inf, dtype=front.sight.dtype, device=self.device)
            itself = (itself.triu(1) + itself.tril(-1))[None, None]
            sight = torch.cat([front.sight[:, :, part.parents], itself], dim=3)
            embedded = self.decoder.embed(part.tokens.expand(batch, -1), self.prefix.shape[1] + piece.depth)
            rows, past = self.decoder.step(embedded, *encoder, front.past, sight)
            self._walk(part.piece, Front(rows, past, sight, scores[:, part.places]), encoder, found)


def _mass(mixture: Mixture, like: Tensor) -> Tensor:
    """What a mixture adds to the decoder's part of each item: float32 [batch, items + 1]."""
    mass = torch.zeros_like(like) if mixture.every is None else mixture.every
    return mass if mixture.listed is None else mass.scatter_add(1, *mixture.listed)


class _Divider:
    """Cuts a trie into pieces of at most so many nodes."""

    def __init__(self, trie: Trie, most: int, device: torch.device) -> None:
        self.levels, self.most, self.device = trie.levels, most, device
        self.item_of_child = [_item_of_child(level) for level in trie.levels]

    def divide(self, depth: int, nodes: NDArray[np.int64]) -> Piece:
        """The piece of some nodes, with all below."""
        level = self.levels[depth]
        first = level.start[nodes].astype(np.int64)
        counts = level.start[nodes + 1] - first
        slot = np.arange(counts.max())
        exists = slot < counts[:, None]
        places, children = np.flatnonzero(exists), (first[:, None] + slot)[exists]
        used, local = np.unique(level.token[children], return_inverse=True)
        tokens = level.vocabulary[used].astype(np.int64)
        slots = np.zeros(exists.shape, np.int64)
        slots[exists] = local
        alone = level.leaves[children] == 1
        parts = []
        for chosen in self._cut(np.flatnonzero(~alone)):
            part = Part(
                parents=self._tensor(places[chosen] // len(slot)),
                places=self._tensor(places[chosen]),
                tokens=self._tensor(tokens[local[chosen]]),
                piece=self.divide(depth + 1, children[chosen]),
            )
            parts.append(part)
        return Piece(
            depth,
            vocabulary=self._tensor(tokens),
            slots=self._tensor(slots),
            exists=self._tensor(exists),
            ends=self._tensor(places[alone]),
            items=self._tensor(self.item_of_child[depth][children[alone]]),
            parts=parts,
        )

    def _cut(self, places: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        return np.array_split(places, -(-len(places) // self.most)) if len(places) else []

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.device)


def _item_of_child(level: Level) -> NDArray[np.int64]:
    """int64 [children]: an item below each child."""
    items = np.zeros(len(level.token), np.int64)
    items[level.node_of_item[1:]] = np.arange(1, len(level.node_of_item))
    return items

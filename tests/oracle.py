"""The exact answer by brute force: every item's probability from the plain Hugging Face model."""

from itertools import groupby
from operator import itemgetter

import torch
from transformers.modeling_outputs import BaseModelOutput

from genrec.indexing.tokens import TokenScheme
from genrec.model.modeling import GenRecForConditionalGeneration


class Oracle:
    """Scores all items of a catalogue for one user at a time."""

    def __init__(self, model: GenRecForConditionalGeneration, scheme: TokenScheme, max_length: int) -> None:
        self.model, self.scheme, self.max_length = model, scheme, max_length
        self.paths = {item: self._tokens(row) for item, row in enumerate(scheme.item_tokens) if item}
        self.children: dict[tuple[int, ...], set[int]] = {}
        for path in self.paths.values():
            for depth, token in enumerate(path):
                self.children.setdefault(path[:depth], set()).add(token)

    def _tokens(self, row) -> tuple[int, ...]:
        return tuple(int(token) for token in row if token != self.scheme.special.pad)

    @torch.no_grad()
    def scores(self, history: list[int], user: int) -> dict[int, float]:
        """Log-probability of every item."""
        states = self._encode(history, user)
        count, depth = len(self.paths), max(map(len, self.paths.values()))
        start = self.model.config.decoder_start_token_id
        inputs = torch.full((count, depth), self.scheme.special.pad)
        for row, path in enumerate(self.paths.values()):
            inputs[row, : len(path)] = torch.tensor((start, *path[:-1]))
        logits = self.model(
            encoder_outputs=BaseModelOutput(last_hidden_state=states.expand(count, -1, -1)),
            attention_mask=torch.ones(count, states.shape[1], dtype=torch.int64),
            decoder_input_ids=inputs,
        ).logits
        return {item: self._sum(path, logits[row]) for row, (item, path) in enumerate(self.paths.items())}

    @torch.no_grad()
    def item_probabilities(self, history: list[int], user: int) -> dict[int, float]:
        """What the item head gives every item; it asks beside [MASK], where the newest item is."""
        states = self._encode(history, user)[0]
        table = self.model.model.encoder.item_embedding.weight[1:]
        logits = (table @ states[self.asked]).double()
        if self.model.repeats is not None:
            steps = self.model.repeats.weight
            for ago, item in enumerate(dict.fromkeys(reversed(self.shown))):
                logits[item - 1] += 10 * float(steps[min(ago, len(steps) - 1)])
        found = logits.softmax(0)
        return {item: float(probability) for item, probability in enumerate(found, 1)}

    def _sum(self, path: tuple[int, ...], logits) -> float:
        total = 0.0
        for depth, token in enumerate(path):
            allowed = sorted(self.children[path[:depth]])
            total += float(logits[depth, allowed].double().log_softmax(0)[allowed.index(token)])
        return total

    def _user_row(self, user: int) -> int:
        buckets = self.model.config.user_buckets
        if buckets is None or not user:
            return user
        return user * 2654435761 % 2**32 % buckets + 1 if buckets else 0

    def _encode(self, history: list[int], user: int):
        """`[BEG] user item item ... [MASK] [END]`, the newest items as far as they fit; [END] unless causal.

        Or `[BEG] user [MASK] item item ... [END]` where the newest is first.
        """
        special = self.scheme.special
        person = self._tokens(self.scheme.user_tokens[user if len(self.scheme.user_tokens) > 1 else 0])
        ends = [] if self.model.config.causal_encoder else [([special.end], 0, 0)]
        budget = self.max_length - 2 - len(ends) - self.scheme.user_tokens.shape[1]
        merged, row = self.model.config.merged_tokens, self._user_row(user)
        kept: list[tuple[list[int], int]] = []
        for item in reversed(history):
            tokens = [token for token in self.paths[item] if token != special.end]
            tokens = [special.begin] if self.model.config.ids_alone else tokens
            positions = [(tokens, item)] if merged else [([token], item) for token in tokens]
            if len(kept) + len(positions) > budget:
                break
            kept = positions + kept
        self.shown = [item for _, item in kept]
        middle = [*((tokens, 0, item) for tokens, item in kept), ([special.mask], 0, 0)]
        if self.model.config.newest_first:  # item by item, each with its tokens in their order
            middle = [position for _, group in groupby(middle[::-1], itemgetter(2)) for position in [*group][::-1]]
        rows = [([special.begin], 0, 0), *(([token], row, 0) for token in person), *middle, *ends]
        masked = next(place for place, position in enumerate(rows) if position[0] == [special.mask])
        self.asked = masked + (1 if self.model.config.newest_first else -1)
        wide = [tokens + [special.pad] * (merged - len(tokens)) if merged else tokens[0] for tokens, _, _ in rows]
        input_ids, user_ids, item_ids = (
            torch.tensor([column]) for column in (wide, [row[1] for row in rows], [row[2] for row in rows])
        )
        return self.model.get_encoder()(
            input_ids=input_ids,
            attention_mask=torch.ones_like(user_ids),
            user_ids=user_ids,
            item_ids=item_ids,
        ).last_hidden_state


def assert_exact(items, scores, exact: dict[int, float], allowed: set[int], tolerance: float) -> None:
    """A list (with zeros where nothing is left) is the best of the allowed items, each with its exact score."""
    best = sorted(allowed, key=lambda item: (-exact[item], item))[: len(items)]
    found = [int(item) for item in items if item]
    assert len(found) == len(set(found)) == len(best)
    assert set(found) <= allowed
    assert all(
        item == 0 and score == -torch.inf for item, score in list(zip(items, scores, strict=True))[len(best) :]
    )
    for item, wanted, score in zip(found, best, scores, strict=False):
        assert abs(score - exact[item]) < tolerance, (item, score, exact[item])
        assert item == wanted or abs(exact[item] - exact[wanted]) < 2 * tolerance, (found, best)

"""Logits for what is in the history already, by a plain count."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from genrec.model.repeats import Repeats

HISTORIES = st.integers(1, 7).flatmap(
    lambda length: st.lists(st.lists(st.integers(0, 4), min_size=length, max_size=length), min_size=1, max_size=4)
)


def _added(history: list[int], weight: torch.Tensor) -> dict[int, float]:
    """By item, walking from the newest to the oldest."""
    newest_first = list(dict.fromkeys(item for item in reversed(history) if item))
    return {item: 10 * float(weight[min(ago, len(weight) - 1)]) for ago, item in enumerate(newest_first)}


def _as_dict(items: torch.Tensor, logits: torch.Tensor) -> dict[int, float]:
    pairs = [(item, logit) for item, logit in zip(items.tolist(), logits.tolist(), strict=True) if item]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@given(HISTORIES, st.integers(1, 4))
def test_each_item_once_by_how_many_others_came_since(histories, steps):
    repeats = Repeats(steps).requires_grad_(False)
    repeats.weight.copy_(torch.arange(steps) + 1.5)
    rows = torch.tensor(histories)
    whole, prefixes = repeats(rows), repeats.of_prefixes(rows)
    for row, history in enumerate(histories):
        assert _as_dict(whole.items[row], whole.logits[row]) == _added(history, repeats.weight)
        for end in range(len(history)):
            found = _as_dict(prefixes.items[row, end], prefixes.logits[row, end])
            assert found == _added(history[: end + 1], repeats.weight)

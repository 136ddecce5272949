"""The encoder's inputs against rows assembled with plain lists."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.indexing.scheme import USER_TOKEN
from genrec.indexing.tokens import SpecialTokens, TokenScheme
from genrec.model.inputs import InputBuilder
from tests.helpers import text_like_scheme

MAX_LENGTH = 20
TEXT = text_like_scheme()
FIXED = TokenScheme(
    indexing="random",
    item_tokens=np.array([[0, 0], *[[5 + n // 7, 12 + n % 7] for n in range(40)]], dtype=np.int32),
    user_tokens=np.array([[USER_TOKEN]], dtype=np.int32),
    special=SpecialTokens(pad=0, begin=1, end=2, mask=3),
    vocabulary=19,
)


def by_hand(scheme: TokenScheme, items: list[int], user: int) -> list[tuple[int, int, int]]:
    """(token, user ID, item ID) of each position: the newest items that fit between user and [END]."""
    special = scheme.special
    people = scheme.user_tokens[user if len(scheme.user_tokens) > 1 else 0]
    user_part = [(int(token), user, 0) for token in people if token != special.pad]
    room = MAX_LENGTH - 2 - scheme.user_tokens.shape[1]
    parts: list[list[tuple[int, int, int]]] = []
    for item in reversed(items):
        if item == scheme.item_count + 1:
            part = [(special.mask, 0, 0)]
        else:
            tokens = [int(t) for t in scheme.item_tokens[item] if t not in (special.pad, special.end)]
            part = [(token, 0, item) for token in tokens]
        if sum(map(len, parts)) + len(part) > room:
            break
        parts.insert(0, part)
    middle = [position for part in parts for position in part]
    return [(special.begin, 0, 0), *user_part, *middle, (special.end, 0, 0)]


@settings(max_examples=60, deadline=None)
@given(
    scheme=st.sampled_from([TEXT, FIXED]),
    rows=st.lists(st.lists(st.integers(0, 41), max_size=14), min_size=1, max_size=4),
    user=st.integers(0, 30),
)
def test_rows_equal_those_assembled_by_hand(scheme, rows, user):
    builder = InputBuilder(scheme, MAX_LENGTH)
    width = max(map(len, rows))
    items = torch.tensor([row + [0] * (width - len(row)) for row in rows], dtype=torch.int64)
    built = builder(items.reshape(len(rows), width), torch.full((len(rows),), user))
    assert built.input_ids.shape[1] <= MAX_LENGTH
    for row, wanted in zip(range(len(rows)), rows, strict=True):
        expected = by_hand(scheme, [item for item in wanted if item], user)
        length = len(expected)
        found = zip(
            built.input_ids[row].tolist(),
            built.user_ids[row].tolist(),
            built.item_ids[row].tolist(),
            strict=True,
        )
        assert list(found)[:length] == expected
        assert built.attention_mask[row].tolist() == [1] * length + [0] * (built.input_ids.shape[1] - length)
        assert (built.input_ids[row, length:] == scheme.special.pad).all()
        assert not built.user_ids[row, length:].any()
        assert not built.item_ids[row, length:].any()


def test_zeros_anywhere_are_padding():
    builder = InputBuilder(TEXT, MAX_LENGTH)
    user = torch.tensor([7, 7])
    built = builder(torch.tensor([[0, 3, 0, 12], [3, 12, 0, 0]]), user)
    assert torch.equal(built.input_ids[0], built.input_ids[1])
    assert torch.equal(built.item_ids[0], built.item_ids[1])


def test_the_mask_carries_no_id():
    builder = InputBuilder(FIXED, MAX_LENGTH)
    built = builder(torch.tensor([[4, builder.mask_item]]), torch.tensor([9]))
    place = built.input_ids[0].tolist().index(FIXED.special.mask)
    assert built.item_ids[0, place] == 0
    assert built.user_ids[0, place] == 0


def test_max_items_fit_whatever_their_tokens():
    for scheme in (TEXT, FIXED):
        builder = InputBuilder(scheme, MAX_LENGTH)
        longest = int((scheme.encoder_tokens != scheme.special.pad).sum(1).argmax())
        items = torch.tensor([[longest] * (builder.max_items - 1) + [builder.mask_item]])
        shown = builder(items, torch.tensor([30])).item_ids[0]
        assert int((shown > 0).sum()) == (builder.max_items - 1) * builder.depth

"""The encoder's inputs against rows assembled with plain lists."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.indexing.scheme import USER_TOKEN
from genrec.indexing.tokens import SpecialTokens, TokenScheme
from genrec.model.configuration import GenRecConfig
from genrec.model.inputs import InputBuilder
from tests.helpers import text_like_scheme

MAX_LENGTH = 20
CONFIG = GenRecConfig(input_length=MAX_LENGTH)
TEXT = text_like_scheme()
FIXED = TokenScheme(
    indexing="random",
    item_tokens=np.array([[0, 0], *[[5 + n // 7, 12 + n % 7] for n in range(40)]], dtype=np.int32),
    user_tokens=np.array([[USER_TOKEN]], dtype=np.int32),
    special=SpecialTokens(pad=0, begin=1, end=2, mask=3),
    vocabulary=19,
)


def by_hand(
    scheme: TokenScheme, items: list[int], user: int, merged: int, ids_alone: bool
) -> list[tuple[object, int, int]]:
    """(token or tokens, user ID, item ID) of each position: the newest items that fit between user and [END]."""
    special = scheme.special

    def alone(token: int) -> object:
        return [token, *[special.pad] * (merged - 1)] if merged else token

    people = scheme.user_tokens[user if len(scheme.user_tokens) > 1 else 0]
    user_part = [(alone(int(token)), user, 0) for token in people if token != special.pad]
    room = MAX_LENGTH - 2 - scheme.user_tokens.shape[1]
    parts: list[list[tuple[object, int, int]]] = []
    for item in reversed(items):
        tokens = [int(t) for t in scheme.item_tokens[item % 41] if t not in (special.pad, special.end)]
        tokens = [special.begin] if ids_alone else tokens
        if item == scheme.item_count + 1:
            part = [(alone(special.mask), 0, 0)]
        elif merged:
            part = [([*tokens, *[special.pad] * (merged - len(tokens))], 0, item)]
        else:
            part = [(token, 0, item) for token in tokens]
        if sum(map(len, parts)) + len(part) > room:
            break
        parts.insert(0, part)
    middle = [position for part in parts for position in part]
    return [(alone(special.begin), 0, 0), *user_part, *middle, (alone(special.end), 0, 0)]


@settings(max_examples=100, deadline=None)
@given(
    scheme=st.sampled_from([TEXT, FIXED]),
    rows=st.lists(st.lists(st.integers(0, 41), max_size=22), min_size=1, max_size=4),
    user=st.integers(0, 30),
    merge=st.sampled_from(["none", "item", "id"]),
)
def test_rows_equal_those_assembled_by_hand(scheme, rows, user, merge):
    merged, alone = {"none": 0, "item": scheme.encoder_tokens.shape[1], "id": 1}[merge], merge == "id"
    config = GenRecConfig(input_length=MAX_LENGTH, merged_tokens=merged, ids_alone=alone)
    builder = InputBuilder(scheme, config)
    width = max(map(len, rows))
    items = torch.tensor([row + [0] * (width - len(row)) for row in rows], dtype=torch.int64)
    built = builder(items.reshape(len(rows), width), torch.full((len(rows),), user))
    assert built.input_ids.shape[1] <= MAX_LENGTH
    for row, wanted in zip(range(len(rows)), rows, strict=True):
        expected = by_hand(scheme, [item for item in wanted if item], user, merged, alone)
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
    builder = InputBuilder(TEXT, CONFIG)
    user = torch.tensor([7, 7])
    built = builder(torch.tensor([[0, 3, 0, 12], [3, 12, 0, 0]]), user)
    assert torch.equal(built.input_ids[0], built.input_ids[1])
    assert torch.equal(built.item_ids[0], built.item_ids[1])


def test_the_mask_carries_no_id():
    builder = InputBuilder(FIXED, CONFIG)
    built = builder(torch.tensor([[4, builder.mask_item]]), torch.tensor([9]))
    place = built.input_ids[0].tolist().index(FIXED.special.mask)
    assert built.item_ids[0, place] == 0
    assert built.user_ids[0, place] == 0


def test_max_items_fit_whatever_their_tokens():
    for scheme in (TEXT, FIXED):
        builder = InputBuilder(scheme, CONFIG)
        longest = int((scheme.encoder_tokens != scheme.special.pad).sum(1).argmax())
        items = torch.tensor([[longest] * (builder.max_items - 1) + [builder.mask_item]])
        shown = builder(items, torch.tensor([30])).item_ids[0]
        assert int((shown > 0).sum()) == (builder.max_items - 1) * builder.depth


def user_rows(buckets: int | None, users: list[int]) -> list[int]:
    builder = InputBuilder(FIXED, GenRecConfig(input_length=MAX_LENGTH, user_buckets=buckets))
    built = builder(torch.full((len(users), 1), 4), torch.tensor(users))
    return built.user_ids[:, 1].tolist()


def test_users_share_hashed_rows_evenly_and_the_unknown_user_keeps_row_0():
    rows = user_rows(50, list(range(10_001)))
    counts = np.bincount(rows, minlength=51)
    assert counts[0] == 1
    assert len(counts) == 51
    assert counts[1:].min() > 150
    assert counts[1:].max() < 250


def test_without_buckets_users_carry_no_id():
    assert user_rows(0, [0, 1, 9]) == [0, 0, 0]
    assert user_rows(None, [0, 1, 9]) == [0, 1, 9]

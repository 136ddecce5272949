"""`text`: the paper's texts, with numbers that say nothing."""

import numpy as np
import pytest

from genrec.errors import GenRecError
from genrec.indexing.text import item_numbers, text_scheme
from genrec.indexing.tokens import SpecialTokens

SPECIAL = SpecialTokens(pad=1, begin=0, end=2, mask=3)
FIRST = 4


class Tokenizer:
    """Splits a word from its number, and that into pieces of two digits."""

    pad_token_id, bos_token_id, eos_token_id, mask_token_id = SPECIAL.pad, SPECIAL.begin, SPECIAL.end, SPECIAL.mask

    def __init__(self):
        self.known = {}

    def __len__(self):
        return FIRST + len(self.known)

    def __call__(self, texts, add_special_tokens):
        assert not add_special_tokens
        return {"input_ids": [[self._of(part) for part in self._split(text)] for text in texts]}

    def texts(self, tokens):
        """What tokens say, without the special ones."""
        names = {number: part for part, number in self.known.items()}
        return "".join(names[token] for token in tokens if token >= FIRST)

    def _split(self, text):
        word, number = text.split("_")
        return [f"{word}_", *(number[place : place + 2] for place in range(0, len(number), 2))]

    def _of(self, part):
        return self.known.setdefault(part, FIRST + len(self.known))


def test_items_are_texts_whose_numbers_the_seed_draws():
    tokenizer = Tokenizer()
    scheme = text_scheme(3, 150, 5, tokenizer)
    numbers = [int(tokenizer.texts(row).removeprefix(" item_")) for row in scheme.item_tokens[1:]]
    assert sorted(numbers) == list(range(1, 151))
    assert numbers == item_numbers(150, 5).tolist()
    # Nothing of the order in which the source has them.
    assert abs(np.corrcoef(numbers, np.arange(150))[0, 1]) < 0.3
    assert numbers != item_numbers(150, 6).tolist()
    assert [tokenizer.texts(row) for row in scheme.user_tokens] == [f"user_{number}" for number in range(4)]
    assert (scheme.special, scheme.vocabulary) == (SPECIAL, len(tokenizer))


def test_no_item_is_the_beginning_of_another():
    rows = text_scheme(1, 150, 0, Tokenizer()).item_tokens[1:]
    paths = [tuple(token for token in row if token != SPECIAL.pad) for row in rows.tolist()]
    assert {len(path) for path in paths} == {3, 4}  # a word, one or two pieces, and the end
    assert all(path[-1] == SPECIAL.end for path in paths)
    begun = {path[:length] for path in paths for length in range(1, len(path))}
    assert not begun & set(paths)
    assert len(set(paths)) == 150


def test_texts_of_one_length_need_no_end():
    assert SPECIAL.end not in text_scheme(1, 9, 0, Tokenizer()).item_tokens


def test_a_tokenizer_without_a_mask_is_refused():
    class Other(Tokenizer):
        mask_token_id = None

    with pytest.raises(GenRecError, match="no mask token; use BART's"):
        text_scheme(1, 9, 0, Other())

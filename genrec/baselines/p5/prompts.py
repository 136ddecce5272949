"""P5's prompts: the templates, and how users, items and words are joined, by vector gathers alone."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from genrec.baselines.p5.model import P5ModelConfig
from genrec.indexing.tokens import TokenScheme, pad_rows

TEMPLATES = (
    "so far {user} took {history} , which item comes next ?",
    "for {user} , after the items {history} , recommend the next one",
    "here is what {user} took , oldest first : {history} ; name the next item",
    "guess which item {user} takes after {history}",
    "history of {user} : {history} ; recommend one more item",
    "given that {user} took the items {history} , what comes next ?",
    "{user} is back after {history} ; which one is next ?",
    "what {user} took first stands first : {history} ; name one more",
    "history of {user} , oldest first : {history} ; what is the next item ?",
)
"""The user stands before the history in all of them. The last, whose words the others have, is never trained."""

TRAINED = 8

Word = list[int]
"""The tokens of a word."""

Prompt = list[list[Word]]
"""A template's words before the user, between user and history, and after the history."""


def spell(template: str, tokens_of: Callable[[str], Word]) -> Prompt:
    """A template in tokens.

    >>> spell("hey {user} took {history} !", lambda word: [len(word)])
    [[[3]], [[4]], [[1]]]
    """
    return [[tokens_of(word) for word in part.split()] for part in re.split(r"\{\w+\}", template)]


def words_of_templates() -> list[str]:
    """All words, each once."""
    spelled = " ".join(re.sub(r"\{\w+\}", " ", template) for template in TEMPLATES)
    return list(dict.fromkeys(spelled.split()))


def most_words(prompts: Sequence[Prompt], items: int, separated: bool) -> tuple[int, int]:
    """Most words up to the end of so many items, a user among them; and most words behind those."""
    before = max(len(first) + 1 + len(between) for first, between, _ in prompts)
    return before + items * (2 if separated else 1), max(len(after) for *_, after in prompts)


class PromptInputs(NamedTuple):
    """What the encoder reads; each int64 [batch, length], padding on the right.

    `word_ids` are the numbers of the words, the same for all tokens of a word: from 1 for the newest item on
    backwards, from `words_before` + 1 on behind it; 0 on the end token.
    """

    input_ids: Tensor
    attention_mask: Tensor
    word_ids: Tensor


class Prompter(nn.Module):
    """Looks up and joins the tokens of words, users and items.

    Args:
        scheme: Tokens of items and users.
        config: The model's; holds the prompts.
        chosen: Which of the prompts are used, from 0.
    """

    user_tokens: Tensor
    item_tokens: Tensor
    separator: Tensor
    begins: Tensor
    """int64 [widest]: 1 where a word begins in the tokens of an item and the separator behind it."""

    def __init__(self, scheme: TokenScheme, config: P5ModelConfig, chosen: Sequence[int]) -> None:
        super().__init__()
        self.pad, self.end, self.count = scheme.special.pad, scheme.special.end, len(chosen)
        self.words_before = config.words_before
        prompts = [config.prompts[number] for number in chosen]
        for place in range(3):
            words = [prompt[place] for prompt in prompts]
            tail = [self.end] if place == 2 else []
            tokens = [[token for word in some for token in word] + tail for some in words]
            starts = [
                [int(not at) for word in some for at in range(len(word))] + [0] * len(tail) for some in words
            ]
            self.register_buffer(f"tokens{place}", _tensor(tokens, self.pad), persistent=False)
            self.register_buffer(f"starts{place}", _tensor(starts, 0), persistent=False)
        for name, matrix in (("user_tokens", scheme.user_tokens), ("item_tokens", scheme.encoder_tokens)):
            self.register_buffer(name, torch.from_numpy(matrix).long(), persistent=False)
        self.register_buffer("separator", torch.tensor(config.separator, dtype=torch.long), persistent=False)
        widths = (self.item_tokens.shape[1], len(config.separator))
        begins = torch.cat([torch.arange(width) == 0 for width in widths]).long()
        self.register_buffer("begins", begins, persistent=False)

    def forward(self, items: Tensor, users: Tensor, prompts: Tensor) -> PromptInputs:
        """Build the encoder's inputs.

        Args:
            items: int64 [batch, n], oldest first, zeros on the right.
            users: int64 [batch]; 0 is the unknown user.
            prompts: int64 [batch] places among the chosen prompts.
        """
        said = [getattr(self, f"tokens{place}")[prompts] for place in range(3)]
        begun = [getattr(self, f"starts{place}")[prompts] for place in range(3)]
        user, history = self.user_tokens[users], self._history(items)
        history_starts = (torch.zeros_like(items).unsqueeze(2) + self.begins).flatten(1)
        tokens = torch.cat([said[0], user, said[1], history], 1)
        starts = torch.cat([begun[0], _first(user), begun[1], history_starts], 1)
        before = (starts * (tokens != self.pad)).sum(1, keepdim=True)  # words up to the newest item
        tokens, starts = torch.cat([tokens, said[2]], 1), torch.cat([starts, begun[2]], 1)
        place = torch.arange(tokens.shape[1], device=tokens.device)
        order = torch.where(tokens != self.pad, place, place + tokens.shape[1]).argsort(1)  # closes the gaps
        tokens, starts = tokens.gather(1, order), starts.gather(1, order)
        mask, word = (tokens != self.pad).long(), starts.cumsum(1) - before
        numbers = torch.where(word > 0, self.words_before + word, 1 - word)
        return PromptInputs(tokens, mask, numbers * mask * (tokens != self.end))

    def _history(self, items: Tensor) -> Tensor:
        """The tokens of items, and separators between them: [batch, n * widest]."""
        tokens = self.item_tokens[items]  # [batch, n, depth]
        if self.separator.shape[0]:
            followed = nn.functional.pad(items[:, 1:], (0, 1)).unsqueeze(2) > 0
            tokens = torch.cat([tokens, torch.where(followed, self.separator, self.pad)], 2)
        return tokens.flatten(1)


def _first(tokens: Tensor) -> Tensor:
    """1 in the first column of int64 [batch, n], else 0."""
    return torch.zeros_like(tokens) + (torch.arange(tokens.shape[1], device=tokens.device) == 0)


def _tensor(rows: list[list[int]], pad: int) -> Tensor:
    return torch.from_numpy(pad_rows(rows, pad)).long()

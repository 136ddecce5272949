"""Small P5 models, and their prompts and scores by plain loops."""

import torch

from genrec.baselines.settings import make_baseline_config
from tests.oracle import Oracle

TINY = {"d_model": 16, "heads": 2, "ffn_dim": 32, "max_length": 6}


def settings(**given):
    return make_baseline_config({"model": "p5", **TINY, **given})


def spread(built):
    """Random weights under which scores differ clearly."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in built.model.named_parameters():
            if weight.dim() == 2:
                weight.normal_(std=0.5 if "Attention" in name or "Dense" in name else 1.5)
    built.model.eval()
    return built


class P5Oracle(Oracle):
    """Plain loops in place of gathers; Hugging Face's encoder and decoder."""

    def __init__(self, built):
        super().__init__(built.model, built.scheme, 0)
        self.config = built.model.config

    def tokens_and_words(self, history, user, prompt):
        before, between, after = self.config.prompts[prompt]
        person = self._tokens(self.scheme.user_tokens[user])
        items = []
        for item in history[-self.config.max_items :]:
            items += [[token for token in self.paths[item] if token != self.scheme.special.end]]
            items += [self.config.separator] if self.config.separator else []
        if history and self.config.separator:
            items.pop()
        said = [*before, person, *between, *items]
        words = [(len(said) - place, word) for place, word in enumerate(said)]
        words += [(self.config.words_before + place, word) for place, word in enumerate(after, 1)]
        tokens = [token for _, word in words for token in word]
        numbers = [number for number, word in words for _ in word]
        return [*tokens, self.scheme.special.end], [*numbers, 0]

    def _encode(self, history, user):
        tokens, numbers = map(torch.tensor, self.tokens_and_words(history, user, self.config.prompt))
        embedded = self.model.embed(tokens, numbers)
        return self.model.encoder(inputs_embeds=embedded[None]).last_hidden_state

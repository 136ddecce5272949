"""P5's recommendations: a prompt for each user, then the search that GenRec has too."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from genrec.baselines.p5.model import P5Model
from genrec.baselines.p5.prompts import Prompter
from genrec.baselines.scorer import newest
from genrec.decoding.recommender import Encoded, SearchRecommender
from genrec.decoding.scorer import BEAMS, ModuleScorer
from genrec.decoding.search import BeamSearch
from genrec.decoding.t5 import T5EncoderPass, t5_generator
from genrec.indexing.tokens import TokenScheme, load_scheme
from genrec.indexing.trie import build_trie
from genrec.model.checkpoint import load_strictly, open_finished
from genrec.scoring import batch_users


class P5Recommender(SearchRecommender):
    """Prompts, encoder and beam search (the paper's equation 2).

    Args:
        model: The trained model.
        scheme: Its tokens.
        beams: Beams of the search.
        k: Length of the lists.
    """

    def __init__(self, model: P5Model, scheme: TokenScheme, beams: int, k: int) -> None:
        search = BeamSearch(t5_generator(model), build_trie(scheme.item_tokens), max(beams, k))
        super().__init__(model.config.user_count, scheme.item_count, search, k)
        self.max_items = model.config.max_items
        self.prompter = Prompter(scheme, model.config, [model.config.prompt])
        self.tokens, self.words = model.shared, model.whole_words
        self.encoder = T5EncoderPass(model.encoder)

    def read(self, history: Tensor, user: Tensor) -> Encoded:
        """Encode the prompt that is asked with."""
        # A column more, for there is no newest item of none.
        recent = newest(nn.functional.pad(history, (0, 1)), self.max_items)
        tokens, mask, words = self.prompter(recent, user, torch.zeros_like(user))
        states, padding = self.encoder(self.tokens(tokens) + self.words(words), mask)
        return Encoded(states, padding)


class P5Scorer(ModuleScorer):
    """Runs P5; a `genrec.scoring.Scorer`.

    Args:
        model: Stays on the device where it is.
        scheme: Its tokens.
        beams: Beams of the search; as many as the list is long where that is more.
    """

    def __init__(self, model: P5Model, scheme: TokenScheme, beams: int = BEAMS) -> None:
        super().__init__(model.device, batch_users(model.device.type == "cpu", model.config.d_model), beams)
        self.model, self.scheme = model, scheme

    def make_module(self, k: int) -> P5Recommender:
        """The module for lists of `k` items by as many beams."""
        return P5Recommender(self.model, self.scheme, k, k)


@dataclass(frozen=True)
class P5Run:
    """A finished run."""

    path: Path
    info: dict[str, Any]
    """What run.json says."""
    model: P5Model
    scheme: TokenScheme


def load_p5(path: Path, device: str | torch.device = "cpu") -> P5Run:
    """Load a finished run; its model is in evaluation mode.

    Raises:
        GenRecError: The folder is no run of P5, is unfinished, damaged, or of a newer genrec.
    """
    info = open_finished(path)
    return P5Run(path, info, load_strictly(P5Model, path).to(device).eval(), load_scheme(path))

"""What a step of the search costs, and what the trie takes, as the catalogue grows."""

import statistics
import time
from typing import Any

import numpy as np
import torch
from inference_models import make_model

from genrec.decoding.decoder import generator_of
from genrec.decoding.exclusion import list_exclusions
from genrec.decoding.search import BeamSearch
from genrec.indexing.codes import digits
from genrec.indexing.scheme import FIRST_CODE, OWN
from genrec.indexing.tokens import TokenScheme
from genrec.indexing.trie import build_trie

GROWTH = (1e4, 1e5, 1e6, 1e7)
DEPTH = 3
"""The same for all sizes, so that a step is compared with a step: 10 million items need three."""
_SHAPE = {"d_model": 128, "encoder_layers": 2, "decoder_layers": 2, "heads": 4, "ffn_dim": 512}
_BATCH, _LENGTH, _BEAMS = 32, 24, 20


def measure_growth(items: int, repeats: int) -> dict[str, Any]:
    """Seconds of a step at batch 32, 20 beams, 128 wide, 50 items excluded a user; bytes of the trie.

    The model's own tables (ID embeddings, item tokens of the encoder) are left out: a search reads none of them.
    """
    trie = build_trie(_tokens(items))
    scheme = TokenScheme("random", _tokens(2), np.full((1, 1), 4, np.int32), OWN, FIRST_CODE + 3 * 256)
    model = make_model(_SHAPE, scheme, users=1, max_length=64)
    search = BeamSearch(generator_of(model), trie, _BEAMS).eval()
    states = torch.randn(_BATCH * _LENGTH, _SHAPE["d_model"])
    padding = torch.zeros(_BATCH, 1, 1, _LENGTH)
    seen = torch.randint(1, items + 1, (_BATCH, 50))
    nothing = torch.zeros(_BATCH, 0, dtype=torch.int64)
    seconds = []
    with torch.inference_mode():
        exclusion = list_exclusions(seen, nothing, torch.zeros(_BATCH, 1, dtype=torch.bool))
        for _ in range(10 * repeats + 3):
            started = time.perf_counter()
            search(states, padding, exclusion)
            seconds.append((time.perf_counter() - started) / DEPTH)
    return {
        "items": items,
        "step_seconds": statistics.median(seconds[3:]),
        "trie_bytes": sum(buffer.nbytes for buffer in search.buffers() if buffer.dtype == torch.int32),
    }


def _tokens(items: int) -> np.ndarray:
    codes = digits(np.arange(1, items + 1), DEPTH)
    sizes = codes.max(axis=0) + 1
    return (codes + FIRST_CODE + np.cumsum(sizes) - sizes).astype(np.int32)

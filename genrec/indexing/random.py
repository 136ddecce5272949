"""`random`: codes mean nothing, the embeddings must learn everything."""

import numpy as np

from genrec.indexing.codes import Ints, digits
from genrec.indexing.evidence import Evidence


def random_codes(evidence: Evidence, seed: int) -> Ints:
    """int64 [items + 1, depth]: codes of the items in a random order."""
    return digits(np.random.default_rng(seed).permutation(evidence.item_count) + 1, evidence.depth)

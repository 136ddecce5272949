"""`sequential`: items by first appearance, so that items of one user's session share first codes.

Given whole sequences in place of the training part this is `leaky-sequential`, the published protocol, in which a
test item that nobody had before gets the code after its user's validation item.
"""

import numpy as np

from genrec.indexing.codes import Ints, digits
from genrec.indexing.evidence import Evidence, first_appearance


def sequential_codes(evidence: Evidence, seed: int) -> Ints:
    """int64 [items + 1, depth]: codes in the order of first appearance; the other items follow, shuffled."""
    seen = first_appearance(evidence.train)
    unseen = np.setdiff1d(np.arange(1, evidence.item_count + 1), seen)
    order = np.concatenate([seen, np.random.default_rng(seed).permutation(unseen)])
    return digits(order, evidence.depth)

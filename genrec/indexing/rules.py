"""The rules that give each item its codes, by name. Every rule is a module of its own with one interface."""

from collections.abc import Callable

from genrec.indexing.codes import Ints
from genrec.indexing.collaborative import collaborative_codes
from genrec.indexing.evidence import Evidence
from genrec.indexing.hybrid import hybrid_codes
from genrec.indexing.random import random_codes
from genrec.indexing.semantic import semantic_codes
from genrec.indexing.sequential import sequential_codes

Rule = Callable[[Evidence, int], Ints]
"""(what may be seen, seed) -> int64 [items + 1, depth] codes from 0 on, row 0 unused; unique, balanced."""

LEAKY_SEQUENTIAL = "leaky-sequential"
"""The published protocol: the only rule that is given whole sequences, test items included."""

RULES: dict[str, Rule] = {
    "random": random_codes,
    "sequential": sequential_codes,
    "collaborative": collaborative_codes,
    "semantic": semantic_codes,
    "hybrid": hybrid_codes,
    LEAKY_SEQUENTIAL: sequential_codes,
}

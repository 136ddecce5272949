"""`semantic`: items that are described alike share first codes, those too that nobody has used yet."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genrec.indexing.clusters import cluster_order
from genrec.indexing.codes import Ints, digits
from genrec.indexing.encoder import encode_texts
from genrec.indexing.evidence import Descriptions, Evidence
from genrec.indexing.vectors import RANK, Vectors, row_vectors

_BETWEEN_WORDS = r"[^\p{L}\p{N}]+"


def semantic_codes(evidence: Evidence, seed: int) -> Ints:
    """int64 [items + 1, depth]: codes of a balanced tree over the descriptions' vectors.

    Raises:
        GenRecError: Nothing is said of the items, or the text encoder cannot be had.
    """
    return digits(cluster_order(semantic_vectors(evidence, seed), evidence.depth, seed), evidence.depth)


def semantic_vectors(evidence: Evidence, seed: int) -> Vectors:
    """Vectors of titles and attributes: a text encoder's where one is given, else TF-IDF's.

    Raises:
        GenRecError: Nothing is said of the items, or the text encoder cannot be had.
    """
    return description_vectors(evidence.describe(), evidence.text_encoder, seed)


def description_vectors(
    descriptions: Descriptions, text_encoder: str | None, seed: int, rank: int = RANK
) -> Vectors:
    """The same of descriptions; at most `rank` numbers each.

    Raises:
        GenRecError: The text encoder cannot be had.
    """
    if text_encoder:
        return encode_texts(descriptions, text_encoder, seed, rank)
    return term_vectors(descriptions, seed, rank)


def term_vectors(descriptions: Descriptions, seed: int, rank: int = RANK) -> Vectors:
    """Truncated SVD of TF-IDF weights.

    Terms are the words of titles and whole attributes; either kind makes half of an item's squared length. A term
    of one item only says nothing of its likeness to others and is left out; an item without any other has a row of
    zeros.

    Args:
        descriptions: Of all items.
        seed: Of the decomposition's random start.
        rank: Most numbers of a vector.
    """
    count = len(descriptions.titles)
    words = pc.split_pattern_regex(pc.utf8_lower(descriptions.titles), pattern=_BETWEEN_WORDS)
    rows, columns, weights = zip(
        *(_weights(lists, count) for lists in (words, descriptions.attributes)), strict=True
    )
    width = int(columns[0].max(initial=-1)) + 1
    shape = (count, width + int(columns[1].max(initial=-1)) + 1)
    columns = (columns[0], columns[1] + width)
    return row_vectors(np.concatenate(rows), np.concatenate(columns), np.concatenate(weights), shape, seed, rank)


def _weights(lists: pa.Array, count: int) -> tuple[Ints, Ints, np.ndarray]:
    """TF-IDF of lists of terms, one per item: rows, columns and weights, whose squares sum to 1 per item.

    How often a term stands in one title tells little, so it counts once.
    """
    owners = np.asarray(pc.list_parent_indices(lists), dtype=np.int64)
    terms = pc.list_flatten(lists)
    said = np.asarray(pc.fill_null(pc.not_equal(terms, ""), False))
    codes = np.asarray(pc.fill_null(terms.dictionary_encode().indices, 0), dtype=np.int64)
    width = int(codes.max(initial=0)) + 1
    rows, columns = np.divmod(np.unique(owners[said] * width + codes[said]), width)
    frequency = np.bincount(columns, minlength=width)
    shared = frequency[columns] > 1
    rows, columns = rows[shared], columns[shared]
    weights = np.log((1 + count) / (1 + frequency[columns])) + 1
    return rows, columns, weights / np.sqrt(np.bincount(rows, weights**2, minlength=count))[rows]

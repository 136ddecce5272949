"""`semantic`: items that are described alike share first codes, those too that nobody has used yet."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from genrec.indexing.clusters import cluster_order
from genrec.indexing.codes import Ints, digits
from genrec.indexing.encoder import encode_texts
from genrec.indexing.evidence import Descriptions, Evidence
from genrec.indexing.vectors import Vectors, row_vectors

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
    descriptions = evidence.describe()
    if evidence.text_encoder:
        return encode_texts(descriptions, evidence.text_encoder, seed)
    return term_vectors(descriptions, seed)


def term_vectors(descriptions: Descriptions, seed: int) -> Vectors:
    """Truncated SVD of the weights of terms; an item without any has a row of zeros.

    Args:
        descriptions: Of all items.
        seed: Of the decomposition's random start.
    """
    found = weigh_terms(descriptions)
    return row_vectors(found.items, found.terms, found.weights, (len(descriptions.titles), found.distinct), seed)


class Terms(NamedTuple):
    """What stands in the descriptions of items, a sparse matrix by its entries, sorted by item."""

    items: Ints
    """int64 [entries], from 0."""
    terms: Ints
    """int64 [entries], from 0."""
    weights: NDArray[np.float64]
    """float64 [entries]."""
    distinct: int
    """Terms that there are."""


NO_TERMS = Terms(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), 0)


def describing_terms(descriptions: Descriptions, text_encoder: str | None, seed: int) -> Terms:
    """What item embeddings are made of besides IDs: TF-IDF's terms, or one for each number of a text encoder's
    vectors, which are their weights.

    Raises:
        GenRecError: The text encoder cannot be had.
    """
    if text_encoder is None:
        return weigh_terms(descriptions)
    vectors = encode_texts(descriptions, text_encoder, seed)
    items, terms = vectors.nonzero()
    return Terms(items, terms, vectors[items, terms].astype(np.float64), vectors.shape[1])


def weigh_terms(descriptions: Descriptions) -> Terms:
    """TF-IDF weights of terms: the words of titles, and whole attributes.

    The squares of either kind sum to 1 per item. A term of one item only says nothing of its likeness to others
    and is left out.
    """
    count = len(descriptions.titles)
    words = pc.split_pattern_regex(pc.utf8_lower(descriptions.titles), pattern=_BETWEEN_WORDS)
    rows, columns, weights = zip(
        *(_weights(lists, count) for lists in (words, descriptions.attributes)), strict=True
    )
    width = int(columns[0].max(initial=-1)) + 1
    items, terms = np.concatenate(rows), np.concatenate([columns[0], columns[1] + width])
    order = np.argsort(items, kind="stable")
    number = width + int(columns[1].max(initial=-1)) + 1
    return Terms(items[order], terms[order], np.concatenate(weights)[order], number)


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

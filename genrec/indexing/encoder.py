"""Vectors of descriptions by a sentence-transformers model, where one is at hand."""

from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
import torch

from genrec.errors import GenRecError
from genrec.indexing.evidence import Descriptions
from genrec.indexing.vectors import RANK, Vectors, unit


def encode_texts(descriptions: Descriptions, model: str, seed: int) -> Vectors:
    """Encode "title. attribute, attribute"; an item without a description has a row of zeros.

    Args:
        descriptions: Of all items.
        model: A folder, or a name that the hub knows.
        seed: Of the decomposition that shortens the vectors.

    Raises:
        GenRecError: sentence-transformers is not installed, or there is no such model.
    """
    texts = as_texts(descriptions)
    said = np.array([bool(text) for text in texts])
    found = np.asarray(_load(model).encode([text for text in texts if text], show_progress_bar=False))
    centred = torch.from_numpy(found.astype(np.float32))
    centred = centred - centred.mean(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _, _, directions = torch.svd_lowrank(centred, q=min(RANK, *centred.shape), niter=4)
    vectors = np.zeros((len(texts), directions.shape[1]), np.float32)
    vectors[said] = unit(centred @ directions)
    return vectors


def as_texts(descriptions: Descriptions) -> list[str]:
    """One text per item, empty where nothing is said of it.

    >>> import pyarrow as pa
    >>> as_texts(Descriptions(pa.array(["Soap", None]), pa.array([["red", "big"], None], pa.list_(pa.string()))))
    ['Soap. red, big', '']
    """
    both = zip(descriptions.titles.to_pylist(), descriptions.attributes.to_pylist(), strict=True)
    parts = ([title, ", ".join(filter(None, attributes or []))] for title, attributes in both)
    return [". ".join(filter(None, part)) for part in parts]


def _load(model: str) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise GenRecError(
            "text_encoder needs sentence-transformers, which is not installed: pip install '.[text]', or leave it "
            "out for the TF-IDF that is built in"
        ) from error
    try:
        return SentenceTransformer(model, local_files_only=Path(model).is_dir())
    except (OSError, ValueError) as error:
        raise GenRecError(
            f"the text encoder {model!r} is neither the folder of a sentence-transformers model nor one that can "
            f"be fetched ({shorten(str(error), 120)}); copy the model's folder here and give it with "
            "--set text_encoder=FOLDER"
        ) from error

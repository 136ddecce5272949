"""Public datasets by name: fetched once, checked, and kept in a cache folder."""

from pathlib import Path
from typing import Final

from genrec.data.known_amazon import AMAZON, fetch_amazon
from genrec.data.known_movielens import MOVIELENS, fetch_movielens
from genrec.data.layouts import Layout
from genrec.errors import GenRecError
from genrec.folders import user_cache
from genrec.progress import Reporter

KNOWN_NAMES: Final = ", ".join([*MOVIELENS, "amazon-2014-beauty", "amazon-2023-books and other categories"])
"""What there is, for messages."""


def known_name(source: str) -> str | None:
    """The dataset that a source names, whatever its case; None for anything else.

    >>> known_name("ML-1M"), known_name("amazon-2014-Sports_and_Outdoors"), known_name("log.csv")
    ('movielens-1m', 'amazon-2014-sports-and-outdoors', None)
    """
    name = source.lower().replace("_", "-")
    name = f"movielens{name[2:]}" if name.startswith("ml-") else name
    return name if name in MOVIELENS or name in AMAZON else None


def fetch(name: str, cache: Path | None, work: Path, reporter: Reporter) -> Layout:
    """Fetch a known dataset, as `known_name` calls it.

    Args:
        name: The dataset.
        cache: Where downloads are kept; None: see `cache_folder`.
        work: A folder for what archives hold.
        reporter: Receives progress and the dataset's terms.

    Raises:
        GenRecError: It cannot be reached, or what came is not what was published.
    """
    folder = cache_folder(cache)
    if name in AMAZON:
        return fetch_amazon(name, folder, reporter)
    return fetch_movielens(name, folder, work, reporter)


def cache_folder(cache: Path | None) -> Path:
    """Where downloads are kept: `cache`, or $GENREC_CACHE, or ~/.cache/genrec.

    Raises:
        GenRecError: The folder cannot be made.
    """
    folder = cache or user_cache()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GenRecError(f"cannot create the cache {folder}: {error.strerror}; set --cache") from error
    return folder

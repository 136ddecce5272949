"""Amazon's and Yelp's published reviews and metadata: known by their columns, whatever the file is called."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from genrec.data.columns import Mapping, map_interactions
from genrec.data.readers import Reader
from genrec.data.sources import Source
from genrec.data.sql import literal
from genrec.data.textfile import head_lines
from genrec.errors import GenRecError
from genrec.ids import ATTRIBUTES, ITEM_ID, TITLE

AMAZON: Final = "amazon"
YELP: Final = "yelp"
_SAMPLE: Final = 1000


@dataclass(frozen=True)
class _Shape:
    """The columns of one generation of published reviews."""

    format: str
    user: str
    item: str
    time: str
    rating: str

    def fits(self, columns: Sequence[str]) -> bool:
        return {self.user, self.item, self.time} <= set(columns)


_AMAZON_2014: Final = _Shape(AMAZON, "reviewerID", "asin", "unixReviewTime", "overall")
_AMAZON_2023: Final = _Shape(AMAZON, "user_id", "parent_asin", "timestamp", "rating")
_SHAPES: Final = (_AMAZON_2014, _AMAZON_2023, _Shape(YELP, "user_id", "business_id", "date", "stars"))
"""2018's reviews have 2014's columns."""

_BULKY: Final = (
    *("description", "feature", "features", "details", "fit", "tech1", "tech2", "similar_item", "related"),
    *("image", "images", "imageURL", "imageURLHighRes", "imUrl", "videos"),
    *("also_buy", "also_view", "also_bought", "also_viewed", "bought_together", "rank", "salesRank"),
)
"""Columns of Amazon's metadata that are long texts, pictures or lists of other products."""

# The ratings-only files of 2014 and 2018: IDs, stars and seconds, without a header.
_ASIN: Final = r"[B0-9][0-9A-Z]{9}"
_REVIEWER: Final = r"[A#][0-9A-Za-z-]{9,}"
_RATED: Final = r"[1-5](?:\.0)?,\d{9,10}"
_HEADERLESS: Final = {
    ("reviewerID", "asin", "overall", "unixReviewTime"): re.compile(f"{_REVIEWER},{_ASIN},{_RATED}"),
    ("asin", "reviewerID", "overall", "unixReviewTime"): re.compile(f"{_ASIN},{_REVIEWER},{_RATED}"),
}


def ratings_header(source: Source) -> tuple[str, ...]:
    """The columns of Amazon's ratings-only CSV files of 2014 (user first) and 2018 (item first).

    These have no header line; any other file gives ().
    """
    if source.format != "csv":
        return ()
    lines = head_lines(source.plain, _SAMPLE)
    for header, pattern in _HEADERLESS.items():
        if pattern.fullmatch(lines[0]) and 2 * sum(bool(pattern.fullmatch(line)) for line in lines) > len(lines):
            return header
    return ()


def map_log(
    columns: Sequence[str], source: Source, format: str, wanted: dict[str, str | None]
) -> tuple[str, Mapping]:
    """Find the columns of a log, and what it is: "amazon", "yelp" or the source's own format.

    Args:
        columns: The names that the source has.
        source: The file.
        format: What the caller took it for; "auto" goes by the columns.
        wanted: The columns that the caller names.

    Raises:
        GenRecError: The columns are not those of the format, or one of them cannot be found.
    """
    shapes = [shape for shape in _SHAPES if format in ("auto", shape.format)]
    shape = next((shape for shape in shapes if shape.fits(columns)), None)
    if shape is None and format in (AMAZON, YELP):
        known = " or ".join(f"{shape.user}, {shape.item}, {shape.time}" for shape in shapes)
        raise GenRecError(
            f"{source.path} has none of the columns of {format.title()} reviews ({known}) but "
            f"{', '.join(columns[:12])}; leave --format out"
        )
    if shape is None:
        return source.format, map_interactions(columns, source.name, **wanted)
    own = {role: getattr(shape, role, None) for role in wanted}
    own["rating"] = shape.rating if shape.rating in columns else None
    mapping = map_interactions(columns, source.name, **{role: wanted[role] or own[role] for role in wanted})
    # A review's title is not the item's.
    return shape.format, replace(mapping, title=None, attributes=None)


def metadata_columns(reader: Reader) -> tuple[dict[str, str], set[str]] | None:
    """How published metadata are read; None for any other file.

    Returns:
        The columns that are not simply copied, as {name: SQL}, item_id first.
        The source's columns that are in them or of no use to a catalogue.
    """
    if reader.source.format != "jsonl":
        return None
    columns = set(reader.columns)
    if "business_id" in columns and "categories" in columns:
        return _businesses(reader), {"business_id", "name", "categories", "attributes", "hours"}
    if columns & {"parent_asin", "asin"} and columns & {"categories", "category", "brand", "store"}:
        return _products(reader), {"parent_asin", "asin", "title", "categories", "category", *_BULKY}
    return None


def _products(reader: Reader) -> dict[str, str]:
    """Amazon's: the brand, which is called store in 2023, is an attribute beside the categories."""
    known = {name: _text(reader, name) for name in reader.columns}
    categories = _first(known, "categories", "category")
    # 2014 has lists of lists: one path of categories for each place where a product stands.
    listed = (
        f"CASE WHEN starts_with({categories}, '[[') THEN json_extract_string({categories}, '$[*][*]') "
        f"WHEN starts_with({categories}, '[') THEN json_extract_string({categories}, '$[*]') ELSE [] END"
    )
    named = {ITEM_ID: _first(known, "parent_asin", "asin")}
    if "title" in known:
        named[TITLE] = known["title"]
    return named | {ATTRIBUTES: _distinct(f"list_append({listed}, {_first(known, 'brand', 'store')})")}


def _businesses(reader: Reader) -> dict[str, str]:
    """Yelp's: categories are one text, "Bars, Nightlife", in older files a list."""
    categories = _text(reader, "categories")
    named = {ITEM_ID: _text(reader, "business_id")}
    if "name" in reader.columns:
        named[TITLE] = _text(reader, "name")
    lists = f"json_extract_string({categories}, '$[*]')"
    split = f"string_split({categories}, ', ')"
    return named | {
        ATTRIBUTES: _distinct(f"CASE WHEN starts_with({categories}, '[') THEN {lists} ELSE {split} END")
    }


def _text(reader: Reader, column: str) -> str:
    return f"nullif(trim({reader.value(column)}), '')"


def _first(known: dict[str, str], *names: str) -> str:
    """SQL: the first of some columns, NULL where none is there."""
    return next((known[name] for name in names if name in known), "CAST(NULL AS VARCHAR)")


def _distinct(values: str) -> str:
    """SQL: a list's values without repetition, in order; NULL where there are none."""
    kept = "list_filter(l, lambda x, i: x IS NOT NULL AND x <> '' AND list_position(l, x) = i)"
    whole = f"list_transform([{values}], lambda l: {kept})[1]"
    return f"nullif({whole}, {literal('[]')}::VARCHAR[])"

"""Which column of a log is the user, the item, the time: guessed from usual spellings, or as the caller says."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from genrec.errors import GenRecError

_TYPE_SUFFIX = re.compile(r":(token|token_seq|float|float_seq)$")
"""RecBole's atomic files type their headers: `user_id:token`."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# In order of preference, without case, spaces and punctuation.
_USER: Final = _words(
    "userid user uid userhash reviewerid reviewer customerid customer visitorid visitor memberid member accountid "
    "account clientid client profileid buyerid buyer shopperid personid listenerid sessionid session"
)
_ITEM: Final = _words(
    "itemid item iid parentasin asin productid product movieid movie businessid business articleid article sku "
    "trackid track songid song artistid bookid book isbn videoid video newsid gameid appid recipeid placeid "
    "venueid poiid contentid content offerid listingid itemhash"
)
_TIME: Final = _words(
    "timestamp time ts unixreviewtime datetime eventtime createdat created reviewtime reviewdate date tdat "
    "eventtimestamp eventdate interactiontime interactiondate purchasedate purchasetime orderdate ordertime "
    "visittime checkintime playedat watchedat viewedat clickedat unixtime"
)
_RATING: Final = _words("rating score stars overall ratingvalue")
_TITLE: Final = _words("title itemtitle producttitle movietitle name itemname productname moviename booktitle")
_ITEM_TITLE: Final = [name for name in _TITLE if name != "name"]
"""In a log, "name" may as well be the user's."""
_ATTRIBUTES: Final = _words("attributes genres genre categories category class tags itemcategories")


@dataclass(frozen=True)
class Mapping:
    """The columns, by their names in the source, that have a meaning; None where there is none."""

    user: str
    item: str
    time: str | None = None
    rating: str | None = None
    order: str | None = None
    title: str | None = None
    attributes: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        """For dataset.json, without RecBole's type suffixes."""
        return {role: plain_name(column) if column else None for role, column in asdict(self).items()}


def map_interactions(
    columns: Sequence[str],
    source: str,
    user: str | None = None,
    item: str | None = None,
    time: str | None = None,
    rating: str | None = None,
    order: str | None = None,
) -> Mapping:
    """Find the columns of an interaction log.

    >>> map_interactions(["reviewerID", "asin", "overall", "unixReviewTime"], "log.csv").item
    'asin'

    Args:
        columns: The names that the source has.
        source: The file's name, for messages.
        user: The user column, None to guess; so too `item`, `time` and `rating`.
        order: The column that numbers the rows, which is never guessed.

    Raises:
        GenRecError: A named column does not exist, user or item cannot be guessed, or they are one column.
    """
    found_user = _find(columns, source, "user", user, _USER)
    found_item = _find(columns, source, "item", item, _ITEM)
    if found_user == found_item:
        raise GenRecError(f"{source}: user and item are both column {found_user!r}; set --user-col and --item-col")
    return Mapping(
        found_user,
        found_item,
        _optional(columns, source, "time", time, _TIME),
        _optional(columns, source, "rating", rating, _RATING),
        _optional(columns, source, "order", order, ()),
        _guess(columns, _ITEM_TITLE),
        _guess(columns, _ATTRIBUTES),
    )


def map_items(columns: Sequence[str], source: str, item: str) -> Mapping:
    """Find the columns of a file of item metadata; `user` is empty.

    Args:
        columns: The names that the file has.
        source: The file's name, for messages.
        item: The log's item column; a column of that name goes before any guess.

    Raises:
        GenRecError: There is no item column.
    """
    name = _named(columns, item) or _guess(columns, [*_ITEM, "id"])
    if name is None:
        raise GenRecError(
            f"{source}: no item column found among {_listed(columns)}; "
            f"rename the one that holds the log's item IDs to {item}"
        )
    rest = [column for column in columns if column != name]
    return Mapping("", name, title=_guess(rest, _TITLE), attributes=_guess(rest, _ATTRIBUTES))


def plain_name(column: str) -> str:
    """A column's name without RecBole's type suffix."""
    return _TYPE_SUFFIX.sub("", column.strip())


def _find(columns: Sequence[str], source: str, role: str, wanted: str | None, spellings: Sequence[str]) -> str:
    found = _optional(columns, source, role, wanted, spellings)
    if found is None:
        raise GenRecError(
            f"{source}: no {role} column found among {_listed(columns)}; name it with --{role}-col "
            "(the first line must be a header)"
        )
    return found


def _optional(
    columns: Sequence[str], source: str, role: str, wanted: str | None, spellings: Sequence[str]
) -> str | None:
    if wanted is None:
        return _guess(columns, spellings)
    found = _named(columns, wanted)
    if found is None:
        raise GenRecError(f"{source} has no column {wanted!r}; --{role}-col takes one of: {_listed(columns)}")
    return found


def _named(columns: Sequence[str], wanted: str) -> str | None:
    if wanted in columns:
        return wanted
    return next((column for column in columns if plain_name(column) == plain_name(wanted)), None)


def _guess(columns: Sequence[str], spellings: Sequence[str]) -> str | None:
    by_spelling: dict[str, str] = {}
    for column in columns:
        by_spelling.setdefault(re.sub(r"[\W_]", "", plain_name(column).casefold()), column)
    return next((by_spelling[name] for name in spellings if name in by_spelling), None)


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(repr(column) for column in columns[:30])
    return shown + (f" and {len(columns) - 30} more" if len(columns) > 30 else "")

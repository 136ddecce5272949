"""MovieLens as GroupLens publishes it, from 100K (1998) to 32M (2024), and as RecBole distributes it."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from genrec.data.textfile import head_lines
from genrec.errors import GenRecError
from genrec.ids import ATTRIBUTES, ITEM_ID, TITLE

_GENRES: Final = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
"""The flags at the end of each line of u.item, in their order (u.genre)."""
_HEADER: Final = ("user_id", "item_id", "rating", "timestamp")
_CSV_HEADER: Final = "userId,movieId,rating,timestamp"
_NO_GENRES: Final = "(no genres listed)"
_YEAR: Final = re.compile(r"\((\d{4})\)")

Movie = tuple[str, str, list[str]]
"""ID, title and genres."""


@dataclass(frozen=True)
class Layout:
    """The files that a folder stands for."""

    interactions: Path
    items: Path | None
    header: tuple[str, ...] = ()
    """The interactions' columns, where the file has no header."""
    format: str = "tsv"


_ITEM_FILES: Final = {"u.data": "u.item", "ratings.dat": "movies.dat", "ratings.csv": "movies.csv"}
"""Ratings and movies of 100K; of 1M and 10M; of 20M, 25M, 32M and "latest"."""
FILES: Final = tuple(name for pair in _ITEM_FILES.items() for name in pair)
"""Every file that is read."""


def movielens_layout(path: Path, sure: bool, work: Path) -> Layout | None:
    """Recognise a MovieLens folder or its file of ratings, with the movies beside it; or None.

    Args:
        path: A folder or a file.
        sure: Whether it is known to be MovieLens; a file of another name is then told by its first line.
        work: Where the movies are written as Parquet.

    Raises:
        GenRecError: The file of movies has lines of another shape.
    """
    if path.is_dir():
        data = next((path / name for name in _ITEM_FILES if (path / name).is_file()), None)
    else:
        data = path if path.is_file() else None
    kind = _kind(data, sure) if data else None
    if data is None or kind is None:
        return None
    items = data.parent / _ITEM_FILES[kind]
    if not items.is_file():
        # A ratings.csv alone may be anybody's; its columns are guessed as those of any CSV file.
        return _layout(kind, data, None) if sure or kind != "ratings.csv" else None
    return _layout(kind, data, _write_items(list(_MOVIES[kind](items)), work))


def recbole_movielens_layout(data: Path, items: Path, work: Path) -> Layout:
    """MovieLens 100K as RecBole distributes it, with the titles as GroupLens has them: "Toy Story (1995)"."""
    movies = []
    for line in items.read_text(encoding="utf-8").splitlines()[1:]:
        item, title, year, genres = line.split("\t")
        # RecBole cut the last parenthesis off the title; the one film without any became "unkonwn".
        whole = "unknown" if title == "unkonwn" else f"{title} ({year})"
        movies.append((item, whole, genres.split(" ")))
    return Layout(data, _write_items(movies, work))


def _kind(data: Path, sure: bool) -> str | None:
    """Which file of ratings this is, by its name, or by its first line."""
    first = next(iter(head_lines(data, 1)), "")
    if data.name == "ratings.csv":
        return data.name if sure or first == _CSV_HEADER else None
    if data.name in _ITEM_FILES or not sure:
        return data.name if data.name in _ITEM_FILES else None
    return "ratings.dat" if "::" in first else "ratings.csv" if "," in first else "u.data"


def _layout(kind: str, data: Path, items: Path | None) -> Layout:
    header = () if kind == "ratings.csv" else _HEADER
    return Layout(data, items, header, "tsv" if kind == "u.data" else "csv")


def _u_item(path: Path) -> Iterator[Movie]:
    # The file is Latin-1 and has no header.
    for fields in _fields(path, "|", 5 + len(_GENRES), "latin-1"):
        yield fields[0], fields[1], [genre for genre, flag in zip(_GENRES, fields[5:], strict=True) if flag == "1"]


def _movies_dat(path: Path) -> Iterator[Movie]:
    try:
        path.read_text(encoding="utf-8")
        encoding = "utf-8"  # 10M
    except UnicodeDecodeError:
        encoding = "latin-1"  # 1M
    for item, title, genres in _fields(path, "::", 3, encoding):
        yield item, title, _split(genres)


def _movies_csv(path: Path) -> Iterator[Movie]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            if not row.get("movieId") or row.get("title") is None:
                raise GenRecError(f"{path} has a line without movieId and title: {list(row.values())[:3]}")
            yield row["movieId"], row["title"], _split(row.get("genres") or "")


_MOVIES: Final = {"u.data": _u_item, "ratings.dat": _movies_dat, "ratings.csv": _movies_csv}


def _fields(path: Path, mark: str, count: int, encoding: str) -> Iterator[list[str]]:
    """The lines of a file without a header, cut into exactly `count` fields."""
    for number, line in enumerate(path.read_text(encoding=encoding).splitlines(), 1):
        fields = line.split(mark)
        if len(fields) != count:
            raise GenRecError(f"{path} line {number} has {len(fields)} fields, {count} expected")
        yield fields


def _split(genres: str) -> list[str]:
    return [genre for genre in genres.split("|") if genre and genre != _NO_GENRES]


def _write_items(movies: list[Movie], work: Path) -> Path:
    """Movies as a Parquet file: item_id, title, attributes, release_year."""
    titles = [" ".join(title.split()) for _, title, _ in movies]
    years = [_YEAR.findall(title) for title in titles]
    table = pa.table(
        {
            ITEM_ID: pa.array([item for item, _, _ in movies], pa.string()),
            TITLE: pa.array(titles, pa.string()),
            ATTRIBUTES: pa.array([genres for *_, genres in movies], pa.list_(pa.string())),
            "release_year": pa.array([int(found[-1]) if found else None for found in years], pa.int32()),
        }
    )
    path = work / "movielens_items.parquet"
    pq.write_table(table, path)
    return path

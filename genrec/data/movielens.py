"""Folders of a known layout: MovieLens 100K as GroupLens publishes it, and RecBole's atomic files."""

import re
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from genrec.errors import GenRecError
from genrec.ids import ATTRIBUTES, ITEM_ID, TITLE

_GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
"""The flags at the end of each line of u.item, in their order (u.genre)."""
_U_DATA_HEADER = ("user_id", "item_id", "rating", "timestamp")
_YEAR = re.compile(r"\((\d{4})\)")


@dataclass(frozen=True)
class Layout:
    """The files that a folder stands for."""

    interactions: Path
    items: Path | None
    header: tuple[str, ...] = ()
    """The interactions' columns, where the file has no header."""


def read_layout(path: Path, format: str, work: Path) -> Layout | None:
    """Recognise a MovieLens folder, a u.data file or a folder of RecBole's files, or None.

    Raises:
        GenRecError: The folder's item file is damaged, or several logs lie in the folder.
    """
    if path.is_file() and (path.name == "u.data" if format == "auto" else format == "movielens"):
        return grouplens_layout(path, path.parent / "u.item", work)
    if not path.is_dir() or format not in ("auto", "movielens"):
        return None
    if (path / "u.data").is_file():
        return grouplens_layout(path / "u.data", path / "u.item", work)
    logs = sorted(path.glob("*.inter"))
    if len(logs) > 1:
        raise GenRecError(f"{path} holds several logs: {', '.join(log.name for log in logs)}; name one of them")
    if not logs:
        return None
    items = logs[0].with_suffix(".item")
    return Layout(logs[0], items if items.is_file() else None)


def grouplens_layout(data: Path, items: Path, work: Path) -> Layout:
    """MovieLens 100K's u.data and u.item; the items are rewritten as Parquet in `work`.

    Raises:
        GenRecError: u.item has lines of another shape.
    """
    if not items.is_file():
        return Layout(data, None, _U_DATA_HEADER)
    rows = []
    # The file is Latin-1 and has no header.
    for number, line in enumerate(items.read_text(encoding="latin-1").splitlines(), 1):
        fields = line.split("|")
        if len(fields) != 5 + len(_GENRES):
            raise GenRecError(f"{items} line {number} has {len(fields)} fields, {5 + len(_GENRES)} expected")
        genres = [genre for genre, flag in zip(_GENRES, fields[5:], strict=True) if flag == "1"]
        rows.append((fields[0], fields[1], genres))
    return Layout(data, _write_items(rows, work), _U_DATA_HEADER)


def recbole_movielens_layout(data: Path, items: Path, work: Path) -> Layout:
    """MovieLens 100K as RecBole distributes it, with the titles as GroupLens has them: "Toy Story (1995)"."""
    rows = []
    for line in items.read_text(encoding="utf-8").splitlines()[1:]:
        item, title, year, genres = line.split("\t")
        # RecBole cut the last parenthesis off the title; the one film without any became "unkonwn".
        whole = "unknown" if title == "unkonwn" else f"{title} ({year})"
        rows.append((item, whole, genres.split(" ")))
    return Layout(data, _write_items(rows, work))


def _write_items(rows: list[tuple[str, str, list[str]]], work: Path) -> Path:
    """Items as a Parquet file: item_id, title, attributes, release_year."""
    titles = [" ".join(title.split()) for _, title, _ in rows]
    years = [_YEAR.findall(title) for title in titles]
    table = pa.table(
        {
            ITEM_ID: pa.array([item for item, _, _ in rows], pa.string()),
            TITLE: pa.array(titles, pa.string()),
            ATTRIBUTES: pa.array([genres for *_, genres in rows], pa.list_(pa.string())),
            "release_year": pa.array([int(found[-1]) if found else None for found in years], pa.int32()),
        }
    )
    path = work / "movielens_items.parquet"
    pq.write_table(table, path)
    return path

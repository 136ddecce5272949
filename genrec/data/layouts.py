"""Folders, archives and files of a known layout: MovieLens, RecBole's atomic files, Yelp."""

import shutil
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Final

from genrec.data.movielens import FILES, Layout, movielens_layout
from genrec.errors import GenRecError

_YELP: Final = (
    ("yelp_academic_dataset_review.json", "yelp_academic_dataset_business.json"),
    ("review.json", "business.json"),
)


def read_layout(path: Path, format: str, work: Path) -> Layout | None:
    """Recognise MovieLens (a folder, a zip archive or a file), a folder of RecBole's files or of Yelp's, or None.

    Raises:
        GenRecError: The item file is damaged, or several logs lie in the folder.
    """
    if format in ("auto", "movielens"):
        if path.is_file() and zipfile.is_zipfile(path):
            folder = extract(path, FILES, work / "unpacked")
            return movielens_layout(folder, True, work) if any(folder.iterdir()) else None
        found = movielens_layout(path, format == "movielens", work) or _recbole(path)
        if found:
            return found
    return _yelp(path) if format in ("auto", "yelp") else None


def extract(archive: Path, names: Collection[str], folder: Path) -> Path:
    """Write those members of a zip archive that have one of the names, in whatever folder, into a new `folder`.

    Raises:
        GenRecError: The archive is damaged.
    """
    folder.mkdir()
    try:
        with zipfile.ZipFile(archive) as source:
            for member in source.infolist():
                name = member.filename.rpartition("/")[2]
                if name in names:
                    with source.open(member) as content, (folder / name).open("xb") as file:
                        shutil.copyfileobj(content, file, 1 << 20)
    except (zipfile.BadZipFile, EOFError, FileExistsError) as error:
        raise GenRecError(f"{archive} is damaged ({error}); delete it and fetch it again") from error
    return folder


def _recbole(folder: Path) -> Layout | None:
    logs = sorted(folder.glob("*.inter")) if folder.is_dir() else []
    if len(logs) > 1:
        raise GenRecError(f"{folder} holds several logs: {', '.join(log.name for log in logs)}; name one of them")
    if not logs:
        return None
    items = logs[0].with_suffix(".item")
    return Layout(logs[0], items if items.is_file() else None)


def _yelp(folder: Path) -> Layout | None:
    for reviews, businesses in _YELP:
        if folder.is_dir() and (folder / reviews).is_file():
            items = folder / businesses
            return Layout(folder / reviews, items if items.is_file() else None, format="yelp")
    return None

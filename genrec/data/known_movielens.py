"""MovieLens by name, from GroupLens' server."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from genrec.data.download import UnreachableError, download, fetch_text, out_of_reach
from genrec.data.layouts import extract
from genrec.data.movielens import FILES, Layout, movielens_layout, recbole_movielens_layout
from genrec.errors import GenRecError
from genrec.files import sha256
from genrec.progress import Reporter

_SIZES: Final = ("100k", "1m", "10m", "20m", "25m", "32m")
MOVIELENS: Final = tuple(f"movielens-{size}" for size in _SIZES)

_BASE_URL = "https://files.grouplens.org/datasets/movielens"
_MD5 = {"movielens-100k": "0e33842e24a9c977be4e0107933c0723"}
"""Checksums known here; of the other archives the publisher's .md5 file is fetched beside the archive."""
_WHEEL = "recbole==1.2.1"
_WHEEL_NAME = "recbole-1.2.1-py3-none-any.whl"
_WHEEL_SHA256 = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
_WHEEL_FILES = ("ml-100k.inter", "ml-100k.item")
_PIP_SECONDS = 180
_TERMS = (
    "MovieLens (GroupLens, University of Minnesota): for research use; cite Harper and Konstan 2015, "
    "doi 10.1145/2827872; not to be redistributed without permission"
)


def fetch_movielens(name: str, folder: Path, work: Path, reporter: Reporter) -> Layout:
    """Fetch one of `MOVIELENS` into a cache folder and unpack it into `work`.

    MovieLens 100K also comes from the copy in a Python package, where its publisher cannot be reached.

    Raises:
        GenRecError: It cannot be reached, or what came is not what was published.
    """
    reporter.info(_TERMS)
    archive = folder / f"{name.replace('movielens', 'ml')}.zip"
    url = f"{_BASE_URL}/{archive.name}"
    has_copy = name == "movielens-100k"
    if has_copy and not archive.exists() and _is_wheel(folder / _WHEEL_NAME):
        return _from_wheel(folder / _WHEEL_NAME, work)
    try:
        return _from_zip(_archive(name, url, archive, reporter), work)
    except UnreachableError as error:
        reason = str(error)
    if has_copy:
        reporter.info(f"{url} cannot be reached ({reason}); trying the copy in the Python package {_WHEEL}")
        try:
            return _from_wheel(_download_wheel(folder), work)
        except UnreachableError as error:
            reason = f"{reason}; {error}"
    raise out_of_reach(name, reason, {url: archive})


def _archive(name: str, url: str, archive: Path, reporter: Reporter) -> Path:
    """The archive in the cache, held against its published checksum.

    Without a checksum in the cache, an archive was put there by hand; unpacking checks it.
    """
    if name in _MD5:
        return download(url, archive, "md5", _MD5[name], reporter)
    beside = archive.with_name(archive.name + ".md5")
    if archive.exists() and not beside.exists():
        return archive
    if not beside.exists():
        beside.write_text(_checksum(url + ".md5"))
    return download(url, archive, "md5", beside.read_text().strip(), reporter)


def _checksum(url: str) -> str:
    """The MD5 sum in a published .md5 file, which reads "MD5 (ml-1m.zip) = c4d9..." or "c4d9...  ml-1m.zip"."""
    text = fetch_text(url)
    found = re.search(r"\b[0-9a-f]{32}\b", text.lower())
    if not found:
        raise UnreachableError(f"{url} holds no MD5 sum but {text[:40]!r}")
    return found[0]


def _from_zip(archive: Path, work: Path) -> Layout:
    layout = movielens_layout(extract(archive, FILES, work / "unpacked"), True, work)
    if layout is None:
        raise GenRecError(f"{archive} holds no MovieLens ratings; delete it and fetch it again")
    return layout


def _from_wheel(wheel: Path, work: Path) -> Layout:
    folder = extract(wheel, _WHEEL_FILES, work / "unpacked")
    data, items = (folder / name for name in _WHEEL_FILES)
    return recbole_movielens_layout(data, items, work)


def _is_wheel(path: Path) -> bool:
    return path.is_file() and sha256(path) == _WHEEL_SHA256


def _download_wheel(folder: Path) -> Path:
    """Let pip fetch the package's wheel, which is opened as an archive: it is neither installed nor imported."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--retries", "1", "--timeout", "10", _WHEEL, "-d", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise UnreachableError(f"pip download {_WHEEL} took more than {_PIP_SECONDS} s") from error
    wheel = folder / _WHEEL_NAME
    if done.returncode or not wheel.is_file():
        last = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
        raise UnreachableError(f"pip download {_WHEEL} failed: {last}")
    if not _is_wheel(wheel):
        wheel.unlink()
        raise GenRecError(f"{_WHEEL_NAME} is not the published file: its SHA-256 differs; deleted, try again")
    return wheel

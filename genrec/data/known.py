"""Public datasets by name: fetched once, checked, and kept in a cache folder."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from genrec.data.download import UnreachableError, download
from genrec.data.movielens import Layout, grouplens_layout, recbole_movielens_layout
from genrec.errors import GenRecError
from genrec.files import sha256
from genrec.progress import Reporter

KNOWN: Final = {"movielens-100k": "movielens-100k", "ml-100k": "movielens-100k"}
"""Known names, and the dataset that each stands for."""

_ZIP_URL = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
_ZIP_MD5 = "0e33842e24a9c977be4e0107933c0723"
_WHEEL = "recbole==1.2.1"
_WHEEL_NAME = "recbole-1.2.1-py3-none-any.whl"
_WHEEL_SHA256 = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
_WHEEL_FOLDER = "recbole/dataset_example/ml-100k"
_PIP_SECONDS = 180
_TERMS = (
    "MovieLens 100K (GroupLens, University of Minnesota): for research use; cite Harper and Konstan 2015, "
    "doi 10.1145/2827872; not to be redistributed without permission"
)


def cache_folder(cache: Path | None) -> Path:
    """Where downloads are kept: `cache`, or $GENREC_CACHE, or ~/.cache/genrec.

    Raises:
        GenRecError: The folder cannot be made.
    """
    folder = cache or Path(os.environ.get("GENREC_CACHE") or Path.home() / ".cache" / "genrec")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GenRecError(f"cannot create the cache {folder}: {error.strerror}; set --cache") from error
    return folder


def fetch(name: str, cache: Path | None, work: Path, reporter: Reporter) -> Layout:
    """Fetch a known dataset, from its publisher or from the copy in a Python package, and unpack it.

    Raises:
        GenRecError: Neither can be reached, or what came is not what was published.
    """
    folder = cache_folder(cache)
    reporter.info(_TERMS)
    wheel = folder / _WHEEL_NAME
    archive = folder / _ZIP_URL.rpartition("/")[2]
    if not archive.exists() and wheel.is_file() and sha256(wheel) == _WHEEL_SHA256:
        return _from_wheel(wheel, work)
    try:
        return _from_zip(download(_ZIP_URL, archive, "md5", _ZIP_MD5, reporter), work)
    except UnreachableError as error:
        reason = str(error)
    reporter.info(f"{_ZIP_URL} cannot be reached ({reason}); trying the copy in the Python package {_WHEEL}")
    try:
        return _from_wheel(_download_wheel(folder), work)
    except UnreachableError as error:
        raise GenRecError(
            f"{name} cannot be downloaded: {reason}; {error}. Fetch {_ZIP_URL} on another machine, "
            f"put it at {archive}, and run the command again"
        ) from error


def _from_zip(archive: Path, work: Path) -> Layout:
    data, items = _extract(archive, ["ml-100k/u.data", "ml-100k/u.item"], work)
    return grouplens_layout(data, items, work)


def _from_wheel(wheel: Path, work: Path) -> Layout:
    names = [f"{_WHEEL_FOLDER}/ml-100k.inter", f"{_WHEEL_FOLDER}/ml-100k.item"]
    data, items = _extract(wheel, names, work)
    return recbole_movielens_layout(data, items, work)


def _extract(archive: Path, names: Sequence[str], work: Path) -> list[Path]:
    """Write members of a zip archive into `work`, without their folders."""
    paths = []
    try:
        with zipfile.ZipFile(archive) as source:
            for name in names:
                path = work / name.rpartition("/")[2]
                path.write_bytes(source.read(name))
                paths.append(path)
    except (zipfile.BadZipFile, KeyError) as error:
        raise GenRecError(f"{archive} is damaged ({error}); delete it and run the command again") from error
    return paths


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
    if sha256(wheel) != _WHEEL_SHA256:
        wheel.unlink()
        raise GenRecError(f"{_WHEEL_NAME} is not the published file: its SHA-256 differs; deleted, try again")
    return wheel

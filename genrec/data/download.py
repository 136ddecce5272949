"""One file over HTTP: with progress, resumed where it was cut, and checked."""

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from genrec.errors import GenRecError
from genrec.files import atomic_file
from genrec.progress import Reporter

_TIMEOUT: Final = 10.0
"""Seconds to wait for a connection and for each read; short, so that being offline shows at once."""
_TRIES: Final = 3
_CHUNK: Final = 1 << 16


class UnreachableError(Exception):
    """The server cannot be reached, refuses, or breaks off again and again."""


class _CutError(Exception):
    """The connection ended before the file did."""


def out_of_reach(name: str, reason: str, files: dict[str, Path]) -> GenRecError:
    """The error for a dataset that cannot be downloaded: which files to put where."""
    todo = ", fetch ".join(f"{url} on another machine, put it at {path}" for url, path in files.items())
    return GenRecError(f"{name} cannot be downloaded: {reason}. Fetch {todo}, and run the command again")


def download(url: str, target: Path, algorithm: str, checksum: str | None, reporter: Reporter) -> Path:
    """Fetch `url` to `target`, unless it is there already; a part left by an earlier try is completed.

    Args:
        url: What to fetch.
        target: Where to put it.
        algorithm: Of the checksum: md5, sha256.
        checksum: The published one; None where there is none: a file that is there counts, whoever put it there,
            unless it differs from what was fetched before, whose checksum is kept beside it.
        reporter: Receives progress.

    Raises:
        UnreachableError: The server cannot be reached, or the connection was cut three times.
        GenRecError: What came has another checksum.
    """
    beside = target.with_name(f"{target.name}.{algorithm}")
    known = checksum or (beside.read_text().strip() if beside.is_file() else None)
    if target.is_file() and known in (None, _digest(target, algorithm)):
        return target
    part = target.with_name(target.name + ".part")
    for attempt in range(_TRIES):
        try:
            _fetch(url, part, reporter)
            break
        except _CutError as error:
            if attempt + 1 == _TRIES:
                raise UnreachableError(f"{url}: {error}") from error
    found = _digest(part, algorithm)
    if checksum is None:
        with atomic_file(beside) as file:
            file.write_text(found + "\n")
    elif found != checksum:
        part.unlink()
        raise GenRecError(f"{url} is not the published file: its {algorithm} differs; nothing was kept, try again")
    part.replace(target)
    return target


def fetch_text(url: str) -> str:
    """The content of a small text file.

    Raises:
        UnreachableError: The server cannot be reached, or refuses.
    """
    with _told(), urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:
        return str(answer.read(_CHUNK).decode("utf-8", errors="replace"))


@contextmanager
def _told() -> Iterator[None]:
    """Turn what may go wrong with a connection into `UnreachableError`."""
    try:
        yield
    except urllib.error.HTTPError as error:
        raise UnreachableError(f"the server answers {error.code} {error.reason}") from error
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise UnreachableError(f"{type(error).__name__}: {error}") from error
    except urllib.error.URLError as error:
        raise UnreachableError(str(error.reason)) from error


def _fetch(url: str, part: Path, reporter: Reporter) -> None:
    """Append what is missing of `url` to `part`."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with _told():
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
                left = _append(answer, part, url, reporter)
        except urllib.error.HTTPError as error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
                part.unlink()  # the part is as long as the file or longer: begin anew
                raise _CutError("the server has no more of the file than is here") from error
            raise
        except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
            if part.exists() and part.stat().st_size > have:
                raise _CutError(f"the connection was cut: {error}") from error
            raise
    if left:
        raise _CutError(f"the connection was cut {left} bytes before the end")


def _append(answer: Any, part: Path, url: str, reporter: Reporter) -> int:
    """Write an answer to `part`, after what is there if the server goes on from it; how many bytes lack."""
    resumed = answer.status == http.HTTPStatus.PARTIAL_CONTENT
    length = answer.headers.get("Content-Length")
    left = int(length) if length else None
    with part.open("ab" if resumed else "wb") as file, reporter.task(f"Fetching {url}", left) as task:
        while chunk := answer.read(_CHUNK):
            file.write(chunk)
            task.advance(len(chunk))
            left = left - len(chunk) if left is not None else None
    return left or 0


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()

"""Files and folders: written whole or not at all, read with clear errors."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from genrec.errors import GenRecError, OutputExistsError
from genrec.ids import FORMAT_VERSION


def check_output(path: Path, force: bool) -> None:
    """Refuse an output that exists, unless `force`; call it before the long work starts.

    Raises:
        OutputExistsError: `path` exists and `force` is false.
        GenRecError: `path` cannot be created.
    """
    if os.path.lexists(path) and not force:
        raise OutputExistsError(path)
    parent = path.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GenRecError(f"cannot create the folder {parent} for the output: {error.strerror}") from error
    try:
        os.rmdir(tempfile.mkdtemp(dir=parent))  # noqa: PTH106
    except OSError as error:
        raise GenRecError(f"cannot write into {parent}: {error.strerror}; choose another output") from error


@contextmanager
def atomic_folder(path: Path, force: bool = False) -> Iterator[Path]:
    """Yield a temporary folder beside `path` that takes its place when the block ends without an error.

    Raises:
        OutputExistsError: `path` exists and `force` is false.
    """
    check_output(path, force)
    temporary = path.absolute().parent / f".{path.name}.{os.getpid()}.partial"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def replace(new: Path, path: Path) -> None:
    """Move `new` to `path`, deleting what stood there only once `new` has its place."""
    old = path.absolute().parent / f".{path.name}.{os.getpid()}.old"
    remove(old)
    if os.path.lexists(path):
        path.rename(old)
    new.rename(path)
    remove(old)


def remove(path: Path) -> None:
    """Delete a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path that is renamed to `path` when the block ends without an error."""
    temporary = path.absolute().parent / f".{path.name}.{os.getpid()}.partial"
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON, atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object written by genrec and check its format version.

    Raises:
        GenRecError: The file is missing, is no JSON object, or comes from a newer genrec.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise GenRecError(f"{path} does not exist") from error
    except (OSError, ValueError) as error:
        raise GenRecError(f"{path} is damaged or no JSON file: {error}; make the folder anew") from error
    if not isinstance(content, dict):
        raise GenRecError(f"{path} is damaged: it holds a {type(content).__name__}, not an object")
    version = content.get("format_version", FORMAT_VERSION)
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise GenRecError(
            f"{path} has format version {version}, this genrec reads up to {FORMAT_VERSION}; upgrade genrec"
        )
    return content


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe_files(folder: Path, names: list[str]) -> dict[str, dict[str, Any]]:
    """Size and checksum of files in `folder`: {name: {"sha256": ..., "bytes": n}}."""
    return {name: {"sha256": sha256(folder / name), "bytes": (folder / name).stat().st_size} for name in names}


def verify_sizes(folder: Path, files: dict[str, dict[str, Any]]) -> None:
    """Compare the sizes of files with what `describe_files` said when they were written.

    Raises:
        GenRecError: A file is missing or truncated.
    """
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            raise GenRecError(f"{path} is missing; make {folder} anew or copy it again")
        size = path.stat().st_size
        if size != expected["bytes"]:
            raise GenRecError(
                f"{path} is damaged: {size} bytes found, {expected['bytes']} expected; make or copy it again"
            )


def verify_files(folder: Path, files: dict[str, dict[str, Any]]) -> None:
    """Compare files with what `describe_files` said when they were written.

    Raises:
        GenRecError: A file is missing, truncated or changed.
    """
    verify_sizes(folder, files)
    for name, expected in files.items():
        if sha256(folder / name) != expected["sha256"]:
            raise GenRecError(f"{folder / name} is damaged: its checksum differs; make or copy {folder} again")

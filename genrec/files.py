"""Files and folders: written whole or not at all, read with clear errors."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from genrec.errors import GenRecError, OutputExistsError
from genrec.ids import FORMAT_VERSION
from genrec.leftovers import OLD, PARTIAL, claim, clear_leftovers


def check_output(path: Path, force: bool, inputs: Iterable[Path] = ()) -> None:
    """Clear what killed processes left of an output, and refuse one that exists, unless `force`.

    Call it before the long work starts.

    Args:
        path: The output.
        force: Whether to replace what stands there.
        inputs: Files and folders that are going to be read.

    Raises:
        OutputExistsError: `path` exists and `force` is false.
        GenRecError: `path` cannot be created, holds an input, or another thread is writing it.
    """
    clear_leftovers(path)
    if os.path.lexists(path) and not force:
        raise OutputExistsError(path)
    if path.name in ("", ".."):
        raise GenRecError(f"the output {path} has no name of its own; give a new one, {path / 'NAME'} say")
    check_apart(path, inputs)
    parent = path.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GenRecError(f"cannot create the folder {parent} for the output: {error.strerror}") from error
    try:
        with claim(path, PARTIAL) as probe:
            probe.mkdir()
    except OSError as error:
        raise GenRecError(f"cannot write into {parent}: {error.strerror}; choose another output") from error


def check_apart(output: Path, inputs: Iterable[Path]) -> None:
    """Refuse an output that is an input or holds one, which would be lost with what is replaced.

    Raises:
        GenRecError: It does.
    """
    place = output.resolve()
    for source in inputs:
        if source.resolve().is_relative_to(place):
            raise GenRecError(f"the output {output} would replace the input {source}; choose another output")


@contextmanager
def atomic_folder(path: Path, force: bool = False) -> Iterator[Path]:
    """Yield a temporary folder beside `path` that takes its place when the block ends without an error.

    Raises:
        OutputExistsError: `path` exists and `force` is false.
        GenRecError: `path` cannot be created, or another thread is writing it.
    """
    check_output(path, force)
    with claim(path, PARTIAL) as temporary:
        temporary.mkdir()
        yield temporary
        sync_tree(temporary)
        _replace(temporary, path)


def _replace(new: Path, path: Path) -> None:
    """Move `new` to `path`; the claim's end deletes what stood there, or puts it back if `new` did not come."""
    with claim(path, OLD) as old:
        if os.path.lexists(path):
            path.rename(old)
        new.rename(path)
        _sync(path.absolute().parent)


def remove(path: Path) -> None:
    """Delete a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path that is renamed to `path` when the block ends without an error.

    Raises:
        GenRecError: Another thread is writing the file.
    """
    with claim(path, PARTIAL) as temporary:
        yield temporary
        sync_tree(temporary)
        temporary.replace(path)


def sync_tree(path: Path) -> None:
    """Wait until the disk has a file, or a folder with all in it; renamed earlier, a power cut could empty it."""
    for found in (*path.rglob("*"), path):
        _sync(found)


def _sync(path: Path) -> None:
    if os.name != "posix":
        return  # Windows syncs neither folders nor what was opened for reading
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        # Some network file systems cannot sync folders.
        if not path.is_dir():
            raise
    finally:
        os.close(descriptor)


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
    except (OSError, ValueError, RecursionError) as error:
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

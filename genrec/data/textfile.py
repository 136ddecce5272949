"""Source files as bytes: line ends, and how many lines there are to account for."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genrec.errors import GenRecError

_CHUNK = 1 << 22
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_BLANK_LINE = re.compile(rb"^ *\r?\n", re.MULTILINE)
_LF, _SPACE = 10, 32


@dataclass(frozen=True)
class Lines:
    """What one pass over a text file tells."""

    count: int
    """Lines that are not blank."""
    blank: int
    """Lines of nothing but spaces."""
    leading_blank: int
    """Blank lines before the first other line."""
    quoted: bool
    """Whether a double quote occurs anywhere."""
    regular: bool
    """Whether all lines end alike, in LF or in CRLF."""


NO_LINES = Lines(0, 0, 0, False, True)
"""For files that have no lines."""


def check_file(path: Path) -> None:
    """Make sure that `path` is a readable file with something in it.

    Raises:
        GenRecError: It is missing, a folder, empty or not readable.
    """
    if not path.exists():
        raise GenRecError(f"{path} does not exist; give the path of an interaction log, or a known name")
    if path.is_dir():
        raise GenRecError(f"{path} is a folder; a file is wanted")
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise GenRecError(f"{path} is empty; a file with a header line and rows is wanted")
    except OSError as error:
        raise GenRecError(f"{path} cannot be read: {error.strerror}") from error


def scan_lines(path: Path) -> Lines:
    """Count a text file's lines in one pass.

    Raises:
        GenRecError: The file is UTF-16.
    """
    count = leading = ends = returns = pairs = 0
    blank = 0
    quoted = False
    for chunk in whole_lines(path):
        if not ends and chunk.startswith(_UTF16_MARKS):
            raise GenRecError(f"{path} is UTF-16 text; save it as UTF-8 and try again")
        if count == 0:
            leading += _leading_blank(chunk)
        lines, here = _count_lines(chunk)
        ends += chunk.count(b"\n") if not chunk.endswith(b"\n") else lines
        if b"\r" in chunk:
            returns += chunk.count(b"\r")
            pairs += chunk.count(b"\r\n")
        blank += here
        last = chunk[chunk.rfind(b"\n") + 1 :]
        count += lines - here - (bool(last) and not last.strip(b" "))
        quoted = quoted or b'"' in chunk
    return Lines(count, blank, leading, quoted, returns == 0 or returns == pairs == ends)


def regular_copy(path: Path, target: Path) -> Path:
    """Copy a text file so that every line ends in LF; DuckDB refuses files whose lines end in different ways."""
    with path.open("rb") as file:
        only_returns = not any(b"\n" in chunk for chunk in iter(lambda: file.read(_CHUNK), b""))
    with target.open("wb") as copy:
        for chunk in whole_lines(path):
            if only_returns:
                copy.write(chunk.replace(b"\r", b"\n"))
            else:
                # A lone CR among other line ends stands inside a value (pasted text), not at a line's end.
                copy.write(chunk.replace(b"\r\n", b"\n").replace(b"\r", b" "))
    return target


def head_lines(path: Path, count: int, limit: int = 1 << 20) -> list[str]:
    """The first lines of a text file that are not blank, without their ends and without a byte order mark."""
    with path.open("rb") as file:
        text = file.read(limit).decode("utf-8-sig", errors="replace")
    lines = [line for line in re.split(r"\r\n|\n|\r", text) if line.strip(" ")]
    return lines[:count]


def find_row(path: Path, row: int, skip: Collection[int]) -> tuple[int, int]:
    """Where the `row`-th line that is neither blank nor in `skip` (line numbers) stands.

    Returns:
        Its number among the lines that are not blank, and among all lines; all from 1.
    """
    filled = number = 0
    for chunk in whole_lines(path):
        lines, blank = _count_lines(chunk)
        skipped = sum(number < line <= number + lines for line in skip)
        if lines - skipped < row and not blank:  # the row is in no such chunk
            filled, number, row = filled + lines, number + lines, row - lines + skipped
            continue
        for line in chunk.splitlines(keepends=True):
            number += 1
            if line.strip(b" \r\n"):
                filled += 1
                row -= number not in skip
                if row == 0:
                    return filled, number
    return filled, number


def unreadable_lines(path: Path, longest: int, most: int) -> list[tuple[int, bytes]]:
    """The first `most` lines, with their numbers from 1, that are no UTF-8 or longer than `longest` bytes."""
    found: list[tuple[int, bytes]] = []
    number = 0
    for chunk in whole_lines(path):
        if len(chunk) <= longest and _is_utf8(chunk):
            number += chunk.count(b"\n")
            continue
        for line in chunk.splitlines(keepends=True):
            number += 1
            if len(line) > longest or not _is_utf8(line):
                found.append((number, line))
                if len(found) == most:
                    return found
    return found


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def whole_lines(path: Path) -> Iterator[bytes]:
    """Chunks of a file that end at line ends, so that no CRLF and no blank line is cut in two."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk + file.readline()


def _count_lines(chunk: bytes) -> tuple[int, int]:
    """Lines, the last perhaps without an end, and how many of them are blank."""
    content = np.frombuffer(chunk, np.uint8)
    ends = content == _LF
    after = content[1:][ends[:-1]]
    suspects = np.count_nonzero(after <= _SPACE)  # a line that begins with a space or ends at once may be blank
    blank = len(_BLANK_LINE.findall(chunk)) if suspects or chunk[:1] in (b"\n", b"\r", b" ") else 0
    return int(np.count_nonzero(ends)) + (not chunk.endswith(b"\n")), blank


def _leading_blank(chunk: bytes) -> int:
    found = 0
    position = 0
    while match := _BLANK_LINE.match(chunk, position):
        found += 1
        position = match.end()
    return found

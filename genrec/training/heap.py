"""glibc's heap, which keeps what torch has freed: tensors of many sizes leave holes that the next do not fit."""

import ctypes
import gc
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Of glibc's malloc.h."""

_KEPT = 256 * 2**20
"""Free bytes at the heap's end that are kept."""

_LARGE = 32 * 2**20
"""Bytes from which a tensor has pages of its own, which are returned with it; glibc takes no more."""


def share_one_heap() -> None:
    """Let threads allocate from one heap: with one each, glibc keeps twice as much memory."""
    if library := _glibc():
        library.mallopt(_M_ARENA_MAX, 1)


def keep_pages() -> None:
    """Keep freed memory for the next step: a step of a small model would spend a twentieth on page faults."""
    if library := _glibc():
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE)


def give_back() -> None:
    """Return the heap's free pages to the system; what is in use stays where it is.

    Pages that are needed again cost a page fault each, so this belongs between epochs, not between steps.
    """
    if library := _glibc():
        library.malloc_trim(0)


def forget() -> None:
    """Free what nothing holds any more, and return it.

    Trainers and their optimisers hold on to each other. To find that out takes as long as the process has objects,
    so this belongs between phases.
    """
    gc.collect()
    give_back()


def _glibc() -> ctypes.CDLL | None:
    """The C library, where it is one whose heap can be told something."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None

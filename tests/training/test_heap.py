"""Freed memory goes back to the system, where its allocator can be told to."""

import ctypes
import sys

import psutil
import pytest

from genrec.training.heap import give_back

PIECE, COUNT = 64 * 1024, 2000
"""Too small to be mapped one by one."""


@pytest.mark.skipif(sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="glibc's")
def test_holes_in_the_heap_are_given_back():
    library = ctypes.CDLL(None)
    library.malloc.restype, library.malloc.argtypes, library.free.argtypes = (
        ctypes.c_void_p,
        [ctypes.c_size_t],
        [ctypes.c_void_p],
    )
    pieces = [library.malloc(PIECE) for _ in range(COUNT)]
    for piece in pieces:
        ctypes.memset(piece, 1, PIECE)
    for piece in pieces[:-1]:  # the last keeps the heap from shrinking by itself
        library.free(piece)
    before = psutil.Process().memory_info().rss
    give_back()
    assert before - psutil.Process().memory_info().rss > PIECE * COUNT / 2
    library.free(pieces[-1])

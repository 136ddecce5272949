"""Freed memory goes back to the system, where its allocator can be told to."""

import ctypes
import subprocess
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


KEPT = """
import resource
from genrec.training.heap import keep_pages
import torch

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        tensors = [torch.ones(2**20) for _ in range(10)]  # 4 MB each
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

free = faults()
keep_pages()
faults()
print(free, faults())
"""


@pytest.mark.skipif(sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="glibc's")
def test_what_a_step_has_freed_the_next_one_takes_without_page_faults():
    """In a process of its own: the heap is told for good."""
    printed = subprocess.run([sys.executable, "-c", KEPT], capture_output=True, text=True, check=True).stdout
    free, kept = map(int, printed.split())
    assert kept < free / 4

"""Large blocks leave the process when they are freed: tried in another process, for it cannot be undone."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

TRY = """
import ctypes, sys
from bot.allocator import LARGE_BYTES, give_large_blocks_back

class Figures(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Figures
if sys.argv[1] == "ours":
    give_large_blocks_back()
bytearray(16 * LARGE_BYTES)  # freed at once: from this the C library learns, if it may
before = libc.mallinfo2().hblks
block = bytearray(2 * LARGE_BYTES)
print(libc.mallinfo2().hblks - before)
"""
HAS_GLIBC = sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallinfo2")


def mappings_for_a_large_block(how: str) -> int:
    found = subprocess.run([sys.executable, "-c", TRY, how], check=True, capture_output=True, timeout=60)
    return int(found.stdout)


@pytest.mark.skipif(not HAS_GLIBC, reason="only glibc keeps them, and tells")
def test_a_large_block_has_a_mapping_of_its_own_even_after_a_larger_one_was_freed():
    assert mappings_for_a_large_block("ours") == 1
    assert mappings_for_a_large_block("theirs") == 0

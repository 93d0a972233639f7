"""How the process's memory is kept small: sound in blocks of megabytes, and many connections at once."""

from __future__ import annotations

import asyncio.selector_events
import asyncio.sslproto
import ctypes
import sys
from typing import Final

LARGE_BYTES: Final = 256 * 1024
"""A block from this size on is a mapping of its own, which goes back to the system when it is freed. Samples
that are worked on piece by piece are smaller, whole takes are larger."""

ARENAS: Final = 1
"""Heaps, for all threads together. By default each has its own, and keeps the most that it ever needed. What
is small goes through Python's own allocator, so that threads seldom wait for each other here."""

TLS_BUFFER_BYTES: Final = 16 * 1024
"""What a connection reads at once: one record of TLS is no longer (RFC 8446, 5.1)."""

READ_BYTES: Final = 192 * 1024
"""What a connection without TLS reads at once: two seconds of sound, in a block below `LARGE_BYTES`."""

_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
# the numbers in glibc's malloc.h


def give_large_blocks_back() -> None:
    """Let blocks of `LARGE_BYTES` leave the process when they are freed, where the C library is glibc.

    By default glibc learns from the first such block to keep all later ones in its heap. Frames that wait
    for minutes come to lie between them, and a minute that waits costs ten times what its frames take.
    To be called before there are threads; nothing happens elsewhere than on Linux with glibc.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_M_ARENA_MAX, ARENAS)


def give_free_memory_back() -> None:
    """Give the system what lies free in the heap, where the C library is glibc; that takes some milliseconds.

    After fifty texts at once the process that makes sound has a hundred megabytes there.
    """
    if sys.platform != "linux":
        return
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)


def keep_read_buffers_small() -> None:
    """Let each connection made from now on read no more at once than it needs, not asyncio's 256 KiB.

    A hundred commands at once are a hundred connections to Discord, and a playing channel holds one for
    hours: with TLS each keeps its buffer. Without, a block of that size is had from the system for each read,
    and given back. The attributes are undocumented (Python 3.11 to 3.13): where there is none, nothing
    changes.
    """
    plain = getattr(asyncio.selector_events, "_SelectorTransport", None)
    for kind, size in ((asyncio.sslproto.SSLProtocol, TLS_BUFFER_BYTES), (plain, READ_BYTES)):
        if hasattr(kind, "max_size"):
            setattr(kind, "max_size", size)  # noqa: B010 - mypy knows of no such attribute

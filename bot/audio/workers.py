"""The threads in which sound is worked on.

They are few: every thread that wants Python's global lock makes the event loop wait for it up to 5 ms longer
(`sys.getswitchinterval`), and with two the work already goes on at a hundred times real time. What somebody
is listening to has threads of its own, so that a file of minutes never stands in its way.

They begin with the first work, and end with the interpreter: `concurrent.futures` waits then for the work
under way, which is a second at most. So there is nothing to be closed, whoever uses them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar

THREADS: Final = 2
"""For each kind of work: with as many as Python's default, 6 on two cores, the event loop came late by 82 ms
(p99) while 20 utterances were made, with two by 14 ms."""

_PIECES: Final = ThreadPoolExecutor(THREADS, thread_name_prefix="sound-piece")
_WHOLES: Final = ThreadPoolExecutor(THREADS, thread_name_prefix="sound-whole")

P = ParamSpec("P")
T = TypeVar("T")


async def run_realtime(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what ``work`` returns: a few milliseconds of it, on sound that is heard as it comes."""
    return await asyncio.get_running_loop().run_in_executor(_PIECES, partial(work, *args, **kwargs))


async def run_batch(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what ``work`` returns: work of any length, on a sound that is all there."""
    return await asyncio.get_running_loop().run_in_executor(_WHOLES, partial(work, *args, **kwargs))

"""The threads in which sound is worked on: one for what somebody listens to, one for everything else.

They are few: every thread that wants Python's global lock makes the event loop wait for it up to 5 ms longer
(`sys.getswitchinterval`), and with one the work already goes on at three hundred times real time. Whose
listener runs dry first comes first: so the first second of everybody is made before the tenth of anybody. A
file goes on while nobody has to wait for a sound, and then piece by piece.

They begin with the first work, and end with the interpreter: `concurrent.futures` waits then for the piece
under way, which is a moment. So there is nothing to be closed, whoever uses them.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final, Generic, ParamSpec, TypeVar

THREADS: Final = 1
"""For each kind of work: with as many as Python's default, 6 on two cores, the event loop came late by 82 ms
(p99) while 20 utterances were made, with two by 14 ms. Two on two cores do not make more than one."""

_AT_MOST_SECONDS: Final = 0.05  # so long a piece of a file waits for a lull; it is made in the end

P = ParamSpec("P")
T = TypeVar("T")

Pieces = Generator[None, None, T]
"""Work in pieces of some milliseconds, between which more urgent work is done; it returns what it made."""


@dataclass(order=True, slots=True)
class _Work(Generic[T]):
    due: float
    number: int
    pieces: Pieces[T] = field(compare=False)
    future: Future[T] = field(compare=False, default_factory=Future)
    is_begun: bool = field(compare=False, default=False)
    is_given_up: bool = field(compare=False, default=False)

    def go_on(self) -> bool:
        """Do one piece, unless nobody wants it any more; return whether there is another."""
        self.is_begun = self.is_begun or self.future.set_running_or_notify_cancel()
        if self.is_given_up or not self.is_begun:
            return False
        try:
            next(self.pieces)
        except StopIteration as end:
            self.future.set_result(end.value)
        except BaseException as error:
            self.future.set_exception(error)
        else:
            return True
        return False


class _Workers:
    """Workers on a heap of work, the most urgent first. Each piece awaits a ``lull`` for a moment."""

    def __init__(self, name: str, lull: threading.Event | None = None) -> None:
        self.has_nothing = threading.Event()
        self.has_nothing.set()
        self._lull = lull
        self._numbers = count()
        self._heap: list[_Work[Any]] = []
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=name)

    async def run(self, due: float, pieces: Pieces[T]) -> T:
        """Return what ``pieces`` return."""
        work = _Work(due, next(self._numbers), pieces)
        self._push(work)
        try:
            return await asyncio.wrap_future(work.future)
        except asyncio.CancelledError:
            work.is_given_up = True
            raise

    def _push(self, work: _Work[Any]) -> None:
        with self._lock:
            heappush(self._heap, work)
            self.has_nothing.clear()
        self._threads.submit(self._go_on)

    def _go_on(self) -> None:
        if self._lull is not None:
            self._lull.wait(_AT_MOST_SECONDS)
        with self._lock:
            work = heappop(self._heap)
        if work.go_on():
            self._push(work)
            return
        with self._lock:
            if not self._heap:
                self.has_nothing.set()


_REALTIME: Final = _Workers("sound-realtime")
_BATCH: Final = _Workers("sound-batch", _REALTIME.has_nothing)


class Deadline:
    """Deadline of one sound that is being made: in ``buffered`` seconds its listener has heard all."""

    def __init__(self, buffered: float = 0.0) -> None:
        self.runs_dry = time.monotonic() + buffered
        """When that will be, by this machine's clock; infinite when nobody listens."""

    @property
    def seconds_left(self) -> float:
        """For how many seconds there is something to be heard from now on."""
        return self.runs_dry - time.monotonic()

    def add(self, seconds: float) -> None:
        """Note that there is so much more to be heard."""
        self.runs_dry = max(self.runs_dry, time.monotonic()) + seconds

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what ``work`` returns, some milliseconds of work on this sound."""
        return await self._workers.run(self.runs_dry, _one_piece(work, *args, **kwargs))

    async def run_pieces(self, work: Callable[P, Pieces[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what the pieces of ``work`` on this sound return."""
        return await self._workers.run(self.runs_dry, work(*args, **kwargs))

    @property
    def _workers(self) -> _Workers:
        return _BATCH if math.isinf(self.runs_dry) else _REALTIME


async def run_realtime(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what ``work`` returns: a few milliseconds of it, on sound that is heard as it comes."""
    return await _REALTIME.run(time.monotonic(), _one_piece(work, *args, **kwargs))


async def run_batch(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what ``work`` returns: work of any length, on a sound that is all there."""
    return await _BATCH.run(time.monotonic(), _one_piece(work, *args, **kwargs))


async def run_batch_pieces(work: Callable[P, Pieces[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what the pieces of ``work`` return, work of any length on a sound that is all there."""
    return await _BATCH.run(time.monotonic(), work(*args, **kwargs))


def _one_piece(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Pieces[T]:
    return work(*args, **kwargs)
    yield

"""The clock of playing: one thread that lets every connection send its 20 ms, each at its time."""

from __future__ import annotations

import logging
import threading
import time
from array import array
from bisect import bisect_left
from queue import Empty, SimpleQueue
from typing import Final, Protocol

log = logging.getLogger(__name__)

FRAME_SECONDS: Final = 0.02
SLOTS: Final = 5
"""Into so many parts 20 ms are divided, so that a thousand connections do not all send at once."""

CATCH_UP_SECONDS: Final = 0.04
"""Lateness up to this is made good by sending at once; what exceeds it is skipped (see `FrameScheduler`)."""

IDLE_SECONDS: Final = 5.0
"""How long the thread waits for something to do before it ends."""

_FULL: Final = 64
"""Up to so many, which take half a millisecond, share a slot: to wake up costs more than to send."""

_KEPT: Final = 4096
_COMPLAIN_SECONDS: Final = 60.0


class Paced(Protocol):
    """Something to be called every 20 ms, in the scheduler's thread."""

    def tick(self) -> bool:
        """Do what is due, without waiting; return False when nothing is due until it is added again."""

    def fail(self, error: Exception) -> None:
        """Take in that it is not called any more, because `tick` raised or the scheduler was closed."""


LATENESS_BOUNDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, CATCH_UP_SECONDS, 0.08, 0.16, 0.32, 0.64)
"""Upper bounds, in seconds, of what the counts of `Lateness` tell apart."""


class Lateness:
    """The latenesses: after each slot, how late its last connection was, in seconds.

    The most recent are kept. Of all there are ``counts``, by `LATENESS_BOUNDS` and one for what is later
    still, and their ``sum``: one thread adds to them, any may read them.
    """

    def __init__(self) -> None:
        self._ring = array("d", bytes(8 * _KEPT))
        self._count = 0
        self.counts = [0] * (len(LATENESS_BOUNDS) + 1)
        self.sum = 0.0

    def note(self, seconds: float) -> None:
        """Keep one."""
        self._ring[self._count % _KEPT] = seconds
        self._count += 1
        self.counts[bisect_left(LATENESS_BOUNDS, seconds)] += 1
        self.sum += seconds

    def recent(self) -> list[float]:
        """Return what is kept, about 16 s at most, in no order."""
        return self._ring[: self._count].tolist()

    def clear(self) -> None:
        """Forget those that are kept."""
        self._count = 0


class FrameScheduler:
    """Calls everything that was added, each every 20 ms on one grid of time that does not drift.

    Its thread starts with the first addition and ends ``idle_seconds`` after nothing is left. Held up by a
    busy interpreter or machine for up to `CATCH_UP_SECONDS`, it makes up for it at once: two frames in a
    row, for which a listener's jitter buffer has room. When it is later than that, the lost time is
    skipped: everything goes on where it was, instead of in a burst that listeners would throw away.

    The first call comes at once. The second one falls on the grid, 20 ms later at most.

    With other ``frame_seconds`` than `FRAME_SECONDS` everything is called as often as that: no listener hears
    it as it should be heard, but what only has to be said whole is said sooner.
    """

    def __init__(self, *, idle_seconds: float = IDLE_SECONDS, frame_seconds: float = FRAME_SECONDS) -> None:
        self.lateness = Lateness()
        self.skipped_seconds = 0.0
        self._idle_seconds = idle_seconds
        self._frame_seconds = frame_seconds
        self._slot_seconds = frame_seconds / SLOTS
        self._arrivals: SimpleQueue[Paced | None] = SimpleQueue()
        self._lock = threading.Lock()  # of `_thread` alone: never held while anything is sent
        self._thread: threading.Thread | None = None
        self._slots: list[list[Paced]] = [[] for _ in range(SLOTS)]
        self._scheduled: set[Paced] = set()
        self._start = 0.0  # slot number n is due at _start + n * _slot_seconds
        self._number = 0  # of the next slot
        self._closing = False
        self._complained = float("-inf")

    def add(self, paced: Paced) -> None:
        """Call ``paced`` now, then every 20 ms; nothing happens if that is so already.

        Any thread may call this; it does not wait.
        """
        self._arrivals.put(paced)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="frame-scheduler", daemon=True)
                self._thread.start()

    def is_running(self) -> bool:
        """Return whether its thread lives."""
        return self._thread is not None

    @property
    def overdue_seconds(self) -> float:
        """For how long its thread has sent nothing of what was due; 0 while it does, or has nothing to do."""
        if not self._scheduled:
            return 0.0
        due = self._start + (self._number + SLOTS) * self._slot_seconds
        return max(0.0, time.perf_counter() - due)

    def close(self, timeout: float = 5.0) -> None:
        """Let everything that is left fail, and wait for the thread, ``timeout`` seconds at most."""
        with self._lock:
            thread = self._thread
        if thread is not None:
            self._arrivals.put(None)
            thread.join(timeout)

    def _run(self) -> None:
        while self._wait():
            due = self._start + self._number * self._slot_seconds
            slot = self._slots[self._number % SLOTS]
            self._number += 1
            leaving = self._call(slot)
            late = time.perf_counter() - due
            self.lateness.note(late)
            if leaving:
                self._remove(leaving, slot)
            if late > CATCH_UP_SECONDS:
                self._skip(late)

    def _call(self, slot: list[Paced]) -> list[Paced]:
        """Let everything in ``slot`` send; return what has nothing more to send."""
        leaving = []
        left = iter(slot)
        while True:
            try:
                for paced in left:
                    if not paced.tick():
                        leaving.append(paced)
            except Exception as error:  # whatever it is, it ends only this one; the loop goes on behind it
                leaving.append(paced)
                self._fail(paced, error)
            else:
                return leaving

    def _goes_on(self, paced: Paced) -> bool:
        try:
            return paced.tick()
        except Exception as error:  # whatever it is, it ends only this one
            self._fail(paced, error)
            return False

    def _fail(self, paced: Paced, error: Exception) -> None:
        try:
            paced.fail(error)
        except Exception:
            log.exception("a connection could not be told that its playing failed")

    def _remove(self, leaving: list[Paced], slot: list[Paced]) -> None:
        self._scheduled.difference_update(leaving)
        slot[:] = [paced for paced in slot if paced in self._scheduled]

    def _skip(self, late: float) -> None:
        self._start += late
        self.skipped_seconds += late
        now = time.perf_counter()
        if now - self._complained >= _COMPLAIN_SECONDS:
            self._complained = now
            log.warning(
                "playing was held up by %.0f ms, %.1f s in all: the machine is too busy. Give the bot "
                "more of it.",
                *(1000 * late, self.skipped_seconds),
            )

    def _wait(self) -> bool:
        """Wait until the next slot that is not empty is due; return False when the thread is to end."""
        while not self._closing:
            following = self._following()
            delay = self._idle_seconds
            if following is not None:
                delay = max(0.0, self._start + following * self._slot_seconds - time.perf_counter())
            if self._admit(delay):
                continue
            if following is not None:
                self._number = following
                return True
            if self._end_unless_wanted():
                return False
        self._give_up()
        return False

    def _following(self) -> int | None:
        """Return the number of the next slot with anything in it."""
        if not self._scheduled:
            return None
        numbers = range(self._number, self._number + SLOTS)
        return next(number for number in numbers if self._slots[number % SLOTS])

    def _admit(self, timeout: float) -> bool:
        """Find a place for the next arrival; return False if none comes within ``timeout`` seconds."""
        try:
            paced = self._arrivals.get(timeout=timeout)
        except Empty:
            return False
        if paced is None:
            self._closing = True
        elif paced not in self._scheduled and self._goes_on(paced):
            self._roomy_slot().append(paced)
            self._scheduled.add(paced)
        return True

    def _roomy_slot(self) -> list[Paced]:
        """Return the first slot that is not full, or else the emptiest."""
        if not self._scheduled:  # no grid to keep to: what begins now is due again in 20 ms
            self._number = 0
            self._start = time.perf_counter() + self._frame_seconds
        roomy = (slot for slot in self._slots if len(slot) < _FULL)
        return next(roomy, min(self._slots, key=len))

    def _end_unless_wanted(self) -> bool:
        with self._lock:
            if self._arrivals.empty():
                self._thread = None
                return True
        return False

    def _give_up(self) -> None:
        """End because we were closed."""
        left = list(self._scheduled)
        with self._lock:
            self._thread, self._closing = None, False
            while not self._arrivals.empty():
                paced = self._arrivals.get_nowait()
                if paced is not None and paced not in self._scheduled:
                    left.append(paced)
        self._scheduled.clear()
        self._slots = [[] for _ in range(SLOTS)]
        for paced in left:
            self._fail(paced, RuntimeError("the scheduler of playing was closed"))

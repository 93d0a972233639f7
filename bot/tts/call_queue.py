"""Call queue: how many calls the TTS gateway gets at once, which is learnt, and whose is next."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, nlargest
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from bot.errors import TTSUnreachableError
from bot.limits import CALLS_AT_ONCE_AT_FIRST, MAX_CALLS_AT_ONCE
from untrusted import strict_json

log = logging.getLogger(__name__)

_LEAST: Final = 2  # calls at once: one that hangs does not stop everything
_USED: Final = 0.8  # of the limit; with less under way an answer says nothing about it
_SLOW: Final = 3.0  # times the best: the TTS gateway only lets more of them wait
_CUT: Final = 0.7  # of what was under way remains after a refusal
_BEST_SECONDS: Final = 600.0  # so long a best answer counts; another model may be slower for good
_CEILING_SECONDS: Final = 60.0  # so long no more are tried than were under way beside a refused call
_OUTAGE_SECONDS: Final = 10.0  # without any answer it is not that too many come at once
_LENGTH_SECONDS: Final = 4.0  # answers are compared with those to texts of about the same length


class AdaptiveLimit:
    """Limit of calls under way at once, learnt from answers and refusals, between 2 and ``most``.

    It begins at ``start`` and grows by one per answer while it is used, until the first refusal, or an
    answer that takes three times the best. Then it falls to 0.7 of what was under way, but to no less than a
    half, once per round trip, and grows by one per so many answers as it is high. After an outage, in which
    nothing was answered for long, it is 0.7 of what it was before. ``is_settled``: it has fallen before.
    """

    def __init__(
        self,
        start: float = CALLS_AT_ONCE_AT_FIRST,
        most: int = MAX_CALLS_AT_ONCE,
        *,
        is_settled: bool = False,
    ) -> None:
        self._least = min(_LEAST, most)
        self._most = most
        self.value = min(max(start, self._least), most)
        """The limit itself; its whole part counts."""
        self.is_settled = is_settled
        self._cut_at = self._ceiling_until = -math.inf
        self._ceiling = 0
        self._best: dict[int, tuple[float, float]] = {}
        self._failing: tuple[float, float] | None = None  # since when nothing was answered; its value then

    @property
    def slots(self) -> int:
        """How many calls may be under way."""
        return int(self.value)

    def answered(self, began: float, now: float, under_way: int, seconds: float | None) -> None:
        """Note an answer, to a call for ``seconds`` of sound; None: how long it took means nothing.

        ``under_way`` counts this call too, here and below.
        """
        is_slow = seconds is not None and self._is_slow(now, now - began, seconds)
        if self._failing is not None and now - self._failing[0] > _OUTAGE_SECONDS:
            self.value = max(self.value, _CUT * self._failing[1])
            self._ceiling_until = -math.inf
        self._failing = None
        if under_way < _USED * self.slots:
            return
        if is_slow:
            self._cut(began, now, under_way)
        grown = self.value + (1 / self.value if self.is_settled else 1)
        most = max(self._ceiling, self._least) if now < self._ceiling_until else self._most
        self.value = max(self.value, min(grown, most + 0.99, self._most))

    def refused(self, began: float, now: float, under_way: int) -> None:
        """Note a refusal: fewer calls than those under way are taken at once."""
        is_used = under_way >= _USED * self.slots
        self._failing = self._failing or (now, self.value)
        self._cut(began, now, under_way)
        if is_used:
            self._ceiling, self._ceiling_until = under_way - 1, now + _CEILING_SECONDS
            self.value = max(self._least, min(self.value, self._ceiling))

    def unanswered(self, began: float, now: float, under_way: int) -> None:
        """Note that there was no answer; where many are under way, that may be because of them."""
        self._failing = self._failing or (now, self.value)
        if under_way >= _USED * self.slots:
            self._cut(began, now, under_way)

    def _cut(self, began: float, now: float, under_way: int) -> None:
        self.is_settled = True
        if began >= self._cut_at:  # what was sent before the last cut says nothing of how it is now
            self._cut_at = now
            self.value = max(self._least, min(self.value, max(_CUT * under_way, self.value / 2)))

    def _is_slow(self, now: float, took: float, seconds: float) -> bool:
        length = int(seconds / _LENGTH_SECONDS)
        best, since = self._best.get(length, (math.inf, now))
        if took < best or now - since > _BEST_SECONDS:
            self._best[length] = best, _ = took, now
        return took > _SLOW * best


_MAX_REMEMBERED: Final = 16  # TTS gateways
_MAX_FILE_BYTES: Final = 64 * 1024
_WRITTEN_EVERY_SECONDS: Final = 300.0


class LimitMemory:
    """Memory of the limit that was learnt of the TTS gateway at ``address``, in ``file``, over restarts."""

    def __init__(self, file: Path, address: str) -> None:
        self._file = file
        self._address = address

    def limit(self, start: float = CALLS_AT_ONCE_AT_FIRST, most: int = MAX_CALLS_AT_ONCE) -> AdaptiveLimit:
        """Return the limit that was learnt before, else one that begins at ``start``."""
        found = self._read().get(self._address)
        if found is None:
            return AdaptiveLimit(start, most)
        return AdaptiveLimit(found[0], most, is_settled=found[1])

    def write(self, value: float, *, is_settled: bool) -> None:
        """Remember a limit. What cannot be written is learnt again, and the log says so."""
        kept = self._read()
        kept.pop(self._address, None)
        newest = [*list(kept.items())[1 - _MAX_REMEMBERED :], (self._address, (value, is_settled))]
        draft = self._file.with_suffix(".new")
        try:
            draft.write_text(
                json.dumps({address: {"limit": round(n, 2), "settled": s} for address, (n, s) in newest}),
                encoding="utf-8",
            )
            draft.replace(self._file)
        except OSError as error:
            log.warning("%s cannot be written: %s. Check its disk and its owner.", self._file, error.strerror)

    def _read(self) -> dict[str, tuple[float, bool]]:
        """Return what is remembered, without what makes no sense."""
        try:
            with self._file.open("rb") as file:
                found = strict_json.parse(file.read(_MAX_FILE_BYTES))
        except (OSError, ValueError):
            return {}
        kept = {}
        for address, entry in found.items() if isinstance(found, dict) else ():
            limit = entry.get("limit") if isinstance(entry, dict) else None
            if isinstance(limit, int | float) and not isinstance(limit, bool) and limit >= 1:
                settled = isinstance(entry, dict) and entry.get("settled") is True
                kept[address] = float(min(limit, MAX_CALLS_AT_ONCE)), settled
        return kept


@dataclass(frozen=True, slots=True)
class CallPriority:
    """Whose call it is, and how urgent. ``account`` is the server, or the member where there is none.

    ``due`` is when, by the event loop's clock, whoever listens hears silence without it; infinite: nobody
    listens. ``is_first_sound``: they hear nothing at all yet.
    """

    account: int = 0
    member_id: int = 0
    due: float = math.inf
    is_first_sound: bool = False


@dataclass(frozen=True, slots=True)
class CallDeadlines:
    """Deadlines of calls, in seconds: one that takes far longer than is usual is ended."""

    known: float = 20.0
    """The least, once it is known how fast the TTS gateway is; a fetch from a slow place may be in it."""
    unknown: float = 90.0
    """While nothing is known: a model that nobody has used for long is loaded first."""
    times: float = 4.0
    """How much longer than expected, and than all but one of the last answers took."""


_DEADLINES: Final = CallDeadlines()
_ANSWERS: Final = 32  # whose times are remembered


class CallSlot:
    """Slot of one call at the TTS gateway, held in ``with``."""

    def __init__(self, queue: CallQueue, priority: CallPriority) -> None:
        self._queue = queue
        self.priority = priority
        self.began = 0.0
        self.ends = 0.0
        """When the call has taken far longer than is usual; later, when others take long meanwhile."""
        self.timeout: asyncio.Timeout | None = None
        """What ends it then."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.leave(self)

    def begin(self, expected: float | None = None) -> None:
        """Note that the call is sent now; ``expected`` is how many seconds it should take, None: unknown."""
        self.began = asyncio.get_running_loop().time()
        self.ends = self.began + self._queue.longest(expected)

    def extend(self, ends: float) -> None:
        """Let the call go on until ``ends``."""
        if ends > self.ends:
            self.ends = ends
            if self.timeout is not None and not self.timeout.expired():
                self.timeout.reschedule(ends)

    def answered(self, seconds: float | None) -> None:
        """Note that it was answered; for ``seconds`` see `AdaptiveLimit.answered`."""
        self._queue.note_answer(self, seconds)

    def refused(self, retry_after: float = 0.0) -> None:
        """Note that it was refused, and nobody is to come back for ``retry_after`` seconds."""
        self._queue.note_refusal(self, retry_after)

    def unanswered(self) -> None:
        """Note that nothing came back."""
        self._queue.note_silence(self)


class _WaitingCall:
    """A call that waits for a slot: ``admitted`` brings it, or None when everybody is sent away."""

    __slots__ = ("admitted", "is_gone", "number", "priority")

    def __init__(
        self, priority: CallPriority, number: int, admitted: asyncio.Future[CallSlot | None]
    ) -> None:
        self.priority = priority
        self.number = number
        self.admitted = admitted
        self.is_gone = False


IsFull = Callable[[int], bool]


class _RoundRobin:
    """Line in which accounts take turns, and the members of each account do."""

    def __init__(self) -> None:
        self._accounts: OrderedDict[int, OrderedDict[int, OrderedDict[_WaitingCall, None]]] = OrderedDict()

    def add(self, waiting: _WaitingCall) -> None:
        members = self._accounts.setdefault(waiting.priority.account, OrderedDict())
        members.setdefault(waiting.priority.member_id, OrderedDict())[waiting] = None

    def remove(self, waiting: _WaitingCall) -> None:
        account, member = waiting.priority.account, waiting.priority.member_id
        members = self._accounts[account]
        del members[member][waiting]
        if not members[member]:
            del members[member]
        if not members:
            del self._accounts[account]

    def take(self, is_full: IsFull) -> _WaitingCall | None:
        """Take out the next one whose account is not full."""
        account = next((account for account in self._accounts if not is_full(account)), None)
        if account is None:
            return None
        members = self._accounts[account]
        member = next(iter(members))
        waiting = next(iter(members[member]))
        members.move_to_end(member)
        self._accounts.move_to_end(account)
        self.remove(waiting)
        return waiting


class _EarliestDueFirst:
    """Line in which the call comes first whose listener would hear silence first."""

    def __init__(self) -> None:
        self._accounts: dict[int, list[tuple[float, int, _WaitingCall]]] = {}
        self._firsts: list[tuple[float, int, int]] = []  # of each account; what is no longer true is skipped
        self._gone = self._all = 0

    def add(self, waiting: _WaitingCall) -> None:
        heap = self._accounts.setdefault(waiting.priority.account, [])
        heappush(heap, (waiting.priority.due, waiting.number, waiting))
        self._all += 1
        if heap[0][2] is waiting:
            self._note_first(waiting.priority.account)

    def remove(self, waiting: _WaitingCall) -> None:
        waiting.is_gone = True
        self._gone += 1
        if self._gone > 32 and 2 * self._gone > self._all:  # whoever has left needs no memory
            self._rebuild()

    def take(self, is_full: IsFull, *, before: float = math.inf) -> _WaitingCall | None:
        """Take out the first that is due until ``before`` and whose account is not full."""
        passed_over, found = [], None
        while self._firsts and found is None and self._firsts[0][0] <= before:
            first = heappop(self._firsts)
            _, number, account = first
            heap = self._accounts.get(account)
            if heap is None or heap[0][1] != number:
                continue
            if not heap[0][2].is_gone and is_full(account):
                passed_over.append(first)
                continue
            waiting = heappop(heap)[2]
            self._all -= 1
            self._note_first(account)
            if waiting.is_gone:
                self._gone -= 1
            else:
                found = waiting
        for first in passed_over:
            heappush(self._firsts, first)
        return found

    def _note_first(self, account: int) -> None:
        heap = self._accounts[account]
        if heap:
            heappush(self._firsts, (heap[0][0], heap[0][1], account))
        else:
            del self._accounts[account]

    def _rebuild(self) -> None:
        for account, heap in list(self._accounts.items()):
            heap[:] = [entry for entry in heap if not entry[2].is_gone]
            heapify(heap)
            if not heap:
                del self._accounts[account]
        self._firsts = [(heap[0][0], heap[0][1], account) for account, heap in self._accounts.items()]
        heapify(self._firsts)
        self._gone, self._all = 0, sum(map(len, self._accounts.values()))


_SOON_SECONDS: Final = 10.0  # a listener who has more than this to hear has time
_OTHERS_EVERY: Final = 8  # slots go to first sounds, and one then to whoever waits behind them


class CallQueue:
    """Queue of all calls of the TTS gateway in this process; it lets so many through as its limit allows.

    First sounds come before later parts, those by when their listener would hear silence, and files in
    between. Accounts take turns, and members within them; while others wait no account gets more than half
    of the slots, and what it has beyond is not taken away. ``memory`` keeps the limit over restarts.
    """

    def __init__(
        self,
        limit: AdaptiveLimit | None = None,
        *,
        deadlines: CallDeadlines = _DEADLINES,
        memory: LimitMemory | None = None,
    ) -> None:
        self.limit = limit or AdaptiveLimit()
        self._deadlines = deadlines
        self._memory = memory
        self._written = (self.limit.value, -math.inf)
        self._writing: asyncio.Task[None] | None = None
        self._first_sounds, self._files, self._later = _RoundRobin(), _RoundRobin(), _EarliestDueFirst()
        self._waiting: dict[_WaitingCall, asyncio.TimerHandle | None] = {}
        self._waiting_of: Counter[int] = Counter()
        self._under_way: set[CallSlot] = set()
        self._held_by: Counter[int] = Counter()
        self._answers: deque[float] = deque(maxlen=_ANSWERS)
        self._admitted = 0
        self._numbers = count()
        self._paused_until = -math.inf
        self._waking: asyncio.TimerHandle | None = None
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return len(self._waiting)

    @property
    def under_way(self) -> int:
        """How many calls the TTS gateway has now."""
        return len(self._under_way)

    async def take(self, priority: CallPriority, *, delay: float = 0.0) -> CallSlot | None:
        """Return a slot, as soon as it is the turn of this call; None when everybody was sent away.

        It does not stand in line before ``delay`` seconds are over. Raises `TTSUnreachableError` when the
        queue is closed.
        """
        if self._is_closed:
            raise TTSUnreachableError("the client is closed")
        loop = asyncio.get_running_loop()
        waiting = _WaitingCall(priority, next(self._numbers), loop.create_future())
        if delay > 0:
            self._waiting[waiting] = loop.call_later(delay, self._stand_in_line, waiting)
        else:
            self._stand_in_line(waiting)
        try:
            return await waiting.admitted
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._drop(waiting)
            elif not waiting.admitted.cancelled() and (given := waiting.admitted.result()) is not None:
                self.leave(given)
            raise

    def send_all_away(self) -> None:
        """Wake everybody who waits, without a slot."""
        for waiting in list(self._waiting):
            self._drop(waiting)
            if not waiting.admitted.done():
                waiting.admitted.set_result(None)

    async def aclose(self) -> None:
        """Send everybody away for good, and remember the limit."""
        self._is_closed = True
        self.send_all_away()
        if self._waking is not None:
            self._waking.cancel()
        if self._writing is not None:
            await self._writing
        if self._memory is not None and self.limit.value != self._written[0]:
            await self._write(self._memory)

    def leave(self, slot: CallSlot) -> None:
        """Give up a slot."""
        self._under_way.discard(slot)
        self._held_by[slot.priority.account] -= 1
        if not self._held_by[slot.priority.account]:
            del self._held_by[slot.priority.account]
        self._admit()

    def note_answer(self, slot: CallSlot, seconds: float | None) -> None:
        """Note that the call of ``slot`` was answered."""
        now = asyncio.get_running_loop().time()
        self.limit.answered(slot.began, now, len(self._under_way), seconds)
        self._answers.append(now - slot.began)
        self._paused_until = -math.inf
        longest = self.longest(0.0)
        for other in self._under_way:
            if other is not slot:
                other.extend(other.began + longest)
        self._remember(now)

    def note_refusal(self, slot: CallSlot, retry_after: float) -> None:
        """Note that the call of ``slot`` was refused, and until when nobody is to come back."""
        now = asyncio.get_running_loop().time()
        self.limit.refused(slot.began, now, len(self._under_way))
        self._paused_until = max(self._paused_until, now + retry_after)
        self._remember(now)

    def note_silence(self, slot: CallSlot) -> None:
        """Note that nothing came back to the call of ``slot``."""
        self.limit.unanswered(slot.began, asyncio.get_running_loop().time(), len(self._under_way))

    def longest(self, expected: float | None) -> float:
        """Return how long a call may take that should take ``expected`` seconds."""
        usual = nlargest(2, self._answers)[-1] if self._answers else 0.0
        if expected is None and not usual:
            return self._deadlines.unknown
        return max(self._deadlines.known, self._deadlines.times * max(usual, expected or 0.0))

    def _stand_in_line(self, waiting: _WaitingCall) -> None:
        self._waiting[waiting] = None
        self._waiting_of[waiting.priority.account] += 1
        self._line_of(waiting.priority).add(waiting)
        self._admit()

    def _line_of(self, priority: CallPriority) -> _RoundRobin | _EarliestDueFirst:
        if priority.is_first_sound:
            return self._first_sounds
        return self._files if math.isinf(priority.due) else self._later

    def _drop(self, waiting: _WaitingCall) -> None:
        """Take one out that waits."""
        timer = self._waiting.pop(waiting)
        if timer is not None:
            timer.cancel()
            return
        self._line_of(waiting.priority).remove(waiting)
        self._note_gone(waiting.priority.account)

    def _note_gone(self, account: int) -> None:
        self._waiting_of[account] -= 1
        if not self._waiting_of[account]:
            del self._waiting_of[account]

    def _admit(self) -> None:
        """Let in whoever is next, as many as there is room for."""
        now = asyncio.get_running_loop().time()
        while self._waiting_of and len(self._under_way) < self.limit.slots:
            if now < self._paused_until:
                self._wake_at(self._paused_until)
                return
            waiting = self._next(now)
            if waiting is None:
                return
            del self._waiting[waiting]
            self._note_gone(waiting.priority.account)
            if waiting.admitted.done():  # cancelled in this very moment
                continue
            self._admitted += 1
            slot = CallSlot(self, waiting.priority)
            self._under_way.add(slot)
            self._held_by[waiting.priority.account] += 1
            waiting.admitted.set_result(slot)

    def _wake_at(self, when: float) -> None:
        if self._waking is not None:
            self._waking.cancel()
        self._waking = asyncio.get_running_loop().call_at(when, self._admit)

    def _next(self, now: float) -> _WaitingCall | None:
        first, later, files = self._first_sounds, self._later, self._files
        full = self._is_full
        match self._admitted % (2 * _OTHERS_EVERY):
            case 7:
                return files.take(full) or later.take(full) or first.take(full)
            case 15:
                return later.take(full) or files.take(full) or first.take(full)
        soon = now + _SOON_SECONDS
        return first.take(full) or later.take(full, before=soon) or files.take(full) or later.take(full)

    def _is_full(self, account: int) -> bool:
        others_wait = len(self._waiting_of) > 1
        return others_wait and self._held_by[account] >= math.ceil(self.limit.slots / 2)

    def _remember(self, now: float) -> None:
        """Write the limit down now and then, when it has become another one."""
        value, when = self._written
        has_changed = not 0.75 * value <= self.limit.value <= 1.25 * value
        is_writing = self._writing is not None and not self._writing.done()
        if self._memory and has_changed and now - when > _WRITTEN_EVERY_SECONDS and not is_writing:
            self._writing = asyncio.create_task(self._write(self._memory))

    async def _write(self, memory: LimitMemory) -> None:
        log.info("the TTS gateway gets up to %d calls at once now", self.limit.slots)
        self._written = self.limit.value, asyncio.get_running_loop().time()
        await asyncio.to_thread(memory.write, self.limit.value, is_settled=self.limit.is_settled)

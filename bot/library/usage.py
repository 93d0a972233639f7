"""Usage: how much speech the TTS gateway was asked for, by day, and the limits on it.

What a call may cost is reserved in front of it, in one statement: every counter of it goes up, or none.
Afterwards its true length takes the place of what was reserved. Speech that is kept from before is free.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Update, and_, bindparam, case, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot import metrics
from bot.errors import LibraryError, UsageLimitError
from bot.library.database import Database, count_up, insert_if_missing
from bot.library.tables import OutageRow, UsageRow
from bot.library.voice import Clock, new_id, utc_now
from bot.limits import RESERVATION_SECONDS, RESERVED_TIMES, USAGE_DAYS, USAGE_SHOWN_DAYS
from bot.models import Allowance, Asker

log = logging.getLogger(__name__)

_DAY, _HOUR, _CALL = "day", "hour", "call"
MINE, THE_SERVERS, EVERYBODYS = "yours", "the server's", "everybody's"
_REACHED: Final = {MINE: "You've", THE_SERVERS: "This server has", EVERYBODYS: "I've"}
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
COUNTS_FOR: Final = timedelta(days=3)
"""No day is longer, not even one in which a server has moved to another zone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorLimits:
    """Limits of whoever runs the bot, in seconds a day and calls an hour; 0 is none.

    ``member_seconds`` are those of a member in all servers, ``server_seconds`` those of a server, ``seconds``
    those of all. The day of all is UTC's.
    """

    member_seconds: int = 0
    server_seconds: int = 0
    seconds: int = 0
    calls_an_hour: int = 0


NO_LIMITS: Final = OperatorLimits()


@dataclass(frozen=True, slots=True)
class Day:
    """A day of a server, from its beginning to the beginning of the next one, in UTC."""

    began: datetime
    ends: datetime


def day_of(now: datetime, allowance: Allowance) -> Day:
    """Return the day in which ``now`` is, by a server's clocks. They may leave midnight out, or repeat it."""
    if allowance.long_day is not None and now < allowance.long_day[1]:
        return Day(*allowance.long_day)
    zone = _zone(allowance.zone)
    today = now.astimezone(zone).date()
    tomorrow = today + timedelta(days=1)
    ends = _beginning(tomorrow, zone)
    while ends <= now:  # a clock that was set back over midnight: it is today once more
        ends += timedelta(hours=1)
    return Day(_beginning(today, zone), ends)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):  # chosen on another machine, whose system knew it
        return ZoneInfo("UTC")


def _beginning(of: date, zone: ZoneInfo) -> datetime:
    """Return the first moment of a day; where there is no midnight, that in which the clocks were set."""
    return datetime(of.year, of.month, of.day, tzinfo=zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class _Counted:
    """A counter that goes up with a call until it ``ends``, how far it may, and whose limit that is."""

    period: str
    began: datetime
    guild_id: int = 0
    member_id: int = 0
    voice_id: str = ""
    ends: datetime = _NEVER
    seconds: int | None = None
    calls: int | None = None
    whose: str = ""
    is_shown: bool = True

    @property
    def key(self) -> str:
        began = self.began.strftime("%Y%m%dT%H%M")
        return f"{self.period}:{began}:{self.guild_id}:{self.member_id}:{self.voice_id}"

    @property
    def row(self) -> dict[str, Any]:
        who = {"guild_id": self.guild_id, "member_id": self.member_id, "voice_id": self.voice_id}
        return {"key": self.key, "period": self.period, "began_at": self.began, "counters": [], **who}

    def refusal(self) -> UsageLimitError:
        if self.seconds is None:
            reached = "I've made as much new speech as I may this hour."
        else:
            reached = f"{_REACHED[self.whose]} reached today's limit of {amount(self.seconds)} of new speech."
        told = f"{reached} I can make more <t:{int(self.ends.timestamp())}:R>."
        return UsageLimitError(told, is_members=self.whose == MINE)


def amount(seconds: float) -> str:
    """Return a length as people say it: seconds, and from two minutes on minutes."""
    whole = round(seconds)
    if whole < 120:
        return "1 second" if whole == 1 else f"{whole} seconds"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} minutes"


class Charge:
    """Charge for one call: what is reserved for it, until it is settled once."""

    def __init__(self, usage: Usage, key: str, counters: Sequence[str], milliseconds: int) -> None:
        self._usage = usage
        self.key = key
        self.counters = tuple(counters)
        self.milliseconds = milliseconds
        self._is_settled = False

    def settle(self, seconds: float | None = None, *, was_called: bool = True) -> None:
        """Count what the call really cost; None: as much as was reserved. Only the first time counts."""
        if self._is_settled:
            return
        self._is_settled = True
        real = self.milliseconds if seconds is None else max(0, round(1_000 * seconds))
        self._usage.settle(_Settled(self, real, int(was_called)))


@dataclass(frozen=True, slots=True)
class _Settled:
    charge: Charge
    milliseconds: int
    calls: int


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """How much of a limit is used: ``whose`` it is, and ``ends`` is when it begins anew."""

    whose: str
    used: float
    limit: int
    ends: datetime


@dataclass(frozen=True, slots=True)
class MemberUsage:
    """Seconds of one member today: ``here`` in this server, and how the limits stand that are on them."""

    here: float
    limits: tuple[LimitStatus, ...]
    ends: datetime


@dataclass(frozen=True, slots=True)
class ServerUsage:
    """Seconds of one server: by day, oldest first, and who and which voices used the most of them."""

    days: tuple[tuple[date, float], ...]
    calls: int
    members: tuple[tuple[int, float], ...]
    voices: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Budget:
    """How much all servers have together: ``seconds`` this day of UTC, ``calls`` this hour, and the limits.

    A limit of 0 is none.
    """

    seconds: float = 0.0
    most_seconds: int = 0
    calls: int = 0
    most_calls: int = 0


class Usage:
    """Usage of everybody, kept in the database, so that it is right over restarts and in several processes.

    An async context manager: left it has counted everything. What is settled is written a moment later, by
    itself; what cannot be written is tried again.
    """

    def __init__(
        self, database: Database, limits: OperatorLimits = NO_LIMITS, *, now: Clock = utc_now
    ) -> None:
        self._database = database
        self._limits = limits
        self._now = now
        self._settled: list[_Settled] = []
        self._writing: asyncio.Task[None] | None = None
        self.budget = Budget(most_seconds=limits.seconds, most_calls=limits.calls_an_hour)
        """What all servers had when `look` was called last, and what was settled here since."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writing is not None:
            await self._writing
        if self._settled:
            await self._write()

    # -- calls ------------------------------------------------------------------------------------

    async def reserve(self, asker: Asker, seconds: float, voice_id: str | None = None) -> Charge:
        """Reserve a call for speech of about ``seconds``, and return its charge.

        Raises `UsageLimitError` where a limit is in the way, and `LibraryError`.
        """
        now = self._now()
        milliseconds = max(1, round(1_000 * seconds))
        counted = self._counted(asker, now, voice_id)
        for one in counted:
            if one.seconds is not None and milliseconds > 1_000 * one.seconds > 0:
                raise UsageLimitError(
                    f"That's about {amount(seconds)} of speech, and the limit is {amount(one.seconds)} "
                    "a day. Try a shorter text.",
                    is_members=one.whose == MINE,
                )
        try:
            return await self._reserve(asker, counted, milliseconds, now)
        except UsageLimitError:
            await self._settle_all()  # what was reserved may be more than it was
        return await self._reserve(asker, counted, milliseconds, now)

    async def _reserve(
        self, asker: Asker, counted: Sequence[_Counted], milliseconds: int, now: datetime
    ) -> Charge:
        counters = [one.key for one in counted]
        charge = Charge(self, f"{_CALL}:{new_id()}", counters, milliseconds)
        cost = {"milliseconds": milliseconds, "calls": 1, "is_forgotten": False}
        who = _Counted(_CALL, now, asker.account, asker.member_id)
        rows = [{**one.row, **cost} for one in counted]
        rows.append({**who.row, **cost, "key": charge.key, "counters": counters})
        most = {one.key: 1_000 * one.seconds for one in counted if one.seconds is not None}
        calls = {one.key: one.calls for one in counted if one.calls is not None}
        try:
            await self._database.write_together(_reserve, _Reservation(rows, most, calls))
        except _FullError as error:
            refusing = [one for one in counted if one.key in error.keys]
            raise max(refusing, key=lambda one: one.ends).refusal() from None
        except asyncio.CancelledError:
            charge.settle(0.0, was_called=False)  # it may have been reserved
            raise
        return charge

    def _counted(self, asker: Asker, now: datetime, voice_id: str | None = None) -> list[_Counted]:
        """Return the counters of a call, each once, with the lowest limit on it."""
        limits, allowance = self._limits, asker.allowance
        here, utc = day_of(now, allowance), day_of(now, Allowance())
        hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        guild_id, member_id = asker.account, asker.member_id
        own, all_here = limits.member_seconds or None, limits.server_seconds or None
        mine, whole = allowance.seconds or None, limits.seconds or None
        twice = own and 2 * own
        found = [
            _Counted(_DAY, here.began, guild_id, member_id, "", here.ends, mine, whose=MINE),
            _Counted(_DAY, here.began, 0, member_id, "", here.ends, own, whose=MINE),
            # Servers whose days begin at other hours give a member no more than two days in one.
            _Counted(_DAY, utc.began, 0, member_id, "", utc.ends, twice, whose=MINE, is_shown=False),
            _Counted(_DAY, here.began, guild_id, 0, "", here.ends, all_here, whose=THE_SERVERS),
            _Counted(_DAY, utc.began, 0, 0, "", utc.ends, whole, whose=EVERYBODYS),
            _Counted(_HOUR, hour, ends=hour + timedelta(hours=1), calls=limits.calls_an_hour or None),
        ]
        if voice_id:
            found.append(_Counted(_DAY, here.began, guild_id, voice_id=voice_id, ends=here.ends))
        once: dict[str, _Counted] = {}
        for one in found:
            known = once.setdefault(one.key, one)
            if one.seconds is not None and (known.seconds is None or one.seconds < known.seconds):
                once[one.key] = one
        return list(once.values())

    def settle(self, settled: _Settled) -> None:
        """Write it soon; `Charge.settle` calls this."""
        self._settled.append(settled)
        self.budget = replace(
            self.budget,
            seconds=self.budget.seconds + settled.milliseconds / 1_000,
            calls=self.budget.calls + settled.calls,
        )
        if self._writing is None:
            self._writing = asyncio.create_task(self._write(), name="usage")

    async def _write(self) -> None:
        settled: list[_Settled] = []
        try:
            while self._settled:
                settled, self._settled = self._settled, []
                await self._database.write_together(_settle, settled)
                settled = []
        except LibraryError as error:
            self._settled = settled + self._settled
            log.error("%d calls are not counted yet: %s", len(self._settled), error)
        finally:
            self._writing = None

    async def _settle_all(self) -> None:
        """Settle everything now: what waits to be written, and what was reserved by a bot that was killed."""
        if self._writing is not None:
            await asyncio.shield(self._writing)
        if self._settled:
            await self._write()
        await self._release_stale()

    async def _release_stale(self) -> None:
        before = self._now() - timedelta(seconds=RESERVATION_SECONDS)
        stale = and_(UsageRow.period == _CALL, UsageRow.began_at < before)
        async with self._database.session() as session:
            gone = delete(UsageRow).where(stale)
            columns = (UsageRow.counters, UsageRow.milliseconds)
            found = await session.execute(
                gone.returning(*columns).execution_options(synchronize_session=False)
            )
            changes: Counter[str] = Counter()
            calls: Counter[str] = Counter()
            for counters, milliseconds in found.all():
                changes.update(dict.fromkeys(counters, -milliseconds))
                calls.update(dict.fromkeys(counters, -1))
            await _change(session, changes, calls)

    # -- looking ----------------------------------------------------------------------------------

    async def look(self) -> Budget:
        """Return what all servers have had by now, as the database knows it. Raises `LibraryError`."""
        now, limits = self._now(), self._limits
        nobody = Asker(0, 0)
        day, hour = (
            next(one for one in self._counted(nobody, now) if one.period == period and not one.member_id)
            for period in (_DAY, _HOUR)
        )
        async with self._database.reading() as session:
            found = select(UsageRow.key, UsageRow.milliseconds, UsageRow.calls)
            rows = await session.execute(found.where(UsageRow.key.in_([day.key, hour.key])))
            counted = {row.key: row for row in rows}
        made, called = counted.get(day.key), counted.get(hour.key)
        self.budget = Budget(
            made.milliseconds / 1_000 if made else 0.0,
            limits.seconds,
            called.calls if called else 0,
            limits.calls_an_hour,
        )
        return self.budget

    async def of_member(self, asker: Asker) -> MemberUsage:
        """Return what was made for a member today, and how the limits stand that they can meet."""
        now = self._now()
        counted = self._counted(asker, now)
        async with self._database.reading() as session:
            keys = [one.key for one in counted]
            sums = select(UsageRow.key, UsageRow.milliseconds).where(UsageRow.key.in_(keys))
            used = {row.key: row.milliseconds / 1_000 for row in await session.execute(sums)}
        limits = [
            LimitStatus(one.whose, used.get(one.key, 0.0), one.seconds, one.ends)
            for one in counted
            if one.seconds is not None and one.is_shown
        ]
        return MemberUsage(used.get(counted[0].key, 0.0), tuple(limits), counted[0].ends)

    async def of_server(self, guild_id: int, allowance: Allowance, *, top: int = 5) -> ServerUsage:
        """Return what was made in a server lately, in its last days, and for whom."""
        today = day_of(self._now(), allowance)
        since = today.began - timedelta(days=USAGE_SHOWN_DAYS - 1, hours=1)
        here = and_(UsageRow.guild_id == guild_id, UsageRow.period == _DAY, UsageRow.began_at >= since)
        async with self._database.reading() as session:
            rows = await session.execute(
                select(
                    *(UsageRow.began_at, UsageRow.member_id, UsageRow.voice_id),
                    *(UsageRow.milliseconds, UsageRow.calls),
                ).where(here, UsageRow.is_forgotten.is_(False))
            )
            found = rows.all()
        zone = _zone(allowance.zone)
        last = today.began.astimezone(zone).date()
        days = {last - timedelta(days=ago): 0.0 for ago in reversed(range(USAGE_SHOWN_DAYS))}
        members: Counter[int] = Counter()
        voices: Counter[str] = Counter()
        calls = 0
        for row in found:
            if row.voice_id:
                voices[row.voice_id] += row.milliseconds
            elif row.member_id:
                members[row.member_id] += row.milliseconds
            else:
                calls += row.calls
                on = row.began_at.astimezone(zone).date()
                if on in days:
                    days[on] += row.milliseconds / 1_000
        return ServerUsage(tuple(days.items()), calls, _most(members, top), _most(voices, top))

    # -- tidying ----------------------------------------------------------------------------------

    async def sweep(self) -> None:
        """Release what a bot that was killed has reserved, and delete what is too old."""
        await self._release_stale()
        now = self._now()
        old = or_(
            UsageRow.began_at < now - timedelta(days=USAGE_DAYS),
            and_(UsageRow.period == _HOUR, UsageRow.began_at < now - COUNTS_FOR),
            and_(UsageRow.is_forgotten, UsageRow.began_at < now - COUNTS_FOR),
        )
        async with self._database.session() as session:
            await session.execute(delete(UsageRow).where(old))

    # -- outages ----------------------------------------------------------------------------------

    async def outage_begins(self, what: str) -> bool:
        """Note that nothing can be made; return whether the operator has not been told of it yet."""
        async with self._database.session() as session:
            return await insert_if_missing(session, OutageRow, {"what": what, "began_at": self._now()})

    async def outage_ends(self, what: str) -> bool:
        """Note that an outage is over; return whether the operator was told of it."""
        async with self._database.session() as session:
            gone = delete(OutageRow).where(OutageRow.what == what).returning(OutageRow.what)
            found = await session.execute(gone.execution_options(synchronize_session=False))
            return bool(found.all())


class Reservations:
    """Reservations of one utterance, in the order of its parts: behind one that is refused there are none.

    A later part that is short enough would else be paid for, and never heard.
    """

    def __init__(self, usage: Usage | None, asker: Asker) -> None:
        self._usage = usage
        self._asker = asker
        self.turn = asyncio.Lock()
        """Held by the part that reserves, from the moment on at which it may be called for."""
        self._refusal: UsageLimitError | None = None

    async def reserve(self, seconds: float, voice_id: str | None) -> Charge | None:
        """Return the charge for a call of about so many seconds; None where nobody counts.

        To be called with the `turn`. Raises `UsageLimitError`.
        """
        if self._usage is None:
            return None
        if self._refusal is not None:
            raise UsageLimitError(str(self._refusal), is_members=self._refusal.is_members)
        try:
            return await self._usage.reserve(self._asker, RESERVED_TIMES * seconds, voice_id)
        except UsageLimitError as error:
            self._refusal = error
            metrics.budget_refused(is_members=error.is_members)
            raise


@dataclass(frozen=True, slots=True)
class _Reservation:
    """Rows to be added, and by key how far they may go: ``most`` milliseconds, and ``calls``."""

    rows: Sequence[dict[str, Any]]
    most: Mapping[str, int]
    calls: Mapping[str, int]


class _FullError(Exception):
    """The counters with these ``keys`` may not go up so far: nothing is counted."""

    def __init__(self, keys: Collection[str]) -> None:
        super().__init__()
        self.keys = keys


async def _reserve(session: AsyncSession, reservations: Sequence[_Reservation]) -> list[None]:
    """Reserve all of it, in one statement. Raises `_FullError` where that is too much for all together."""
    rows: dict[str, dict[str, Any]] = {}
    most: dict[str, int] = {}
    calls: dict[str, int] = {}
    for one in reservations:
        most.update(one.most)
        calls.update(one.calls)
        for row in one.rows:
            counted = rows.setdefault(row["key"], {**row, "milliseconds": 0, "calls": 0})
            counted["milliseconds"] += row["milliseconds"]
            counted["calls"] += row["calls"]
    # A row that is new takes whatever it is given; one call alone has been looked at before.
    full = {
        key
        for limits, what in ((most, "milliseconds"), (calls, "calls"))
        for key, limit in limits.items()
        if len(reservations) > 1 and rows[key][what] > limit
    }
    if not full:
        ordered = [rows[key] for key in sorted(rows)]  # in one order: nobody waits in a circle
        found = await count_up(session, UsageRow, ordered, {"milliseconds": most, "calls": calls})
        full = rows.keys() - found
    if full:
        raise _FullError(full)
    return [None] * len(reservations)


def _most(counted: Counter[Any], top: int) -> tuple[tuple[Any, float], ...]:
    return tuple((one, milliseconds / 1_000) for one, milliseconds in counted.most_common(top))


async def _settle(session: AsyncSession, groups: Sequence[Iterable[_Settled]]) -> list[None]:
    """Let what calls really cost take the place of what was reserved for them, if that still holds."""
    by_key = {one.charge.key: one for settled in groups for one in settled}
    connection = await session.connection()
    reserved = set((await connection.execute(_DELETE, {"keys": sorted(by_key)})).scalars())
    changes: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    for key, one in by_key.items():
        counts = key in reserved
        milliseconds = one.milliseconds - (one.charge.milliseconds if counts else 0)
        changes.update(dict.fromkeys(one.charge.counters, milliseconds))
        calls.update(dict.fromkeys(one.charge.counters, one.calls - (1 if counts else 0)))
    await _change(session, changes, calls)
    return [None] * len(groups)


async def _change(session: AsyncSession, milliseconds: Counter[str], calls: Counter[str]) -> None:
    """Change counters by so much, in the order in which others take them too; none falls below nothing."""
    changed = [
        {"of": key, "more": milliseconds[key], "called": calls[key]}
        for key in sorted(milliseconds.keys() | calls.keys())
        if milliseconds[key] or calls[key]
    ]
    if not changed:
        return
    connection = await session.connection()
    await connection.execute(_CHANGE, changed)


def _change_statement() -> Update:
    more, called = _USAGE.milliseconds + bindparam("more"), _USAGE.calls + bindparam("called")
    return (
        update(UsageRow.__table__)  # type: ignore[arg-type]
        .where(_USAGE.key == bindparam("of"))
        .values(milliseconds=case((more < 0, 0), else_=more), calls=case((called < 0, 0), else_=called))
    )


_USAGE: Final = UsageRow.__table__.c
_CHANGE: Final = _change_statement()
_DELETE: Final = (
    delete(UsageRow.__table__)  # type: ignore[arg-type]
    .where(_USAGE.key.in_(bindparam("keys", expanding=True)))
    .returning(_USAGE.key)
)
"""Built once, which takes as long as running them."""

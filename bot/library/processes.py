"""Processes of one bot that share a PostgreSQL: whose database it is, and who does what.

One of them does what is done for all, and each has some of the shards on lease, by the clock of the database.
On SQLite there is one process, which the lock on its data folder sees to.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from bot.errors import LibraryError, OtherDatabaseError
from bot.library.database import Database, upsert, upsert_all
from bot.library.recording_folder import write_whole
from bot.library.tables import (
    ApplicationRow,
    IdentifyBucketRow,
    OpenReplyRow,
    ProcessRow,
    ShardRow,
)
from bot.library.voice import new_id
from bot.library.withdrawal import CHANGES_CHANNEL

log = logging.getLogger(__name__)

# Names of locks, beside those of `Database.lock`; no server has them as its id.
_APPLICATION: Final = -4
_LEADER: Final = -5
_REGISTRATION: Final = -6

_ANSWER_SECONDS: Final = 5.0
"""A connection that says nothing for so long is given up, and its locks with it."""

_TURN_SECONDS: Final = 0.5
"""So often it is looked whether another process has done what one does at a time."""


class Processes:
    """This process among those that share its database. An async context manager: left, it leads no more."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._one_at_a_time = asyncio.Lock()
        self._leading: AsyncConnection | None = None
        self._connections = AsyncExitStack()
        self.stirred = asyncio.Event()
        """Set whenever another process says that something has changed."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._resign()

    async def claim(self, application_id: int) -> None:
        """Note that the database is this application's. Raises `OtherDatabaseError` if it is another's.

        With another token everything would be taken for left, and deleted some weeks later.
        """
        if self._database.is_sqlite:
            return
        async with self._database.session() as session:
            await self._database.lock(session, _APPLICATION)
            known = await session.scalar(select(ApplicationRow.id))
            if known is None:
                await session.execute(insert(ApplicationRow).values(id=application_id))
        if known not in (None, application_id):
            raise OtherDatabaseError(
                f"The database at DATABASE_URL belongs to the application {known}, and DISCORD_TOKEN is of "
                f"{application_id}. Check both. To let this application have it for good, delete the row "
                "of its table application."
            )

    async def leads(self) -> bool:
        """Return whether this process does what one does for all. Another does when this one has ended."""
        if self._database.is_sqlite:
            return True
        async with self._one_at_a_time:
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    return await self._still_leads() or await self._may_lead()
            except (LibraryError, TimeoutError, OSError):
                await self._resign()
                return False

    async def _still_leads(self) -> bool:
        if self._leading is None:
            return False
        try:
            return bool(await self._leading.scalar(select(1)))
        except Exception:  # however it broke, the lock is gone with it
            await self._resign()
            return False

    async def _may_lead(self) -> bool:
        connection = await self._connections.enter_async_context(self._database.connection())
        if await connection.scalar(select(func.pg_try_advisory_lock(_LEADER))):
            self._leading = connection
            return True
        await self._resign()
        return False

    async def _resign(self) -> None:
        self._leading = None
        connections = self._connections.pop_all()
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await connections.aclose()
        except Exception as error:
            log.debug("a connection ended badly: %r", error)

    @asynccontextmanager
    async def registering(self, record: Path) -> AsyncIterator[None]:
        """Have the turn of registering commands; ``record`` says then what the last one has written there.

        Afterwards the others know what it says. Raises `LibraryError`, and `OSError` for the file.
        """
        if self._database.is_sqlite:
            yield
            return
        async with self._database.connection() as connection:
            turn = select(func.pg_try_advisory_lock(_REGISTRATION))
            while not await connection.scalar(turn):  # noqa: ASYNC110 - another process has no event
                await asyncio.sleep(_TURN_SECONDS)
            async with self._database.reading() as session:
                known = await session.scalar(select(ApplicationRow.commands))
            if known is not None:
                await asyncio.to_thread(write_whole, record, known.encode())
            try:
                yield
            finally:
                await self._write_down(record)

    async def _write_down(self, record: Path) -> None:
        try:
            now = (await asyncio.to_thread(record.read_bytes)).decode("utf-8", "replace")
        except FileNotFoundError:
            return
        async with self._database.session() as session:
            await session.execute(update(ApplicationRow).values(commands=now))


LEASE_SECONDS: Final = 15.0
"""So long shards stay with a process that says nothing; then others take them."""

TURN_SECONDS: Final = 5.0
"""So often a process says that it lives."""

IDENTIFY_SECONDS: Final = 5.0
"""Between two shards of one bucket that identify themselves (Discord's documentation, Rate Limiting)."""

PROCESS_FILE: Final = "process.id"
"""A file in the folder of a process: one that comes back has its shards at once."""

_SHARDS: Final = -9
_IDENTIFY: Final = -10
_LEASE: Final = timedelta(seconds=LEASE_SECONDS)
_SPARE: Final = timedelta(seconds=0.25)
_ID: Final = re.compile(r"[\w-]{22}")
_ONLY: Final = "only"


@dataclass(frozen=True, slots=True)
class Turn:
    """What came of a turn: the shards this process ``held`` after it, and those whose session it opens now.

    ``taken`` are those of them that it has held since this turn, with the seconds since somebody had them;
    None: nobody ever had. A shard it ``inherits`` still has a holder, until the new session is there.
    ``others`` can take over what this process has.
    """

    held: frozenset[int]
    taken: Mapping[int, float | None]
    inherits: frozenset[int]
    others: int


class ShardLeases:
    """Leases of the shards of a bot, for the process with this ``process_id``. Raises `LibraryError`."""

    def __init__(self, database: Database, process_id: str) -> None:
        self._database = database
        self.process_id = process_id
        self._is_leaving = False
        self._had_a_turn = False
        self._patient_until: datetime | None = None

    async def open(self, recommended: int) -> int:
        """Return how many shards the bot has: as Discord has ``recommended``, or as running ones have it."""
        async with self._turn() as (session, now):
            others = select(ProcessRow.id).where(ProcessRow.until > now, ProcessRow.id != self.process_id)
            is_alone = await session.scalar(others) is None
            count = await session.scalar(select(ShardRow.count).limit(1))
            if count is None or (is_alone and count != recommended):
                count = recommended
                await session.execute(delete(ShardRow))
                session.add_all(ShardRow(id=number, count=count) for number in range(count))
            return count

    async def turn(self) -> Turn:
        """Say that this process lives, keep its shards, and take those that are nobody's, up to its share."""
        async with self._turn() as (session, now):
            await self._say_hello(session, now)
            living = list(await session.scalars(select(ProcessRow).where(ProcessRow.until > now)))
            shards = list(await session.scalars(select(ShardRow).order_by(ShardRow.id)))
            mine = [shard for shard in shards if shard.holder == self.process_id]
            for shard in mine:
                shard.until = now + _LEASE
            for shard in shards if self._is_leaving else ():
                if shard.heir == self.process_id:
                    shard.heir = shard.heir_until = None
            working = [one.id for one in living if not one.is_leaving]
            taken: dict[int, float | None] = {}
            if not self._is_leaving and (self._patient_until is None or now >= self._patient_until):
                most = math.ceil(len(shards) / len(working))
                for shard in [one for one in shards if _is_free(one, now, self.process_id)]:
                    if len(mine) < most:
                        taken[shard.id] = (now - shard.until).total_seconds() if shard.until else None
                        self._give(shard, now)
                        mine.append(shard)
                leaving = [one.id for one in living if one.is_leaving]
                self._become_heir(shards, len(mine), working, leaving, now)
            inherits = [one.id for one in shards if one.heir == self.process_id]
            held = frozenset(one.id for one in mine)
            others = len(set(working) - {self.process_id})
            return Turn(held, taken, frozenset(inherits) - held, others)

    async def inherit(self, shard_id: int) -> bool:
        """Return whether this process has a shard now, whose session is there; its holder lets go of it."""
        async with self._turn() as (session, now):
            shard = await session.get(ShardRow, shard_id)
            if shard is None or (
                self.process_id not in (shard.holder, shard.heir)
                and not _is_free(shard, now, self.process_id)
            ):
                return False
            self._give(shard, now)
            await self._stir(session)
            return True

    async def leave(self) -> None:
        """Say that this process is about to end, so that others open sessions for its shards."""
        self._is_leaving = True
        async with self._turn() as (session, now):
            await self._say_hello(session, now)
            await self._stir(session)

    async def release(self) -> None:
        """Have no shard any more: others take them at once."""
        async with self._turn() as (session, now):
            theirs = (ShardRow.holder == self.process_id, ShardRow.heir == self.process_id)
            await session.execute(update(ShardRow).where(theirs[0]).values(holder=None, until=now))
            await session.execute(update(ShardRow).where(theirs[1]).values(heir=None, heir_until=None))
            await session.execute(delete(ProcessRow).where(ProcessRow.id == self.process_id))
            await self._stir(session)

    async def wait_to_identify(self, bucket: int) -> None:
        """Return when a shard of this bucket may identify itself, whichever processes the others are in.

        While the database is away, none may.
        """
        wait = math.inf
        while wait > 0:
            try:
                wait = await self._time_of(bucket)
            except LibraryError as error:
                log.warning("a shard waits to identify itself: %s", error)
                wait = 1.0
            await asyncio.sleep(wait)

    async def _time_of(self, bucket: int) -> float:
        """Return the seconds until one of a bucket may identify itself; 0: now, and it is noted."""
        async with self._database.session() as session:
            await self._database.lock(session, _IDENTIFY)
            now = await _clock(session)
            free_at = await session.scalar(
                select(IdentifyBucketRow.free_at).where(IdentifyBucketRow.id == bucket)
            )
            if free_at is not None and free_at > now:
                return float((free_at - now).total_seconds())
            again = now + timedelta(seconds=IDENTIFY_SECONDS) + _SPARE
            await upsert(session, IdentifyBucketRow, {"id": bucket}, {"free_at": again})
            return 0.0

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[tuple[AsyncSession, datetime]]:
        """Enter a transaction of those that look at all shards, one after the other, with its time."""
        async with self._database.session() as session:
            await self._database.lock(session, _SHARDS)
            yield session, await _clock(session)

    async def _say_hello(self, session: AsyncSession, now: datetime) -> None:
        was_until = await session.scalar(select(ProcessRow.until).where(ProcessRow.id == self.process_id))
        if self._had_a_turn and was_until is not None and was_until < now:
            # The database was away, for all: whoever comes back first must not take what is the others'.
            self._patient_until = now + _LEASE
        self._had_a_turn = True
        values = {"until": now + _LEASE, "is_leaving": self._is_leaving}
        await upsert(session, ProcessRow, {"id": self.process_id}, values)
        await session.execute(delete(ProcessRow).where(ProcessRow.until < now - 20 * _LEASE))

    async def _stir(self, session: AsyncSession) -> None:
        await session.execute(select(func.pg_notify(CHANGES_CHANNEL, self.process_id)))

    def _give(self, shard: ShardRow, now: datetime) -> None:
        shard.holder, shard.until = self.process_id, now + _LEASE
        shard.heir = shard.heir_until = None

    def _become_heir(
        self,
        shards: Sequence[ShardRow],
        mine: int,
        working: Collection[str],
        leaving: Collection[str],
        now: datetime,
    ) -> None:
        """Ask for shards of those who are leaving, and of those who have more than their share."""
        most, least = math.ceil(len(shards) / len(working)), len(shards) // len(working)
        held = Counter(one.holder for one in shards if one.heir_until is None or one.heir_until <= now)
        for shard in shards:
            if shard.heir == self.process_id:
                shard.heir_until = now + _LEASE
                mine += 1
        for shard in sorted(shards, key=lambda one: -held[one.holder]):
            has_heir = shard.heir is not None and shard.heir_until is not None and shard.heir_until > now
            if has_heir or shard.holder in (None, self.process_id):
                continue
            is_too_many = shard.holder in leaving or held[shard.holder] > most
            if (is_too_many and mine < most) or (mine < least and held[shard.holder] > least):
                shard.heir, shard.heir_until = self.process_id, now + _LEASE
                held[shard.holder] -= 1
                mine += 1


def _is_free(shard: ShardRow, now: datetime, process_id: str) -> bool:
    """Return whether this process may take a shard: nobody has it, and nobody else is about to."""
    has_holder = shard.holder is not None and shard.until is not None and shard.until > now
    has_heir = shard.heir is not None and shard.heir_until is not None and shard.heir_until > now
    return not has_holder and (not has_heir or shard.heir == process_id)


async def _clock(session: AsyncSession) -> datetime:
    """Return the time by the clock of the database, which is the same for all."""
    now: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return now.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class OpenReply:
    """A reply that is still being made: the id of its interaction, and the token with which it is edited."""

    id: int
    token: str = field(repr=False)


class OpenReplies:
    """Replies that processes have begun and not finished, in the name of the one with this ``process_id``.

    None: it is the only one. Raises `LibraryError`.
    """

    def __init__(self, database: Database, process_id: str | None) -> None:
        self._database = database
        self._process_id = process_id or _ONLY

    async def update(self, begun: Sequence[OpenReply], ended: Sequence[int]) -> None:
        """Note which replies this process has begun, and which are over."""
        async with self._database.session() as session:
            if ended:
                await session.execute(delete(OpenReplyRow).where(OpenReplyRow.id.in_(ended)))
            rows = [{"id": one.id, "token": one.token, "process_id": self._process_id} for one in begun]
            await upsert_all(session, OpenReplyRow, rows)

    async def of_before(self) -> list[OpenReply]:
        """Return what this process had begun when it ended the last time: for its start."""
        async with self._database.reading() as session:
            theirs = select(OpenReplyRow).where(OpenReplyRow.process_id == self._process_id)
            return [OpenReply(row.id, row.token) for row in await session.scalars(theirs)]

    async def take_over(self) -> list[OpenReply]:
        """Return what processes had begun that are dead; from now on it is this one's to finish."""
        async with self._database.session() as session:
            living = select(ProcessRow.id).where(ProcessRow.until > await _clock(session))
            of_dead = (OpenReplyRow.process_id != self._process_id, OpenReplyRow.process_id.not_in(living))
            taken = update(OpenReplyRow).where(*of_dead).values(process_id=self._process_id)
            found = await session.execute(taken.returning(OpenReplyRow.id, OpenReplyRow.token))
            return [OpenReply(*row) for row in found]


def process_id_of(folder: Path) -> str:
    """Return the id of the process that has this folder; the next one that has it is the same to others."""
    path = folder / PROCESS_FILE
    try:
        found = path.read_text(encoding="ascii", errors="replace").strip()
        if _ID.fullmatch(found):
            return found
    except FileNotFoundError:
        pass
    except OSError as error:
        raise LibraryError(f"{path} cannot be read ({error.strerror}).") from error
    made = new_id()
    try:
        write_whole(path, f"{made}\n".encode())
    except OSError as error:
        raise LibraryError(f"{path} cannot be written ({error.strerror}).") from error
    return made

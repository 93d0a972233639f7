"""Changes that every process has to hear of at once: what was withdrawn in one falls silent in all.

Whoever withdraws something writes a row, and PostgreSQL tells the others of it. They read on from the last
row they know, after each word of it and after each break of the connection on which they are told. While
that is away they ask every half second; and while they cannot ask, nothing cloned is heard for long.
On SQLite there is one process, and nobody to tell.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import delete, func, insert, select

from bot.errors import LibraryError
from bot.library.database import Database
from bot.library.tables import ChangeRow
from bot.library.voice import new_id
from bot.library.withdrawal import Withdrawal, Withdrawals

log = logging.getLogger(__name__)

CHANNEL: Final = "myna_changes"
"""Where PostgreSQL tells of a change; what it says is which process made it."""

KEPT_FOR: Final = timedelta(hours=1)
"""Who was away for longer has to take everything for withdrawn that they still hold."""

_LOCK: Final = -7
"""For `Database.lock`: rows become visible in the order of their numbers, so that none is read past."""

_BEAT_SECONDS: Final = 5.0
"""So often the connection is asked whether it is still there; one that is cut off says nothing by itself."""

_ASK_SECONDS: Final = 0.5
_BLIND_SECONDS: Final = 10.0
"""So long something cloned may be heard of which nobody can say whether it was taken back meanwhile."""

_TELL_AGAIN_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 10.0, 10.0, 10.0, 10.0)


_BLIND: Final = Withdrawal((), is_final=False, is_blind=True)


class ChangeFeed:
    """Feed of the changes of all processes: those of this one are passed on, those of others announced.

    An async context manager: entered, it hears of everything from then on. With each it sets ``stirred``,
    also of what is told on the same channel by whoever has nothing to withdraw.
    """

    def __init__(self, database: Database, withdrawals: Withdrawals, *, stirred: asyncio.Event) -> None:
        self._database = database
        self._stirred = stirred
        self._withdrawals = withdrawals
        self._id = new_id()
        self._last = 0
        self._reading = asyncio.Lock()
        self._told = asyncio.Event()
        self._has_begun = asyncio.Event()
        self._knew_at = 0.0
        self._is_blind = False
        self._is_told_of_changes = True
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if not self._database.is_sqlite:
            async with self._database.reading() as session:
                self._last = await session.scalar(select(func.max(ChangeRow.id))) or 0
            self._knows()
            self._withdrawals.subscribe(self._pass_on, of_others=False)
            self._following = asyncio.create_task(self._follow(), name="changes")
            await self._has_begun.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait({self._following})

    # -- what happens here ------------------------------------------------------------------------

    async def _pass_on(self, withdrawal: Withdrawal) -> None:
        """Tell the others, however long that takes: what they hold of it would else be heard."""
        told = _Told.of(withdrawal)
        if not any((told.silent, told.recordings, told.speeches, told.members)):
            return
        for pause in _TELL_AGAIN_SECONDS:
            try:
                await self._write(asdict(told))
            except LibraryError as error:
                log.warning("other processes are not told yet of what was withdrawn: %s", error)
            else:
                return
            await asyncio.sleep(pause)
        log.error("other processes were not told of what was withdrawn; they ask before each new call")

    async def _write(self, body: dict[str, Any]) -> None:
        row = {"process_id": self._id, "made_at": func.now(), "body": body}  # by the clock of the database
        async with self._database.session() as session:
            await self._database.lock(session, _LOCK)
            await session.execute(insert(ChangeRow).values(**row))
            await session.execute(select(func.pg_notify(CHANNEL, self._id)))

    async def sweep(self) -> None:
        """Delete what everybody has heard of, or has to do without."""
        if not self._database.is_sqlite:
            async with self._database.session() as session:
                await session.execute(delete(ChangeRow).where(ChangeRow.made_at < func.now() - KEPT_FOR))

    # -- what happens elsewhere -------------------------------------------------------------------

    async def _follow(self) -> None:
        while True:
            try:
                await self._listen()
            except Exception as error:  # also what the driver raises by itself: this never ends
                if self._is_told_of_changes:
                    reason = error if isinstance(error, LibraryError) else type(error).__name__
                    log.warning(
                        "PostgreSQL doesn't notify this process of changes; it asks for them instead: %s",
                        reason,
                    )
            self._is_told_of_changes = False
            self._has_begun.set()
            with suppress(LibraryError, OSError, TimeoutError):
                async with asyncio.timeout(_BEAT_SECONDS):
                    await self._read_on()
            await self._look_whether_blind()
            await asyncio.sleep(_ASK_SECONDS)

    async def _listen(self) -> None:
        """Hear of changes for as long as the connection lasts; it ends with an error."""
        async with asyncio.timeout(_BEAT_SECONDS) as limit, self._database.connection() as connection:
            raw: Any = (await connection.get_raw_connection()).driver_connection
            await raw.add_listener(CHANNEL, self._hear)
            raw.add_termination_listener(lambda *_: self._told.set())
            while True:
                self._told.clear()
                await self._read_on()
                self._is_told_of_changes = True
                self._has_begun.set()
                limit.reschedule(asyncio.get_running_loop().time() + 2 * _BEAT_SECONDS)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._told.wait(), _BEAT_SECONDS)
                if raw.is_closed() or not self._told.is_set():
                    await connection.scalar(select(1))  # raises an error if it is broken

    def _hear(self, _connection: object, _pid: int, _channel: str, process_id: str) -> None:
        if process_id != self._id:
            self._stirred.set()
            self._told.set()

    async def _read_on(self) -> None:
        """Announce what others have withdrawn since the last time. Raises `LibraryError`."""
        async with self._reading:
            async with self._database.reading() as session:
                newer = select(ChangeRow).where(ChangeRow.id > self._last).order_by(ChangeRow.id)
                rows = list(await session.scalars(newer))
            if rows:
                self._last = rows[-1].id
            told = [_Told(**row.body).withdrawal() for row in rows if row.process_id != self._id]
            if self._seconds_away() >= KEPT_FOR.total_seconds() / 2:
                told.append(_BLIND)  # rows may have been deleted that were never read
            self._knows()
            await asyncio.gather(*map(self._withdrawals.announce_of_others, told))

    def _knows(self) -> None:
        self._knew_at = asyncio.get_running_loop().time()
        self._is_blind = False

    def _seconds_away(self) -> float:
        return asyncio.get_running_loop().time() - self._knew_at

    async def _look_whether_blind(self) -> None:
        if self._seconds_away() < _BLIND_SECONDS:
            return
        if not self._is_blind:
            log.warning("The database can't say what was withdrawn lately, so saved voices fall silent.")
        self._is_blind = True
        await self._withdrawals.announce_of_others(_BLIND)


@dataclass(frozen=True, slots=True)
class _Told:
    """A withdrawal as other processes hear of it: what they may hold of it, and nothing else."""

    silent: list[str]
    is_final: bool
    recordings: list[str]
    speeches: list[str]
    members: list[str]

    @classmethod
    def of(cls, withdrawal: Withdrawal) -> _Told:
        recordings = [*withdrawal.recordings]
        if withdrawal.is_final:
            recordings += [voice.recording for voice in withdrawal.voices]
        silent, speeches = withdrawal.silent_ids, list(withdrawal.speeches)
        return cls(silent, withdrawal.is_final, recordings, speeches, list(withdrawal.members))

    def withdrawal(self) -> Withdrawal:
        return Withdrawal(
            (),
            is_final=self.is_final,
            likenesses=self.silent,
            recordings=self.recordings,
            speeches=self.speeches,
            members=self.members,
        )

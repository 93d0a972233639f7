"""Processes of one bot that share a PostgreSQL: whose database it is, and what one of them does for all.

On SQLite there is one process, which the lock on its data folder sees to.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import LibraryError, OtherDatabaseError
from bot.library.database import Database
from bot.library.recording_folder import write_whole
from bot.library.tables import ApplicationRow
from bot.library.voice import new_id

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
        self.id = new_id()

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

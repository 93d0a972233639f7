"""What is kept of each server: its volume, where we are, whether cloning is on, when we left."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import select

from bot.errors import LibraryError, MemberError
from bot.library.database import Database, upsert
from bot.library.tables import GuildSettingsRow, VoiceRow
from bot.library.voice import Clock, Scope, utc_now
from bot.limits import FULL_VOLUME, MAX_VOLUME, MIN_VOLUME

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Kept:
    volume: int | None = None
    channel_id: int | None = None
    has_left: bool = False


_NOTHING: Final = _Kept()


class GuildSettings:
    """The settings of every server. Volume and channel are in memory, and in the database a moment later.

    An async context manager: entered it has read them, left it has written them. What cannot be written is an
    error in the log, and tried again with the next change and at the end.
    """

    def __init__(self, database: Database, *, now: Clock = utc_now) -> None:
        self._database = database
        self._now = now
        self._kept: dict[int, _Kept] = {}
        self._to_write: set[int] = set()
        self._writing: asyncio.Task[None] | None = None
        self.has_looked = False
        """Whether `present` was called: before that, a server said to be left may have taken the bot back."""

    async def __aenter__(self) -> Self:
        async with self._database.reading() as session:
            for row in await session.scalars(select(GuildSettingsRow)):
                self._kept[row.guild_id] = _of(row)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writing is not None:
            await self._writing
        if self._to_write:
            await self._write()

    def volumes(self) -> dict[int, int]:
        """Return the volume of every server where one was set."""
        return {guild_id: kept.volume for guild_id, kept in self._kept.items() if kept.volume is not None}

    def channels(self) -> dict[int, int]:
        """Return, by server, the voice channel we mean to be in."""
        return {guild_id: kept.channel_id for guild_id, kept in self._kept.items() if kept.channel_id}

    def remember_volume(self, guild_id: int, volume: int) -> None:
        """Keep the volume of a server, soon."""
        self._put(guild_id, volume=None if volume == FULL_VOLUME else volume)

    def remember_channel(self, guild_id: int, channel_id: int | None) -> None:
        """Keep where we mean to be in a server, soon; None: nowhere."""
        self._put(guild_id, channel_id=channel_id)

    async def cloning_is_on(self, guild_id: int) -> bool:
        """Return whether a moderator has turned cloning on here, as the database says now."""
        switch = select(GuildSettingsRow.cloning_on).where(GuildSettingsRow.guild_id == guild_id)
        async with self._database.reading() as session:
            return await session.scalar(switch) is True

    async def set_cloning(self, scope: Scope, on: bool, *, policy: int) -> None:
        """Turn cloning on, accepting this version of the policy, or off. `MemberError`: not a moderator."""
        if not scope.is_moderator:
            raise MemberError("Only moderators, who may manage this server, can turn cloning on or off.")
        accepted = {"cloning_policy": policy, "cloning_by": scope.member_id, "cloning_at": self._now()}
        await self._change(scope.guild_id, cloning_on=on, **accepted)
        self._kept.setdefault(scope.guild_id, _NOTHING)

    async def left(self, guild_id: int) -> None:
        """Note that the bot was removed from a server: what is kept of it is deleted in `LEFT_GUILD_DAYS`."""
        if not self._kept.get(guild_id, _NOTHING).has_left:
            await self._change(guild_id, left_at=self._now())
            self._kept[guild_id] = replace(self._kept.get(guild_id, _NOTHING), has_left=True)

    async def returned(self, guild_id: int) -> None:
        """Note that the bot is in a server again; what it knew of it stays."""
        if self._kept.get(guild_id, _NOTHING).has_left:
            await self._change(guild_id, left_at=None)
            self._kept[guild_id] = replace(self._kept[guild_id], has_left=False)

    async def present(self, guild_ids: Collection[int]) -> None:
        """Note in which servers the bot is: those it knows and is not in any more, it has left meanwhile."""
        async with self._database.reading() as session:
            in_servers = select(VoiceRow.guild_id).where(VoiceRow.guild_id != VoiceRow.owner_id).distinct()
            known = self._kept.keys() | set(await session.scalars(in_servers))
        for guild_id in known - set(guild_ids):
            await self.left(guild_id)
        for guild_id in known & set(guild_ids):
            await self.returned(guild_id)
        self.has_looked = True

    def forget(self, guild_id: int) -> None:
        """Know nothing of a server any more, whose row was deleted."""
        self._kept.pop(guild_id, None)
        self._to_write.discard(guild_id)

    async def _change(self, guild_id: int, **values: object) -> None:
        async with self._database.session() as session:
            await upsert(session, GuildSettingsRow, {"guild_id": guild_id}, values)

    def _put(self, guild_id: int, **values: Any) -> None:
        self._kept[guild_id] = replace(self._kept.get(guild_id, _NOTHING), **values)
        self._to_write.add(guild_id)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write(), name="guild-settings")

    async def _write(self) -> None:
        changed: set[int] = set()
        try:
            while self._to_write:
                changed, self._to_write = self._to_write, set()
                async with self._database.session() as session:
                    for guild_id in sorted(changed):
                        await upsert(session, GuildSettingsRow, {"guild_id": guild_id}, self._soon(guild_id))
        except LibraryError as error:
            self._to_write |= changed
            log.error("volume and channel of %d servers are not written yet: %s", len(changed), error)
        finally:
            self._writing = None

    def _soon(self, guild_id: int) -> dict[str, object]:
        kept = self._kept.get(guild_id, _NOTHING)
        return {"volume": kept.volume, "channel_id": kept.channel_id}


def _of(row: GuildSettingsRow) -> _Kept:
    volume = None if row.volume is None else min(max(row.volume, MIN_VOLUME), MAX_VOLUME)
    return _Kept(volume, row.channel_id, row.left_at is not None)

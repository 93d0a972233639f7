"""What is kept of each server: its volume, where we are, when we came, and what its moderators allow."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from functools import cache
from types import TracebackType
from typing import Any, Final, Self
from zoneinfo import available_timezones

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import LibraryError, MemberError
from bot.library.database import Database, insert_missing, upsert
from bot.library.tables import GuildSettingsRow, VoiceRow
from bot.library.usage import day_of
from bot.library.voice import Clock, Scope, utc_now
from bot.limits import FULL_VOLUME, MAX_RULED, MAX_VOLUME, MIN_VOLUME
from bot.models import Allowance, Shards

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRules:
    """Rules of a server's moderators on who may have how much said, and where.

    ``seconds_a_day`` is for each member, but for those with one of ``exempt_roles``. Without
    ``allowed_channels`` every channel is allowed.
    """

    seconds_a_day: int | None = None
    exempt_roles: frozenset[int] = frozenset()
    excluded_roles: frozenset[int] = frozenset()
    excluded_members: frozenset[int] = frozenset()
    allowed_channels: frozenset[int] = frozenset()
    time_zone: str = "UTC"
    day_began_at: datetime | None = field(default=None, repr=False)
    zone_from: datetime | None = field(default=None, repr=False)

    def permission_error(self, scope: Scope, channel_ids: Collection[int]) -> str | None:
        """Return why a member may have nothing said in a channel, or in a thread of it; None: they may."""
        if scope.member_id in self.excluded_members or scope.role_ids & self.excluded_roles:
            return "Moderators have turned me off for you in this server. Ask one of them."
        if self.allowed_channels and self.allowed_channels.isdisjoint(channel_ids):
            named = sorted(self.allowed_channels)[:_CHANNELS_NAMED]
            shown = ", ".join(f"<#{channel_id}>" for channel_id in named)
            return f"I can't be used in this channel. Try {shown}."
        return None

    def allowance_of(self, scope: Scope) -> Allowance:
        """Return how much new speech a member may have a day."""
        is_exempt = bool(scope.role_ids & self.exempt_roles)
        return Allowance(None if is_exempt else self.seconds_a_day, *self.days)

    @property
    def days(self) -> tuple[str, tuple[datetime, datetime] | None]:
        """When days begin here, as an `Allowance` says it."""
        if self.day_began_at is None or self.zone_from is None:
            return self.time_zone, None
        return self.time_zone, (self.day_began_at, self.zone_from)

    def in_zone(self, name: str, now: datetime) -> UsageRules:
        """Return them with days that begin at midnight in another zone, after a day that is longer once.

        Raises `MemberError` if there is no such zone.
        """
        zone = _zones().get(name.strip().casefold())
        if zone is None:
            raise MemberError("I don't know that time zone. Choose one from the list, such as Europe/Berlin.")
        if zone == self.time_zone:
            return self
        began = day_of(now, Allowance(None, *self.days)).began
        until = began
        while until < began + _WHOLE_DAY or until <= now:
            until = day_of(until, Allowance(zone=zone)).ends
        return replace(self, time_zone=zone, day_began_at=began, zone_from=until)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRules:
    """Rules of a server's moderators on how an answer with speech looks.

    ``quotes_text``: the beginning of what was said stands in it. ``sends_ogg``: its file is Ogg Opus, a tenth
    as large as the WAV it is otherwise.
    """

    quotes_text: bool = True
    sends_ogg: bool = False


_CHANNELS_NAMED: Final = 5
_WHOLE_DAY: Final = timedelta(hours=23)  # of a day in which clocks are set forward
_FILES_OF_THE_SYSTEM: Final = ("posix/", "right/", "localtime", "posixrules", "Factory")


@cache
def _zones() -> dict[str, str]:
    names = [name for name in available_timezones() if not name.startswith(_FILES_OF_THE_SYSTEM)]
    return {name.casefold(): name for name in names}


def zones_like(typed: str, most: int) -> list[str]:
    """Return the names of time zones in which these words are, those that begin with them first."""
    words = typed.strip().casefold().replace(" ", "_")
    found = [(not key.startswith(words), name) for key, name in _zones().items() if words in key]
    return [name for _, name in sorted(found)[:most]]


_USAGE_RULES: Final = [field.name for field in fields(UsageRules)]
_ANSWER_RULES: Final = [field.name for field in fields(AnswerRules)]
_COLUMNS: Final = GuildSettingsRow.__table__.columns
_OF_SERVERS: Final = select(
    _COLUMNS.guild_id, *(_COLUMNS[name] for name in (*_USAGE_RULES, *_ANSWER_RULES))
).where(_COLUMNS.guild_id.in_(bindparam("guild_ids", expanding=True)))
"""Built once, which takes as long as running it."""


async def _rules(session: AsyncSession, guild_ids: Sequence[int]) -> list[tuple[UsageRules, AnswerRules]]:
    rows = await session.execute(_OF_SERVERS, {"guild_ids": sorted(set(guild_ids))})
    found = {guild_id: _rules_of(values) for guild_id, *values in rows}
    return [found.get(guild_id, (UsageRules(), AnswerRules())) for guild_id in guild_ids]


def _rules_of(row: Sequence[Any]) -> tuple[UsageRules, AnswerRules]:
    values: dict[str, Any] = {
        name: frozenset(map(int, value)) if isinstance(value, list) else value
        for name, value in zip((*_USAGE_RULES, *_ANSWER_RULES), row, strict=True)
        if value is not None
    }
    usage, answers = (
        {name: values[name] for name in names if name in values} for names in (_USAGE_RULES, _ANSWER_RULES)
    )
    return UsageRules(**usage), AnswerRules(**answers)


@dataclass(frozen=True, slots=True)
class _Kept:
    volume: int | None = None
    channel_id: int | None = None


_NOTHING: Final = _Kept()
_ALL: Final = Shards()
_NOT_A_MODERATOR: Final = "Only moderators can do this. You need the permission Manage Server."


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
        self.shards = _ALL
        """The shards whose servers are this process's: of others nothing is written here."""
        self.looked_at: Shards | None = None
        """Of which `present` was told: a server of others said to be left may have taken the bot back."""

    async def __aenter__(self) -> Self:
        await self.read_anew(_ALL)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writing is not None:
            await self._writing
        if self._to_write:
            await self._write()

    async def read_anew(self, shards: Shards) -> None:
        """Know of the servers of these shards what the database says: another process had them until now."""
        columns = (GuildSettingsRow.guild_id, GuildSettingsRow.volume, GuildSettingsRow.channel_id)
        async with self._database.reading() as session:
            rows = (await session.execute(select(*columns))).all()
        for guild_id in filter(shards.hold, self._kept.keys() - self._to_write):
            self._kept[guild_id] = _NOTHING
        for guild_id, volume, channel_id in rows:
            if shards.hold(guild_id) and guild_id not in self._to_write:
                self._kept[guild_id] = _Kept(_within_limits(volume), channel_id)

    def forget_channels(self, shards: Shards) -> None:
        """Mean to be in no voice channel of these shards: that was too long ago."""
        for guild_id in filter(shards.hold, self.channels()):
            self._kept[guild_id] = replace(self._kept[guild_id], channel_id=None)
            self._write_soon(guild_id)

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
            raise MemberError(
                "Only moderators can turn cloning on or off. You need the permission Manage Server."
            )
        accepted = {"cloning_policy": policy, "cloning_by": scope.member_id, "cloning_at": self._now()}
        await self._change(scope.guild_id, cloning_on=on, **accepted)
        self._kept.setdefault(scope.guild_id, _NOTHING)

    async def rules(self, guild_id: int) -> tuple[UsageRules, AnswerRules]:
        """Return what moderators rule in a server, as the database says now."""
        return await self._database.read_together(_rules, guild_id)

    async def usage_rules(self, guild_id: int) -> UsageRules:
        """Return what moderators allow in a server, as the database says now."""
        return (await self.rules(guild_id))[0]

    async def set_answer_rules(self, scope: Scope, **changed: bool) -> AnswerRules:
        """Change how answers with speech look in a server, and return all of it.

        ``changed`` are fields of `AnswerRules`. Raises `MemberError` unless a moderator does it.
        """
        if not scope.is_moderator:
            raise MemberError(_NOT_A_MODERATOR)
        if changed:
            await self._change(scope.guild_id, **changed)
            self._kept.setdefault(scope.guild_id, _NOTHING)
        return (await self.rules(scope.guild_id))[1]

    async def set_usage_rules(self, scope: Scope, **changed: Any) -> UsageRules:
        """Change some of what moderators allow in a server, and return all of it. Raises `MemberError`.

        ``time_zone`` is a name; ``seconds_a_day`` None means no limit.
        """
        if not scope.is_moderator:
            raise MemberError(_NOT_A_MODERATOR)
        rules = await self.usage_rules(scope.guild_id)
        zone = changed.pop("time_zone", None)
        rules = replace(rules, **changed)
        if zone is not None:
            rules = await asyncio.to_thread(rules.in_zone, zone, self._now())  # it may read a folder
            changed |= dict.fromkeys(("time_zone", "day_began_at", "zone_from"))
        values = {name: getattr(rules, name) for name in changed}
        if any(isinstance(value, frozenset) and len(value) > MAX_RULED for value in values.values()):
            raise MemberError(f"A rule can name at most {MAX_RULED}.")
        kept = {
            name: [str(one) for one in sorted(value)] if isinstance(value, frozenset) else value
            for name, value in values.items()
        }
        await self._change(scope.guild_id, **kept)
        self._kept.setdefault(scope.guild_id, _NOTHING)
        return rules

    async def begin_welcome(self, guild_id: int) -> bool:
        """Note that this server is welcomed now; return False if it was before, also by another process."""
        never = (GuildSettingsRow.guild_id == guild_id, GuildSettingsRow.welcomed_at.is_(None))
        note = update(GuildSettingsRow).where(*never).values(welcomed_at=self._now())
        async with self._database.session() as session:
            await insert_missing(session, GuildSettingsRow, [{"guild_id": guild_id, "cloning_on": False}])
            noted = await session.scalar(note.returning(GuildSettingsRow.guild_id))
        self._kept.setdefault(guild_id, _NOTHING)
        return noted is not None

    async def undo_welcome(self, guild_id: int) -> None:
        """Note that the welcome could not be said, so that it may be tried again."""
        await self._change(guild_id, welcomed_at=None)

    async def left(self, guild_id: int) -> None:
        """Note that the bot was removed from a server: what is kept of it is deleted in `LEFT_GUILD_DAYS`."""
        await self._note_left([guild_id])

    async def returned(self, guild_id: int) -> None:
        """Note that the bot is in a server again; what it knew of it stays."""
        await self._note_returned([guild_id])

    async def present(self, guild_ids: Collection[int], shards: Shards = _ALL) -> None:
        """Note in which servers of these shards the bot is: of them it has left all others that it knows.

        Servers of other shards are not judged: another process may be in them.
        """
        async with self._database.reading() as session:
            in_servers = select(VoiceRow.guild_id).where(VoiceRow.guild_id != VoiceRow.owner_id).distinct()
            known = self._kept.keys() | set(await session.scalars(in_servers))
            known |= set(await session.scalars(select(GuildSettingsRow.guild_id)))
            were_left = select(GuildSettingsRow.guild_id).where(GuildSettingsRow.left_at.is_not(None))
            left = set(await session.scalars(were_left))
        await self._note_left(filter(shards.hold, known - left - set(guild_ids)))
        await self._note_returned(filter(shards.hold, left & set(guild_ids)))
        before = self.looked_at
        is_more = before is not None and before.count == shards.count
        self.looked_at = replace(shards, ids=shards.ids | before.ids) if before and is_more else shards

    def forget(self, guild_id: int) -> None:
        """Know nothing of a server any more, whose row was deleted."""
        self._kept.pop(guild_id, None)
        self._to_write.discard(guild_id)

    async def _note_left(self, guild_ids: Iterable[int]) -> None:
        now = self._now()
        for guild_id in guild_ids:
            self._kept.setdefault(guild_id, _NOTHING)
            unless_before = (GuildSettingsRow.guild_id == guild_id, GuildSettingsRow.left_at.is_(None))
            async with self._database.session() as session:
                await insert_missing(session, GuildSettingsRow, [{"guild_id": guild_id, "cloning_on": False}])
                await session.execute(update(GuildSettingsRow).where(*unless_before).values(left_at=now))

    async def _note_returned(self, guild_ids: Iterable[int]) -> None:
        here = GuildSettingsRow.guild_id.in_(list(guild_ids))
        async with self._database.session() as session:
            await session.execute(update(GuildSettingsRow).where(here).values(left_at=None))

    async def _change(self, guild_id: int, **values: object) -> None:
        async with self._database.session() as session:
            await upsert(session, GuildSettingsRow, {"guild_id": guild_id}, values)

    def _put(self, guild_id: int, **values: Any) -> None:
        if self.shards.hold(guild_id):
            self._kept[guild_id] = replace(self._kept.get(guild_id, _NOTHING), **values)
            self._write_soon(guild_id)

    def _write_soon(self, guild_id: int) -> None:
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


def _within_limits(volume: int | None) -> int | None:
    return None if volume is None else min(max(volume, MIN_VOLUME), MAX_VOLUME)

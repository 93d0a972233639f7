"""Which voice is meant when none is named: mine here, else the server's, else none yet."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import MemberError
from bot.library.clock import Clock, utc_now
from bot.library.database import Database
from bot.library.recordings import Recordings
from bot.library.scope import Scope
from bot.library.shelf import Shelf, is_usable, of_scope
from bot.library.tables import ChosenVoiceRow, GuildSettingsRow, VoiceRow
from bot.library.upsert import upsert
from bot.library.voice import NOBODY, Kind, NewVoice, Sharing, Voice
from bot.library.voice_rows import insert_voice, is_taken, load_voices

_FROZEN = "This voice is frozen here. Choose another one."
_NOT_SHARED = "Members could not use that voice. Share it with the whole server first: /voice share."
_NOT_MODERATOR = "Only moderators can choose the server's voice. Your own is chosen with /voice use."


class Choosing(Shelf):
    """The voices of every server, and who speaks with which."""

    def __init__(self, database: Database, recordings: Recordings, *, now: Clock = utc_now) -> None:
        super().__init__(database, now=now)
        self._recordings = recordings

    async def choose(self, scope: Scope, voice_id: str | None) -> None:
        """Make this voice the member's choice here; None: none. `MemberError` if they may not use it."""
        async with self._database.session() as session:
            await self._database.lock(session, scope.guild_id)
            if voice_id is None:
                mine = (
                    ChosenVoiceRow.guild_id == scope.guild_id,
                    ChosenVoiceRow.member_id == scope.member_id,
                )
                await session.execute(delete(ChosenVoiceRow).where(*mine))
                return
            voice = await of_scope(session, scope, voice_id)
            if not is_usable(scope, voice):
                raise MemberError(_FROZEN)
            await _choose(session, scope, voice.id)

    async def set_default(self, scope: Scope, voice_id: str | None) -> None:
        """Make this voice the server's; None: there is none. Moderators may, with one shared with all.

        Raises `MemberError` otherwise. Outside servers it is the same as `choose`.
        """
        if scope.is_private:
            await self.choose(scope, voice_id)
            return
        if not scope.is_moderator:
            raise MemberError(_NOT_MODERATOR)
        async with self._database.session() as session:
            await self._database.lock(session, scope.guild_id)
            if voice_id is not None:
                voice = await of_scope(session, scope, voice_id)
                if voice.is_frozen:
                    raise MemberError(_FROZEN)
                if voice.sharing is not Sharing.SERVER:
                    raise MemberError(_NOT_SHARED)
            await _set_default(session, scope.guild_id, voice_id)

    async def default_of(self, scope: Scope) -> Voice | None:
        """Return the server's default voice, if there is one that this member may use."""
        async with self._database.reading() as session:
            return await _default(session, scope)

    async def voice_for(self, scope: Scope) -> Voice | None:
        """Return what this member speaks with here when they name no voice; None: one has to be cast.

        A choice that they may not use any more, or that is frozen, counts as none.
        """
        async with self._database.reading() as session:
            chosen = (
                select(ChosenVoiceRow.voice_id)
                .where(ChosenVoiceRow.guild_id == scope.guild_id)
                .where(ChosenVoiceRow.member_id == scope.member_id)
            )
            found = await load_voices(
                session, VoiceRow.guild_id == scope.guild_id, VoiceRow.id == chosen.scalar_subquery()
            )
            mine = next((voice for voice in found if is_usable(scope, voice)), None)
            return mine or await _default(session, scope)

    async def cast(self, scope: Scope, new: NewVoice) -> Voice:
        """Return the server's house voice: ``new``, or the default that another first use has made meanwhile.

        Whoever speaks first may do this; the voice belongs to `NOBODY` and is shared with the server. A
        taken name gets a number. Outside servers it is the member's own, and their choice.
        """
        async with self._database.session() as session:
            await self._database.lock(session, scope.guild_id)
            known = await _default(session, scope)
            if known is not None:
                return known
            name = await _free_name(session, scope.guild_id, new.name)
            house = replace(new, name=name, kind=Kind.CAST, sharing=Sharing.SERVER)
            owner_id = scope.member_id if scope.is_private else NOBODY
            voice = await insert_voice(session, scope.guild_id, owner_id, house, self._now())
            await self._recordings.hold(session, new.recording)
            if scope.is_private:
                await _choose(session, scope, voice.id)
            else:
                await _set_default(session, scope.guild_id, voice.id)
        await self._recordings.saved(new.recording)
        self._index.put(voice)
        return voice


async def _choose(session: AsyncSession, scope: Scope, voice_id: str) -> None:
    key = {"guild_id": scope.guild_id, "member_id": scope.member_id}
    await upsert(session, ChosenVoiceRow, key, {"voice_id": voice_id})


async def _set_default(session: AsyncSession, guild_id: int, voice_id: str | None) -> None:
    await upsert(session, GuildSettingsRow, {"guild_id": guild_id}, {"default_voice_id": voice_id})


async def _default(session: AsyncSession, scope: Scope) -> Voice | None:
    default = select(GuildSettingsRow.default_voice_id).where(GuildSettingsRow.guild_id == scope.guild_id)
    found = await load_voices(
        session, VoiceRow.guild_id == scope.guild_id, VoiceRow.id == default.scalar_subquery()
    )
    return next((voice for voice in found if is_usable(scope, voice)), None)


async def _free_name(session: AsyncSession, guild_id: int, name: str) -> str:
    candidate, number = name, 1
    while await is_taken(session, guild_id, candidate):
        number += 1
        candidate = f"{name} {number}"
    return candidate

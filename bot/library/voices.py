"""Voices: saved, changed, counted, deleted. Finding is in `bot.library.shelf`, choosing in `choosing`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import MemberError, NameTakenError
from bot.library.choosing import Choosing
from bot.library.clock import Clock, utc_now
from bot.library.database import Database
from bot.library.names import check_name, name_key
from bot.library.recordings import Recordings
from bot.library.rights import Shared, may_change, may_delete, may_share
from bot.library.scope import Scope
from bot.library.shelf import of_scope
from bot.library.tables import VoiceRow
from bot.library.voice import Kind, NewVoice, Page, Sharing, Voice, VoiceName
from bot.library.voice_rows import (
    NAME_TAKEN,
    delete_voices,
    insert_voice,
    is_taken,
    set_members,
    unless_taken,
)
from bot.limits import (
    MAX_TRANSCRIPT_CHARS,
    MAX_VOICE_DESCRIPTION_CHARS,
    MAX_VOICE_MEMBERS,
    MAX_VOICES_PER_GUILD,
    MAX_VOICES_PER_MEMBER,
)

__all__ = ["Kind", "NewVoice", "Page", "Sharing", "Voice", "VoiceName", "Voices"]

_NOT_CHANGED = "Only its owner or a moderator can change this voice."
_NOT_DELETED = "Only its owner, a moderator, or whoever is heard in it can delete this voice."
_NOT_SHARED = "Only its owner can say who may use this voice."


async def _tell_nobody(voice: Voice) -> None:
    """Do nothing."""


class Voices(Choosing):
    """The voices of every server. What a member does needs a `Scope`; what they may not do is refused.

    ``deleted`` is called with each voice that was deleted here.
    """

    def __init__(
        self,
        database: Database,
        recordings: Recordings,
        *,
        deleted: Callable[[Voice], Awaitable[None]] = _tell_nobody,
        now: Clock = utc_now,
    ) -> None:
        super().__init__(database, recordings, now=now)
        self._deleted = deleted

    async def save(self, scope: Scope, new: NewVoice) -> Voice:
        """Return the new voice, kept under its name in the scope's server; its recording is kept already.

        Raises `MemberError`: the name is taken here or is none, or there are too many voices already.
        """
        new = replace(
            new,
            transcript=_checked(new.transcript, MAX_TRANSCRIPT_CHARS, "transcript"),
            description=_checked(new.description, MAX_VOICE_DESCRIPTION_CHARS, "description"),
            **_shared(scope, new.sharing, new.role_id, new.member_ids),
        )
        async with self._database.session() as session:
            await self._database.lock(session, scope.guild_id)
            await _find_room(session, scope)
            voice = await insert_voice(session, scope.guild_id, scope.member_id, new, self._now())
            await self._recordings.hold(session, new.recording)
        await self._recordings.saved(new.recording)
        self._index.put(voice)
        return voice

    async def check_place(self, scope: Scope, name: str) -> str:
        """Return the name as it will be shown, if `save` would take it now: before work is spent on a voice.

        Raises `MemberError` as `save` does.
        """
        name = check_name(name)
        async with self._database.reading() as session:
            await _find_room(session, scope)
            if await is_taken(session, scope.guild_id, name):
                raise NameTakenError(NAME_TAKEN)
        return name

    async def rename(self, scope: Scope, voice_id: str, name: str) -> Voice:
        """Return the voice under its new name. Owners and moderators may; `MemberError` otherwise."""
        name = check_name(name)
        async with self._database.session() as session:
            voice = await self._allowed(session, scope, voice_id, may_change, _NOT_CHANGED)
            async with unless_taken(session, scope.guild_id, name):
                await _change(session, voice, name=name, name_key=name_key(name))
        return self._changed(replace(voice, name=name))

    async def set_transcript(self, scope: Scope, voice_id: str, transcript: str | None) -> Voice:
        """Return the voice with what is said in its recording. Owners and moderators may."""
        said = _checked(transcript, MAX_TRANSCRIPT_CHARS, "transcript")
        async with self._database.session() as session:
            voice = await self._allowed(session, scope, voice_id, may_change, _NOT_CHANGED)
            await _change(session, voice, transcript=said)
        return self._changed(replace(voice, transcript=said))

    async def share(
        self,
        scope: Scope,
        voice_id: str,
        sharing: Sharing,
        *,
        role_id: int | None = None,
        member_ids: frozenset[int] = frozenset(),
    ) -> Voice:
        """Return the voice, shared anew. Its owner alone may; of a house voice, moderators."""
        shared = _shared(scope, sharing, role_id, member_ids)
        async with self._database.session() as session:
            voice = await self._allowed(session, scope, voice_id, may_share, _NOT_SHARED)
            voice = replace(voice, **shared)
            await _change(session, voice, sharing=voice.sharing.value, role_id=voice.role_id)
            await set_members(session, voice.id, voice.member_ids)
        return self._changed(voice)

    async def delete(self, scope: Scope, voice_id: str) -> Voice:
        """Delete a voice for good and return what it was. Owners, moderators, and whoever is heard in it may.

        Whoever is to hear of it is told, among them who wipes its recording from the disk.
        """
        async with self._database.session() as session:
            voice = await self._allowed(session, scope, voice_id, may_delete, _NOT_DELETED)
            await delete_voices(session, [voice.id])
        self.forget(voice.id)
        await self._deleted(voice)
        return voice

    async def used(self, voice_id: str) -> None:
        """Count one use. Of a voice that is gone by now, nothing."""
        async with self._database.session() as session:
            counted = {"uses": VoiceRow.uses + 1, "last_used_at": self._now()}
            await session.execute(update(VoiceRow).where(VoiceRow.id == voice_id).values(counted))
        self._index.used(voice_id)

    async def _allowed(
        self,
        session: AsyncSession,
        scope: Scope,
        voice_id: str,
        rule: Callable[[Scope, Shared], bool],
        otherwise: str,
    ) -> Voice:
        """Return the voice as it is and stays while this transaction changes it, if the rule allows that."""
        await self._database.lock(session, scope.guild_id)
        voice = await of_scope(session, scope, voice_id)
        if not rule(scope, voice):
            raise MemberError(otherwise)
        return voice

    def _changed(self, voice: Voice) -> Voice:
        self._index.put(voice)
        return voice


async def _change(session: AsyncSession, voice: Voice, **values: object) -> None:
    mine = (VoiceRow.guild_id == voice.guild_id, VoiceRow.id == voice.id)
    await session.execute(update(VoiceRow).where(*mine).values(**values))


async def _find_room(session: AsyncSession, scope: Scope) -> None:
    mine = func.count().filter(VoiceRow.owner_id == scope.member_id)
    counted = await session.execute(select(mine, func.count()).where(VoiceRow.guild_id == scope.guild_id))
    of_member, of_guild = counted.one()
    if of_member >= MAX_VOICES_PER_MEMBER:
        raise MemberError(
            f"You have {MAX_VOICES_PER_MEMBER} voices here, and that is the most. Delete one first: "
            "/voice delete."
        )
    if of_guild >= MAX_VOICES_PER_GUILD:
        raise MemberError(
            f"This server has {MAX_VOICES_PER_GUILD} voices, and that is the most. Delete one first: "
            "/voice delete."
        )


def _checked(text: str | None, limit: int, what: str) -> str | None:
    text = (text or "").strip()
    if len(text) > limit:
        raise MemberError(f"That {what} is too long. Use at most {limit:,} characters.")
    return text or None


def _shared(
    scope: Scope, sharing: Sharing, role_id: int | None, member_ids: frozenset[int]
) -> dict[str, Any]:
    """Return what is to be kept of who may use a voice: nothing that its kind of sharing does not need."""
    if sharing is Sharing.ROLE and role_id == scope.guild_id:  # Discord's role that everybody has
        sharing = Sharing.SERVER
    if sharing is Sharing.ROLE and role_id is None:
        raise MemberError("Say which role may use the voice.")
    if sharing is Sharing.MEMBERS and not 1 <= len(member_ids) <= MAX_VOICE_MEMBERS:
        raise MemberError(f"Say which members may use the voice: 1 to {MAX_VOICE_MEMBERS} of them.")
    return {
        "sharing": sharing,
        "role_id": role_id if sharing is Sharing.ROLE else None,
        "member_ids": member_ids if sharing is Sharing.MEMBERS else frozenset(),
    }

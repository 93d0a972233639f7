"""Finding voices: by name, by page, by what was typed so far; always in the scope of who asks."""

from __future__ import annotations

from sqlalchemy import or_
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import MemberError
from bot.library.clock import Clock, utc_now
from bot.library.database import Database
from bot.library.names import name_key
from bot.library.rights import Shared, may_know, may_use
from bot.library.scope import Scope
from bot.library.tables import VoiceRow
from bot.library.voice import Page, Voice, VoiceName
from bot.library.voice_index import VoiceIndex
from bot.library.voice_rows import load_voices

NO_SUCH_VOICE = "There is no voice with that name here. /voice list shows those you can use."
"""The same for a voice that does not exist, belongs to another server, or is not shared with this member."""


class Shelf:
    """The voices of every server, to look at."""

    def __init__(self, database: Database, *, now: Clock = utc_now) -> None:
        self._database = database
        self._now = now
        self._index = VoiceIndex()

    async def load(self) -> None:
        """Read into memory what completion needs; once, at the start."""
        async with self._database.reading() as session:
            await self._index.load(session)

    async def find(self, scope: Scope, name: str) -> Voice:
        """Return the voice with this name or id that this member may speak with.

        Raises `MemberError`; its sentence does not tell whether there is such a voice for others.
        """
        async with self._database.reading() as session:
            voice = await _named(session, scope, name)
        if voice is None or not may_use(scope, voice):
            raise MemberError(NO_SUCH_VOICE)
        if voice.is_frozen:
            raise MemberError("A moderator has frozen this voice here. Ask them, or choose another voice.")
        return voice

    async def find_to_manage(self, scope: Scope, name: str) -> Voice:
        """Return the voice with this name or id that this member may know of: to look at, change or delete.

        Beyond those they may use, owners and moderators know theirs, and speakers those they are heard in.
        Raises `MemberError`, the same as `find`. What they may do is checked when they do it.
        """
        async with self._database.reading() as session:
            voice = await _named(session, scope, name)
        if voice is None or not may_know(scope, voice):
            raise MemberError(NO_SUCH_VOICE)
        return voice

    async def unscoped(self, voice_id: str) -> Voice | None:
        """Return a voice whoever asks: for our own bookkeeping only, never for what a member typed."""
        async with self._database.reading() as session:
            return next(iter(await load_voices(session, VoiceRow.id == voice_id)), None)

    def complete(
        self, scope: Scope, typed: str, limit: int = 25, *, to_manage: bool = False
    ) -> list[VoiceName]:
        """Return up to ``limit`` voices whose name has ``typed`` in it, last used first.

        Those that `find` would find, or `find_to_manage`. From memory, within a few milliseconds.
        """
        found = []
        for entry in self._index.search(scope, typed, may_know if to_manage else is_usable):
            found.append(VoiceName(entry.id, entry.name))
            if len(found) == limit:
                break
        return found

    def heard_in(self, member_id: int, typed: str, limit: int = 25) -> list[VoiceName]:
        """Return up to ``limit`` voices of every server in which this member is heard, by what is ``typed``.

        From memory. What they may do with them is to take them back, from wherever they are.
        """
        return [VoiceName(entry.id, entry.name) for entry in self._index.spoken_by(member_id, typed)][:limit]

    async def page(self, scope: Scope, number: int, size: int) -> Page:
        """Return one page of the voices this member may know of; beyond the ends, the nearest."""
        known = [entry.id for entry in self._index.search(scope, "", may_know)]
        pages = max(1, -(-len(known) // size))
        number = min(max(number, 0), pages - 1)
        wanted = known[number * size : (number + 1) * size]
        async with self._database.reading() as session:
            found = await load_voices(session, VoiceRow.guild_id == scope.guild_id, VoiceRow.id.in_(wanted))
        rank = {voice_id: place for place, voice_id in enumerate(wanted)}
        shown = sorted((voice for voice in found if may_know(scope, voice)), key=lambda one: rank[one.id])
        return Page(tuple(shown), number, pages, len(known))

    def forget(self, *voice_ids: str) -> None:
        """Complete these voices no more: somebody else has deleted them."""
        for voice_id in voice_ids:
            self._index.drop(voice_id)

    async def refresh(self, *voice_ids: str) -> None:
        """Look again at voices that somebody else has changed or deleted."""
        async with self._database.reading() as session:
            found = await load_voices(session, VoiceRow.id.in_(voice_ids))
        self.forget(*(set(voice_ids) - {voice.id for voice in found}))
        for voice in found:
            self._index.put(voice)


def is_usable(scope: Scope, voice: Shared) -> bool:
    """Return whether the member may speak with this voice now, as far as sharing and moderators go."""
    return may_use(scope, voice) and not voice.is_frozen


async def of_scope(session: AsyncSession, scope: Scope, voice_id: str) -> Voice:
    """Return the voice with this id, if the member may know of it. Raises `MemberError` as `Shelf.find`."""
    found = await load_voices(session, VoiceRow.guild_id == scope.guild_id, VoiceRow.id == voice_id)
    if not found or not may_know(scope, found[0]):
        raise MemberError(NO_SUCH_VOICE)
    return found[0]


async def _named(session: AsyncSession, scope: Scope, name: str) -> Voice | None:
    """Return the voice of the scope's server with this id or name; an id wins over a name like it."""
    named = or_(VoiceRow.id == name, VoiceRow.name_key == name_key(name))
    found = await load_voices(session, VoiceRow.guild_id == scope.guild_id, named)
    return min(found, key=lambda voice: voice.id != name, default=None)

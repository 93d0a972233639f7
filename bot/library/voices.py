"""Voices: found, chosen, saved, changed, counted, deleted."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import MemberError, NameTakenError
from bot.library.database import Database, upsert
from bot.library.recordings import Recordings
from bot.library.tables import ChosenVoiceRow, GuildSettingsRow, VoiceMemberRow, VoiceRow
from bot.library.voice import (
    NOBODY,
    Clock,
    Kind,
    NewVoice,
    Page,
    Scope,
    Shared,
    Sharing,
    Voice,
    VoiceName,
    check_name,
    may_change,
    may_delete,
    may_know,
    may_share,
    may_use,
    name_key,
    utc_now,
)
from bot.library.voice_rows import (
    NAME_TAKEN,
    delete_voices,
    insert_voice,
    is_taken,
    load_voices,
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


@dataclass(frozen=True, slots=True)
class Entry:
    """A voice as the index knows it."""

    id: str
    guild_id: int
    name: str
    key: str
    owner_id: int
    speaker_id: int | None
    sharing: Sharing
    role_id: int | None
    member_ids: frozenset[int]
    is_frozen: bool


class VoiceIndex:
    """The voices of every server, in the order of their last use."""

    def __init__(self) -> None:
        self._guilds: defaultdict[int, OrderedDict[str, Entry]] = defaultdict(OrderedDict)
        self._guild_of: dict[str, int] = {}

    async def load(self, session: AsyncSession) -> None:
        """Read all voices from the database, in place of what is known."""
        self._guilds.clear()
        self._guild_of.clear()
        members: defaultdict[str, set[int]] = defaultdict(set)
        for voice_id, member_id in await session.execute(
            select(VoiceMemberRow.voice_id, VoiceMemberRow.member_id)
        ):
            members[voice_id].add(member_id)
        for row in sorted(await session.execute(select(*_COLUMNS)), key=_last_seen):
            shared = frozenset(members.get(row.id, ()))
            entry = Entry(
                *(row.id, row.guild_id, row.name, row.name_key, row.owner_id, row.speaker_id),
                *(Sharing(row.sharing), row.role_id, shared, row.is_frozen),
            )
            self._put(entry)

    def put(self, voice: Voice) -> None:
        """Know a voice: a new one comes first, a changed one stays in its place."""
        self._put(
            Entry(
                *(voice.id, voice.guild_id, voice.name, name_key(voice.name), voice.owner_id),
                *(voice.speaker_id, voice.sharing, voice.role_id, voice.member_ids, voice.is_frozen),
            )
        )

    def _put(self, entry: Entry) -> None:
        self._guilds[entry.guild_id][entry.id] = entry
        self._guild_of[entry.id] = entry.guild_id

    def used(self, voice_id: str) -> None:
        """Let a voice come first from now on, if it is known."""
        guild_id = self._guild_of.get(voice_id)
        if guild_id is not None:
            self._guilds[guild_id].move_to_end(voice_id)

    def drop(self, voice_id: str) -> None:
        """Forget a voice, if it is known."""
        guild_id = self._guild_of.pop(voice_id, None)
        if guild_id is not None:
            shelf = self._guilds[guild_id]
            del shelf[voice_id]
            if not shelf:
                del self._guilds[guild_id]

    def search(self, scope: Scope, typed: str, allows: Callable[[Scope, Entry], bool]) -> Iterator[Entry]:
        """Yield what the scope's server has under a name with ``typed`` in it, last used first."""
        key = name_key(typed)
        for entry in reversed(self._guilds.get(scope.guild_id, _NONE).values()):
            if key in entry.key and allows(scope, entry):
                yield entry

    def spoken_by(self, member_id: int, typed: str) -> Iterator[Entry]:
        """Yield the voices of all servers in which a member is heard, whose name has ``typed`` in it."""
        key = name_key(typed)
        for shelf in self._guilds.values():
            for entry in reversed(shelf.values()):
                if entry.speaker_id == member_id and key in entry.key:
                    yield entry


_NONE: Final[OrderedDict[str, Entry]] = OrderedDict()
_COLUMNS = (
    *(VoiceRow.id, VoiceRow.guild_id, VoiceRow.name, VoiceRow.name_key, VoiceRow.owner_id),
    *(VoiceRow.speaker_id, VoiceRow.sharing, VoiceRow.role_id, VoiceRow.is_frozen),
    *(VoiceRow.created_at, VoiceRow.last_used_at),
)


def _last_seen(row: object) -> datetime:
    used: datetime | None = getattr(row, "last_used_at")  # noqa: B009 - a row has no type of its own
    created: datetime = getattr(row, "created_at")  # noqa: B009
    return used or created


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


_NOT_CHANGED = "Only its owner or a moderator can change this voice."
_NOT_DELETED = "Only its owner, a moderator, or whoever is heard in it can delete this voice."
_VOICES_NOT_SHARED = "Only its owner can say who may use this voice."


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
            voice = await self._allowed(session, scope, voice_id, may_share, _VOICES_NOT_SHARED)
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

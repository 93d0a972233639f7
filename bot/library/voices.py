"""Voices: found, chosen, saved, changed, counted, deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    String,
    and_,
    bindparam,
    cast,
    delete,
    func,
    literal,
    null,
    or_,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from bot.errors import MemberError
from bot.library.consent import Consents
from bot.library.consent_rows import is_agreed_by, select_standings, to_standings
from bot.library.consent_rules import Standing
from bot.library.database import Database, upsert
from bot.library.recordings import Recordings
from bot.library.starters import DEFAULT_STARTER, starter_named, starter_of, starters_with
from bot.library.tables import ChosenVoiceRow, GuildSettingsRow, VoiceRow
from bot.library.voice import (
    NO_GUILD,
    Clock,
    NewVoice,
    Page,
    Scope,
    Sharing,
    Voice,
    VoiceName,
    check_name,
    is_usable,
    may_delete,
    may_know,
    may_rename,
    may_share,
    may_transcribe,
    may_use,
    name_key,
    utc_now,
)
from bot.library.voice_rows import (
    LAST_SEEN_FIRST,
    best_named,
    check_free,
    has_in_name,
    insert_voice,
    known_to,
    load_names,
    load_voices,
    set_members,
    usable_by,
)
from bot.library.withdrawal import Withdrawals
from bot.limits import (
    MAX_TRANSCRIPT_CHARS,
    MAX_VOICE_DESCRIPTION_CHARS,
    MAX_VOICE_MEMBERS,
    MAX_VOICES_PER_GUILD,
    MAX_VOICES_PER_MEMBER,
)

NO_SUCH_VOICE = "There's no voice with that name here. /voice list shows the ones you can use."
"""The same for a voice that does not exist, belongs to another server, or is not shared with this member."""

_MOST_NEW = 1_000
"""Voices that were saved and are not prepared yet; what does not fit is prepared at its first use."""

_STARTER = (
    "{} is a starter voice: everybody can speak with it, in every server, and nobody can change or delete it."
)
_FROZEN = "This voice is frozen here. Choose another one."
_NOT_FOR_ALL = "Not everyone here can use that voice. Share it with the whole server first: /voice share."
_NOT_MODERATOR = "Only moderators can choose the server's voice. Choose your own with /voice choose."
_NOT_RENAMED = (
    "Only its owner or a moderator can rename a voice. Someone else's voice keeps the name they "
    "agreed to, unless they or another moderator change it."
)
NOT_TRANSCRIBED = "Only its owner, or a moderator who may use this voice, can change its transcript."
_NOT_DELETED = "Only its owner, its speaker or a moderator can delete this voice."
_NOT_OWNER = "Only its owner can choose who uses this voice."


@dataclass(frozen=True, slots=True)
class ChosenVoices:
    """The voices a member may use when they name none: their own choice here, the server's, and a starter.

    Each with what decides whether it may be heard now; ``tempo`` is how fast they have chosen to be heard.
    """

    mine: Standing | None
    default: Standing | None
    starter: Standing | None
    tempo: float = 1.0


class Voices:
    """The voices of every server. What a member does needs a `Scope`; what they may not do is refused.

    Nothing of them is kept in memory: what the database says at this moment counts, also in front of another
    process. Whoever subscribed to the ``withdrawals`` is told of each voice that is deleted here.
    """

    def __init__(
        self,
        database: Database,
        recordings: Recordings,
        consents: Consents,
        withdrawals: Withdrawals,
        *,
        now: Clock = utc_now,
    ) -> None:
        self._database = database
        self._recordings = recordings
        self._consents = consents
        self._withdrawals = withdrawals
        self._now = now
        self._new: asyncio.Queue[Voice] = asyncio.Queue(_MOST_NEW)

    async def find(self, scope: Scope, name: str) -> Voice:
        """Return the voice with this name or id that this member may speak with.

        Raises `MemberError`; its sentence does not tell whether there is such a voice for others.
        """
        return (await self.find_standing(scope, name)).voice

    async def find_standing(self, scope: Scope, name: str) -> Standing:
        """Return the same voice with what decides whether it may be heard now; one statement."""
        async with self._database.reading() as session:
            found = select_standings().where(_is_found(scope, name))
            rows = (await session.execute(found.order_by(*_best_found(scope, name)))).all()
        standing = next((one for one in to_standings(rows) if may_use(scope, one.voice)), None)
        if standing is None:
            raise MemberError(NO_SUCH_VOICE)
        if standing.voice.is_frozen:
            raise MemberError("A moderator has frozen this voice here. Ask them, or choose another voice.")
        return standing

    async def find_to_manage(self, scope: Scope, name: str) -> Voice:
        """Return the voice with this name or id that this member may know of: to look at, change or delete.

        Beyond those they may use, owners and moderators know theirs, and speakers those they are heard in.
        Raises `MemberError`, the same as `find`, and for a starter, which nobody may change. What they may do
        is checked when they do it.
        """
        async with self._database.reading() as session:
            order = _best_found(scope, name)
            found = await load_voices(session, _is_found(scope, name), order_by=order)
        voice = next((one for one in found if may_know(scope, one)), None)
        if voice is None:
            raise MemberError(NO_SUCH_VOICE)
        starter = starter_of(voice.id)
        if starter is not None:
            raise MemberError(_STARTER.format(starter.name))
        return voice

    async def unscoped(self, voice_id: str) -> Voice | None:
        """Return a voice whoever asks: for our own bookkeeping only, never for what a member typed."""
        async with self._database.reading() as session:
            return next(iter(await load_voices(session, VoiceRow.id == voice_id)), None)

    async def complete(
        self, scope: Scope, typed: str, limit: int = 25, *, to_manage: bool = False
    ) -> list[VoiceName]:
        """Return up to ``limit`` voices whose name has ``typed`` in it: starters, then the last used first.

        Those that `find` would find, or `find_to_manage`. One statement, 20 ms at most among 10,000 voices.
        """
        allowed = known_to(scope) if to_manage else usable_by(scope)
        starters = [] if to_manage else starters_with(typed)[:limit]
        async with self._database.reading() as session:
            saved = await load_names(session, allowed, has_in_name(typed), limit=limit - len(starters))
        return [*starters, *saved]

    async def complete_spoken_by(self, member_id: int, typed: str, limit: int = 25) -> list[VoiceName]:
        """Return up to ``limit`` voices of every server in which this member is heard, by what is ``typed``.

        What they may do with them is to take them back, from wherever they are.
        """
        async with self._database.reading() as session:
            return await load_names(session, is_agreed_by(member_id), has_in_name(typed), limit=limit)

    async def spoken_by(self, member_id: int) -> list[Voice]:
        """Return all voices of every server that this member can take back, by name."""
        async with self._database.reading() as session:
            found = await load_voices(session, is_agreed_by(member_id))
        return sorted(found, key=lambda voice: name_key(voice.name))

    async def named(self, scope: Scope, names: Collection[str]) -> dict[str, VoiceName]:
        """Return the voices with one of these names that `find` would find, by their `name_key`."""
        if not names:
            return {}
        keys = {name_key(name) for name in names}
        starters = {name_key(starter.name): starter for starter in starters_with("")}
        async with self._database.reading() as session:
            named = (usable_by(scope), VoiceRow.name_key.in_(sorted(keys)))
            found = await load_names(session, *named, order_by=best_named(scope))
        saved = {name_key(voice.name): voice for voice in reversed(found)}
        return {key: voice for key, voice in (starters | saved).items() if key in keys}

    async def page(self, scope: Scope, number: int, size: int) -> Page[Voice]:
        """Return one page of what this member may know of, last used first; beyond the ends, the nearest."""
        known = known_to(scope)
        async with self._database.reading() as session:
            total = await session.scalar(select(func.count()).select_from(VoiceRow).where(known)) or 0
            pages = max(1, -(-total // size))
            number = min(max(number, 0), pages - 1)
            wanted = select(VoiceRow.id).where(known).order_by(*LAST_SEEN_FIRST)
            shown = VoiceRow.id.in_(wanted.limit(size).offset(number * size))
            found = await load_voices(session, shown, order_by=LAST_SEEN_FIRST)
        return Page(tuple(found), number, pages, total)

    async def choose(self, scope: Scope, voice_id: str | None) -> None:
        """Make this voice the member's choice here; None: the server's, as fast as it was made.

        Raises `MemberError` if they may not use it.
        """
        mine = (ChosenVoiceRow.guild_id == scope.guild_id, ChosenVoiceRow.member_id == scope.member_id)
        async with self._database.session() as session:
            await self._database.lock(session, scope.guild_id)
            if voice_id is None:
                await session.execute(delete(ChosenVoiceRow).where(*mine))
                return
            voice = await _of_scope(session, scope, voice_id)
            if not is_usable(scope, voice):
                raise MemberError(_FROZEN)
            key = {"guild_id": scope.guild_id, "member_id": scope.member_id}
            await upsert(session, ChosenVoiceRow, key, {"voice_id": voice.id})

    async def set_tempo(self, scope: Scope, tempo: float) -> None:
        """Let this member be heard that much faster here, in whichever voice speaks when they name none."""
        key = {"guild_id": scope.guild_id, "member_id": scope.member_id}
        async with self._database.session() as session:
            await self._database.lock(session, scope.guild_id)
            await upsert(session, ChosenVoiceRow, key, {"tempo": tempo})

    async def set_default(self, scope: Scope, voice_id: str | None) -> None:
        """Make this voice the server's; None: the starter. Moderators may, with one shared with all.

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
                voice = await _of_scope(session, scope, voice_id)
                if voice.is_frozen:
                    raise MemberError(_FROZEN)
                if voice.sharing is not Sharing.SERVER:
                    raise MemberError(_NOT_FOR_ALL)
            values = {"default_voice_id": voice_id}
            await upsert(session, GuildSettingsRow, {"guild_id": scope.guild_id}, values)

    async def chosen_voices(self, scope: Scope) -> ChosenVoices:
        """Return what this member speaks with here when they name no voice; one statement.

        What they may not use any more, or is frozen, counts as none.
        """
        return await self._database.read_together(_chosen_by, scope)

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
        with suppress(asyncio.QueueFull):  # whoever is so far behind does without
            self._new.put_nowait(voice)
        return voice

    async def new_voices(self) -> AsyncGenerator[Voice]:
        """Yield each voice as soon as it is saved here, for one who prepares it; it never ends."""
        while True:
            yield await self._new.get()

    async def check_place(self, scope: Scope, name: str) -> str:
        """Return the name as it will be shown, if `save` would take it now: before work is spent on a voice.

        Raises `MemberError` as `save` does.
        """
        name = check_name(name)
        async with self._database.reading() as session:
            await _find_room(session, scope)
            await check_free(session, scope.guild_id, scope.member_id, name)
        return name

    async def rename(self, scope: Scope, voice_id: str, name: str) -> Voice:
        """Return the voice under its new name. See `may_rename` for who may; `MemberError` otherwise."""
        name = check_name(name)
        async with self._database.session() as session:
            voice = await self._allowed(session, scope, voice_id, may_rename, _NOT_RENAMED)
            await check_free(session, scope.guild_id, voice.owner_id, name, voice.id)
            await _change(session, voice, name=name, name_key=name_key(name))
        return replace(voice, name=name)

    async def set_transcript(self, scope: Scope, voice_id: str, transcript: str | None) -> Voice:
        """Return the voice with what is said in its recording. See `may_transcribe` for who may."""
        said = _checked(transcript, MAX_TRANSCRIPT_CHARS, "transcript")
        async with self._database.session() as session:
            voice = await self._allowed(session, scope, voice_id, may_transcribe, NOT_TRANSCRIBED)
            await _change(session, voice, transcript=said)
        return replace(voice, transcript=said)

    async def share(
        self,
        scope: Scope,
        voice_id: str,
        sharing: Sharing,
        *,
        role_id: int | None = None,
        member_ids: frozenset[int] = frozenset(),
    ) -> Voice:
        """Return the voice, shared anew. Its owner alone may; of a voice that nobody owns, moderators.

        Raises `NameTakenError` when others could not tell it from one that is shared already.
        """
        shared = _shared(scope, sharing, role_id, member_ids)
        async with self._database.session() as session:
            voice = await self._allowed(session, scope, voice_id, may_share, _NOT_OWNER)
            if voice.sharing is Sharing.ME and shared["sharing"] is not Sharing.ME:
                await check_free(session, scope.guild_id, voice.owner_id, voice.name, voice.id)
            voice = replace(voice, **shared)
            await _change(session, voice, sharing=voice.sharing.value, role_id=voice.role_id)
            await set_members(session, voice.id, voice.member_ids)
        return voice

    async def delete(self, scope: Scope, voice_id: str) -> Voice:
        """Delete a voice for good and return what it was. Owners, moderators, and whoever is heard in it may.

        Its consent ends in the same transaction. Whoever subscribed to the withdrawals is told, among them
        who wipes its recording from the disk.
        """
        async with self._database.session() as session:
            voice = await self._allowed(session, scope, voice_id, may_delete, _NOT_DELETED)
            withdrawal = await self._consents.delete_voice(session, voice)
        await self._withdrawals.announce(withdrawal)
        return voice

    async def _allowed(
        self,
        session: AsyncSession,
        scope: Scope,
        voice_id: str,
        rule: Callable[[Scope, Voice], bool],
        otherwise: str,
    ) -> Voice:
        """Return the voice as it is and stays while this transaction changes it, if the rule allows that."""
        await self._database.lock(session, scope.guild_id)
        voice = await _of_scope(session, scope, voice_id)
        if not rule(scope, voice):
            raise MemberError(otherwise)
        return voice


async def _of_scope(session: AsyncSession, scope: Scope, voice_id: str) -> Voice:
    """Return the voice with this id, if the member may know of it. Raises `MemberError` as `Voices.find`."""
    here = VoiceRow.id == voice_id
    if starter_of(voice_id) is None:
        here = and_(VoiceRow.guild_id == scope.guild_id, here)
    found = await load_voices(session, here)
    if not found or not may_know(scope, found[0]):
        raise MemberError(NO_SUCH_VOICE)
    return found[0]


def _is_found(scope: Scope, name: str) -> ColumnElement[bool]:
    """Return the condition for the voices with this id or name: of the scope's server, or a starter."""
    named = and_(
        VoiceRow.guild_id == scope.guild_id, or_(VoiceRow.id == name, VoiceRow.name_key == name_key(name))
    )
    starter = starter_named(name)
    return named if starter is None else or_(named, VoiceRow.id == starter.id)


def _best_found(scope: Scope, name: str) -> tuple[ColumnElement[Any], ...]:
    """Return the order of what `_is_found`: an id before a name, a voice of the server before a starter."""
    return (VoiceRow.id != name, VoiceRow.guild_id == NO_GUILD, *best_named(scope))


async def _chosen_by(session: AsyncSession, scopes: Sequence[Scope]) -> list[ChosenVoices]:
    """Return what `Voices.chosen_voices` does, for each of ``scopes``."""
    asked = [(scope.guild_id, scope.member_id) for scope in scopes]
    values = {"asked": asked, "guild_ids": [scope.guild_id for scope in scopes]}
    rows = (await session.execute(_CHOSEN, values)).all()
    standings: dict[str | None, Standing] = {one.voice.id: one for one in to_standings(rows)}
    choices = {(row.asked_in, row.asked_by): row for row in rows}
    found = []
    for scope, mine in zip(scopes, asked, strict=True):
        choice, default = choices.get(mine), choices.get((scope.guild_id, None))
        ids = [row.chosen_id if row else None for row in (choice, default)]
        voices = [standings.get(voice_id) for voice_id in (*ids, DEFAULT_STARTER.id)]
        usable = [one if one and is_usable(scope, one.voice) else None for one in voices]
        found.append(ChosenVoices(usable[0], usable[1], usable[2], choice.tempo if choice else 1.0))
    return found


def _chosen() -> Select[tuple[Any, ...]]:
    """Return the statement of `_chosen_by`; it is built once, which costs as much as running it.

    A choice is a voice of its server, or a starter: `choose` and `set_default` take no other. One that is
    only of a tempo stands beside the default starter.
    """
    mine, servers = aliased(ChosenVoiceRow), aliased(GuildSettingsRow)
    starter, nobody, none = literal(DEFAULT_STARTER.id), cast(null(), BigInteger), cast(null(), String)
    chosen: Select[*tuple[Any, ...]] = select(
        *(mine.guild_id.label("asked_in"), mine.member_id.label("asked_by")),
        *(mine.voice_id.label("chosen_id"), func.coalesce(mine.voice_id, starter).label("beside_id")),
        mine.tempo.label("tempo"),
    ).where(tuple_(mine.guild_id, mine.member_id).in_(bindparam("asked", expanding=True)))
    default: Select[*tuple[Any, ...]] = select(
        *(servers.guild_id, nobody, servers.default_voice_id, servers.default_voice_id, literal(1.0))
    ).where(servers.guild_id.in_(bindparam("guild_ids", expanding=True)))
    always: Select[*tuple[Any, ...]] = select(nobody, nobody, none, starter, literal(1.0))
    asked = union_all(chosen, default, always).subquery()
    choice = (asked.c.asked_in, asked.c.asked_by, asked.c.chosen_id, asked.c.tempo)
    return select_standings().add_columns(*choice).join(asked, asked.c.beside_id == VoiceRow.id)


_CHOSEN: Final = _chosen()


async def _change(session: AsyncSession, voice: Voice, **values: object) -> None:
    mine = (VoiceRow.guild_id == voice.guild_id, VoiceRow.id == voice.id)
    await session.execute(update(VoiceRow).where(*mine).values(**values))


async def _find_room(session: AsyncSession, scope: Scope) -> None:
    mine = func.count().filter(VoiceRow.owner_id == scope.member_id)
    counted = await session.execute(select(mine, func.count()).where(VoiceRow.guild_id == scope.guild_id))
    of_member, of_guild = counted.one()
    if of_member >= MAX_VOICES_PER_MEMBER:
        raise MemberError(
            f"You have {MAX_VOICES_PER_MEMBER} voices here, and that's the most. Delete one "
            "first: /voice delete."
        )
    if of_guild >= MAX_VOICES_PER_GUILD:
        raise MemberError(
            f"This server has {MAX_VOICES_PER_GUILD} voices, and that's the most. Delete one "
            "first: /voice delete."
        )


def _checked(text: str | None, limit: int, what: str) -> str | None:
    text = (text or "").strip()
    if len(text) > limit:
        raise MemberError(f"That {what} is too long. Use {limit:,} characters at most.")
    return text or None


def _shared(
    scope: Scope, sharing: Sharing, role_id: int | None, member_ids: frozenset[int]
) -> dict[str, Any]:
    """Return what is to be kept of who may use a voice: nothing that its kind of sharing does not need."""
    if sharing is Sharing.ROLE and role_id == scope.guild_id:  # Discord's role that everybody has
        sharing = Sharing.SERVER
    if sharing is Sharing.ROLE and role_id is None:
        raise MemberError("Choose the role that may use the voice.")
    if sharing is Sharing.MEMBERS and not 1 <= len(member_ids) <= MAX_VOICE_MEMBERS:
        raise MemberError(f"Choose who may use the voice: 1 to {MAX_VOICE_MEMBERS} members.")
    return {
        "sharing": sharing,
        "role_id": role_id if sharing is Sharing.ROLE else None,
        "member_ids": member_ids if sharing is Sharing.MEMBERS else frozenset(),
    }

"""Reading aloud in a server: its rules, the channels that are read, what members wish, and its dictionary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import MemberError
from bot.library.database import Database, insert_missing, upsert
from bot.library.tables import (
    DictionaryWordRow,
    GuildSettingsRow,
    ReadChannelRow,
    ReadingRulesRow,
    ReadMemberRow,
)
from bot.library.voice import Scope
from bot.limits import MAX_DICTIONARY_WORDS, MAX_READ_CHANNELS, MAX_RULED

_MODERATORS: Final = "Only moderators can do this. You need the permission Manage Server."
_NOT_ALLOWED: Final = (
    "Only moderators can change the dictionary here, and the roles they allow. Ask one of them."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingRules:
    """Rules of a server's moderators for reading aloud.

    A message lasts ``longest_seconds`` at most, and is left out where it would be said more than
    ``longest_wait`` seconds after it was written. A name is said when the speaker changes, and again after
    ``name_pause`` seconds of silence, 0: not again. Messages that begin with ``prefix`` are not read.
    Outsiders are members who are not in the voice channel. ``words_changed`` is another number whenever the
    dictionary is another.
    """

    longest_seconds: int = 30
    longest_wait: int = 60
    says_names: bool = True
    name_pause: int = 30
    prefix: str = ""
    reads_outsiders: bool = False
    reads_bots: bool = False
    names_emoji: bool = True
    announces: bool = False
    silenced_members: frozenset[int] = frozenset()
    dictionary_roles: frozenset[int] = frozenset()
    presets: frozenset[str] = frozenset()
    words_changed: int = 0

    def may_change_words(self, scope: Scope) -> bool:
        """Return whether a member may change the dictionary."""
        return scope.is_moderator or bool(scope.role_ids & self.dictionary_roles)


_NAMES: Final = tuple(field.name for field in fields(ReadingRules))
_IDS: Final = ("silenced_members", "dictionary_roles")


@dataclass(frozen=True, slots=True)
class ReadMember:
    """What a member wishes for themselves: not to be read, and what they are called."""

    is_muted: bool = False
    spoken_name: str | None = None


@dataclass(frozen=True, slots=True)
class ReadChannel:
    """A text channel that is read: into the voice channel it is bound to, or, None, where the bot is."""

    channel_id: int
    guild_id: int
    voice_channel_id: int | None = None


@dataclass(frozen=True, slots=True)
class DictionaryWord:
    """A word and how it is said; ``key`` is the same however the word is typed."""

    key: str
    word: str
    spoken: str


class Reading:
    """What is kept for reading aloud. Raises `MemberError` where somebody may not change it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- rules ------------------------------------------------------------------------------------

    async def rules(self, guild_id: int) -> ReadingRules:
        """Return the rules of a server."""
        async with self._database.reading() as session:
            return await _rules(session, guild_id)

    async def rules_and_wishes(
        self, guild_id: int, member_ids: Iterable[int]
    ) -> tuple[ReadingRules, dict[int, ReadMember]]:
        """Return the rules of a server, and what those of these members wish who have said so."""
        async with self._database.reading() as session:
            rules = await _rules(session, guild_id)
            wanted = select(ReadMemberRow).where(
                ReadMemberRow.guild_id == guild_id, ReadMemberRow.member_id.in_(list(member_ids))
            )
            rows = (await session.scalars(wanted)).all()
        return rules, {row.member_id: ReadMember(row.is_muted, row.spoken_name) for row in rows}

    async def set_rules(self, scope: Scope, **changed: Any) -> ReadingRules:
        """Change some of the rules of a server, and return all of them."""
        if not scope.is_moderator:
            raise MemberError(_MODERATORS)
        if any(len(changed.get(name, ())) > MAX_RULED for name in _IDS):
            raise MemberError(f"A rule can name {MAX_RULED} at most.")
        async with self._database.session() as session:
            await _set_rules(session, scope.guild_id, changed)
            return await _rules(session, scope.guild_id)

    # -- channels ---------------------------------------------------------------------------------

    async def channels(self) -> list[ReadChannel]:
        """Return the channels of all servers that are read."""
        async with self._database.reading() as session:
            rows = (await session.scalars(select(ReadChannelRow))).all()
        return [ReadChannel(row.channel_id, row.guild_id, row.voice_channel_id) for row in rows]

    async def add_channel(self, channel: ReadChannel) -> None:
        """Have a channel read from now on. Raises `MemberError` where too many are."""
        async with self._database.session() as session:
            await self._database.lock(session, channel.guild_id)
            others = select(func.count()).where(
                ReadChannelRow.guild_id == channel.guild_id, ReadChannelRow.channel_id != channel.channel_id
            )
            if (await session.scalar(others) or 0) >= MAX_READ_CHANNELS:
                raise MemberError(f"I can read {MAX_READ_CHANNELS} channels in a server at most.")
            values = {"guild_id": channel.guild_id, "voice_channel_id": channel.voice_channel_id}
            await _know(session, channel.guild_id)
            await upsert(session, ReadChannelRow, {"channel_id": channel.channel_id}, values)

    async def remove_channels(self, channel_ids: Iterable[int]) -> None:
        """Have these channels not read any more."""
        gone = delete(ReadChannelRow).where(ReadChannelRow.channel_id.in_(list(channel_ids)))
        async with self._database.session() as session:
            await session.execute(gone)

    # -- members ----------------------------------------------------------------------------------

    async def set_member(self, guild_id: int, member_id: int, **changed: object) -> None:
        """Change what a member wishes for themselves: ``is_muted``, ``spoken_name``."""
        key = {"guild_id": guild_id, "member_id": member_id}
        async with self._database.session() as session:
            await _know(session, guild_id)
            await upsert(session, ReadMemberRow, key, changed)

    # -- the dictionary ---------------------------------------------------------------------------

    async def words(self, guild_id: int) -> list[DictionaryWord]:
        """Return the words of a server's dictionary, by their letters."""
        async with self._database.reading() as session:
            return await _words(session, guild_id)

    async def add_words(self, scope: Scope, words: Sequence[DictionaryWord]) -> int:
        """Add words, in place of those with the same key, and return how many there are now; all or none."""
        async with self._database.session() as session:
            await self._begin(session, scope)
            known = {word.key for word in await _words(session, scope.guild_id)}
            total = len(known | {word.key for word in words})
            if total > MAX_DICTIONARY_WORDS:
                raise MemberError(
                    f"That would be {total:,} words, and a dictionary holds {MAX_DICTIONARY_WORDS}. "
                    "Remove some first."
                )
            for word in words:
                values = {"word": word.word, "spoken": word.spoken}
                key = {"guild_id": scope.guild_id, "key": word.key}
                await upsert(session, DictionaryWordRow, key, values)
        return total

    async def remove_word(self, scope: Scope, key: str) -> DictionaryWord:
        """Remove a word and return it. Raises `MemberError` if there is no such word."""
        this = (DictionaryWordRow.guild_id == scope.guild_id, DictionaryWordRow.key == key)
        async with self._database.session() as session:
            await self._begin(session, scope)
            row = await session.scalar(select(DictionaryWordRow).where(*this))
            if row is None:
                raise MemberError("That word isn't in the dictionary. /dictionary list shows what is.")
            found = DictionaryWord(row.key, row.word, row.spoken)
            await session.execute(delete(DictionaryWordRow).where(*this))
        return found

    async def set_presets(self, scope: Scope, presets: frozenset[str]) -> None:
        """Choose which lists of abbreviations a server's dictionary has beside its own words."""
        async with self._database.session() as session:
            await self._begin(session, scope)
            await _set_rules(session, scope.guild_id, {"presets": presets})

    async def _begin(self, session: AsyncSession, scope: Scope) -> None:
        """Note a change of the dictionary; whoever may not make it is refused."""
        await self._database.lock(session, scope.guild_id)
        rules = await _rules(session, scope.guild_id)
        if not rules.may_change_words(scope):
            raise MemberError(_NOT_ALLOWED)
        await _set_rules(session, scope.guild_id, {"words_changed": rules.words_changed + 1})


async def _rules(session: AsyncSession, guild_id: int) -> ReadingRules:
    columns = [ReadingRulesRow.__table__.c[name] for name in _NAMES]
    row = (await session.execute(select(*columns).where(ReadingRulesRow.guild_id == guild_id))).first()
    values: dict[str, Any] = {
        name: value for name, value in zip(_NAMES, row or (), strict=False) if value is not None
    }
    for name in _IDS:
        if name in values:
            values[name] = frozenset(map(int, values[name]))
    if "presets" in values:
        values["presets"] = frozenset(values["presets"])
    return ReadingRules(**values)


async def _set_rules(session: AsyncSession, guild_id: int, changed: Mapping[str, Any]) -> None:
    values = {
        name: sorted(map(str, value)) if isinstance(value, frozenset) else value
        for name, value in changed.items()
    }
    await _know(session, guild_id)
    await upsert(session, ReadingRulesRow, {"guild_id": guild_id}, values)


async def _know(session: AsyncSession, guild_id: int) -> None:
    """Let the server be known, so that all that is kept of it is deleted some time after it was left."""
    await insert_missing(session, GuildSettingsRow, [{"guild_id": guild_id, "cloning_on": False}])


async def _words(session: AsyncSession, guild_id: int) -> list[DictionaryWord]:
    here = select(DictionaryWordRow).where(DictionaryWordRow.guild_id == guild_id)
    rows = (await session.scalars(here.order_by(DictionaryWordRow.key))).all()
    return [DictionaryWord(row.key, row.word, row.spoken) for row in rows]

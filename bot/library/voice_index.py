"""What completion needs of every voice, in memory: 10,000 of them are searched within a keystroke."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.library.names import name_key
from bot.library.scope import Scope
from bot.library.tables import VoiceMemberRow, VoiceRow
from bot.library.voice import Sharing, Voice


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

"""Rows of voices: read, written, deleted. Each of these runs inside the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import NameTakenError
from bot.library.engine import library_error
from bot.library.tables import VoiceMemberRow, VoiceRow
from bot.library.voice import (
    Kind,
    NewVoice,
    Sharing,
    Voice,
    check_name,
    name_key,
    new_id,
)

NAME_TAKEN: Final = "That name is already used here. Choose another one."


async def load_voices(session: AsyncSession, *conditions: ColumnElement[bool]) -> list[Voice]:
    """Return the voices for which all ``conditions`` on `VoiceRow` hold."""
    rows = (await session.scalars(select(VoiceRow).where(*conditions))).all()
    members = await _members(session, rows, conditions)
    return [to_voice(row, members.get(row.id, frozenset())) for row in rows]


async def _members(
    session: AsyncSession, rows: Sequence[VoiceRow], conditions: tuple[ColumnElement[bool], ...]
) -> dict[str, frozenset[int]]:
    if not any(row.sharing == Sharing.MEMBERS.value for row in rows):
        return {}
    found: defaultdict[str, set[int]] = defaultdict(set)
    shared = select(VoiceMemberRow.voice_id, VoiceMemberRow.member_id).join(VoiceRow).where(*conditions)
    for voice_id, member_id in await session.execute(shared):
        found[voice_id].add(member_id)
    return {voice_id: frozenset(members) for voice_id, members in found.items()}


def to_voice(row: VoiceRow, member_ids: frozenset[int]) -> Voice:
    """Return what a row says."""
    return Voice(
        id=row.id,
        guild_id=row.guild_id,
        name=row.name,
        owner_id=row.owner_id,
        speaker_id=row.speaker_id,
        kind=Kind(row.kind),
        recording=row.recording,
        seconds=row.seconds,
        transcript=row.transcript,
        description=row.description,
        sharing=Sharing(row.sharing),
        role_id=row.role_id,
        member_ids=member_ids,
        uses=row.uses,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        is_frozen=row.is_frozen,
        consent_id=row.consent_id,
    )


async def insert_voice(
    session: AsyncSession, guild_id: int, owner_id: int, new: NewVoice, now: datetime
) -> Voice:
    """Return the new voice, under a name that is free in this server. Raises `MemberError` otherwise."""
    name = check_name(new.name)
    row = VoiceRow(
        id=new_id(),
        guild_id=guild_id,
        name=name,
        name_key=name_key(name),
        owner_id=owner_id,
        speaker_id=new.speaker_id,
        consent_id=new.consent_id,
        kind=new.kind.value,
        recording=new.recording,
        seconds=new.seconds,
        transcript=new.transcript,
        description=new.description,
        sharing=new.sharing.value,
        role_id=new.role_id,
        uses=0,
        created_at=now,
        last_used_at=None,
        is_frozen=False,
    )
    async with unless_taken(session, guild_id, name):
        session.add(row)
        await session.flush()
    await set_members(session, row.id, new.member_ids)
    return to_voice(row, new.member_ids)


@asynccontextmanager
async def unless_taken(session: AsyncSession, guild_id: int, name: str) -> AsyncIterator[None]:
    """Give a voice this name inside; `NameTakenError` if another one has it. The database decides, not we."""
    try:
        async with session.begin_nested():
            yield
    except IntegrityError as error:
        if await is_taken(session, guild_id, name):
            raise NameTakenError(NAME_TAKEN) from None
        raise library_error(error) from error


async def is_taken(session: AsyncSession, guild_id: int, name: str) -> bool:
    """Return whether a voice of this server has the name, or one that people take for the same."""
    same = select(VoiceRow.id).where(VoiceRow.guild_id == guild_id, VoiceRow.name_key == name_key(name))
    return await session.scalar(same) is not None


async def set_members(session: AsyncSession, voice_id: str, member_ids: Iterable[int]) -> None:
    """Share a voice with exactly these members."""
    await session.execute(delete(VoiceMemberRow).where(VoiceMemberRow.voice_id == voice_id))
    rows = [{"voice_id": voice_id, "member_id": member_id} for member_id in sorted(member_ids)]
    if rows:
        await session.execute(insert(VoiceMemberRow), rows)


async def delete_voices(session: AsyncSession, voice_ids: Sequence[str]) -> None:
    """Delete these voices; who chose one has none then. Posts and the audit stay, see their tables.

    Afterwards the caller tells `Voices.forget`, and `Recordings.drop_unused` which recordings it was.
    """
    for start in range(0, len(voice_ids), 500):
        await session.execute(delete(VoiceRow).where(VoiceRow.id.in_(voice_ids[start : start + 500])))

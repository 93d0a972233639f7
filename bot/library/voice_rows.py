"""Rows of voices: read, written, deleted. Each of these runs inside the caller's transaction."""

from __future__ import annotations

from collections import defaultdict, namedtuple
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, and_, delete, exists, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import NameTakenError
from bot.library.tables import VoiceMemberRow, VoiceRow, read_as
from bot.library.voice import (
    Kind,
    NewVoice,
    Scope,
    Sharing,
    Voice,
    VoiceName,
    check_name,
    name_key,
    new_id,
)
from bot.text.characters import appearances

NAME_TAKEN: Final = "That name is already used here. Choose another one."
LOOKS_TAKEN: Final = "That name looks like one that is already used here. Choose another one."

_SHARED_BY_NAME: Final = and_(
    VoiceMemberRow.voice_id == VoiceRow.id, VoiceRow.sharing == Sharing.MEMBERS.value
)


def best_named(scope: Scope) -> tuple[ColumnElement[Any], ...]:
    """Return the order of voices with one name: what this member means by it comes first."""
    is_of_others: ColumnElement[Any] = VoiceRow.owner_id != scope.member_id
    is_private = VoiceRow.sharing == Sharing.ME.value
    return (is_of_others, is_private, VoiceRow.created_at.asc(), VoiceRow.id.asc())


LAST_SEEN_FIRST: Final = (
    func.coalesce(VoiceRow.last_used_at, VoiceRow.created_at).desc(),
    VoiceRow.name_key.desc(),
)
"""What was used last or, if it never was, saved last comes first; an index has this order in each server."""


async def load_voices(
    session: AsyncSession,
    *conditions: ColumnElement[bool],
    order_by: Sequence[ColumnElement[Any]] = (),
) -> list[Voice]:
    """Return the voices for which all ``conditions`` on `VoiceRow` hold; one statement."""
    return to_voices(await session.execute(select_voices().where(*conditions).order_by(*order_by)))


_COLUMNS: Final = VoiceRow.__table__.columns
_VoiceValues = namedtuple("_VoiceValues", _COLUMNS.keys())  # type: ignore[misc]


def select_voices() -> Select[tuple[Any, ...]]:
    """Return the statement that `to_voices` reads: a voice once for each member it is shared with by name.

    Its columns, not the mapped class: objects that nobody changes cost more than all the rest of a read.
    """
    return select(*_COLUMNS, VoiceMemberRow.member_id).outerjoin_from(
        VoiceRow, VoiceMemberRow, _SHARED_BY_NAME
    )


def to_voices(found: Iterable[Row[*tuple[Any, ...]]]) -> list[Voice]:
    """Return the voices in the rows of `select_voices`, in their order; further columns may follow."""
    rows: dict[str, tuple[Any, ...]] = {}
    members: defaultdict[str, set[int]] = defaultdict(set)
    for row in found:
        rows[row.id] = row[: len(_COLUMNS)]
        if row.member_id is not None:
            members[row.id].add(row.member_id)
    return [to_voice(_VoiceValues(*row), frozenset(members[key])) for key, row in rows.items()]


def to_voice(row: object, member_ids: frozenset[int]) -> Voice:
    """Return what a row says."""
    values: Any = row
    return read_as(Voice, row, kind=Kind(values.kind), sharing=Sharing(values.sharing), member_ids=member_ids)


async def load_names(
    session: AsyncSession,
    *conditions: ColumnElement[bool],
    limit: int | None = None,
    order_by: Sequence[ColumnElement[Any]] = LAST_SEEN_FIRST,
) -> list[VoiceName]:
    """Return the names of up to ``limit`` voices for which all ``conditions`` hold, last used first."""
    names = select(VoiceRow.id, VoiceRow.name).where(*conditions).order_by(*order_by).limit(limit)
    return [VoiceName(voice_id, name) for voice_id, name in await session.execute(names)]


def usable_by(scope: Scope) -> ColumnElement[bool]:
    """Return the condition for the voices that this member can speak with here: `is_usable` as SQL."""
    return and_(_may_use(scope), VoiceRow.is_frozen.is_(False))


def known_to(scope: Scope) -> ColumnElement[bool]:
    """Return the condition for the voices that this member may know of here: `may_know` as SQL."""
    here = VoiceRow.guild_id == scope.guild_id
    if scope.is_moderator:
        return here
    return and_(here, or_(VoiceRow.speaker_id == scope.member_id, _may_use(scope)))


def _may_use(scope: Scope) -> ColumnElement[bool]:
    """Return the condition for the voices that are shared with this member here: `may_use` as SQL."""
    by_name = exists().where(
        VoiceMemberRow.voice_id == VoiceRow.id, VoiceMemberRow.member_id == scope.member_id
    )
    shared = or_(
        VoiceRow.owner_id == scope.member_id,
        VoiceRow.sharing == Sharing.SERVER.value,
        and_(VoiceRow.sharing == Sharing.ROLE.value, VoiceRow.role_id.in_(sorted(scope.role_ids))),
        and_(VoiceRow.sharing == Sharing.MEMBERS.value, by_name),
    )
    return and_(VoiceRow.guild_id == scope.guild_id, shared)


def has_in_name(typed: str) -> ColumnElement[bool]:
    """Return the condition for the voices whose name has ``typed`` in it, however it is written."""
    return VoiceRow.name_key.contains(name_key(typed), autoescape=True)


async def insert_voice(
    session: AsyncSession, guild_id: int, owner_id: int, new: NewVoice, now: datetime
) -> Voice:
    """Return the new voice, under a name that is free in this server. Raises `MemberError` otherwise.

    The caller holds the server's `Database.lock`, so that nobody else takes the name meanwhile.
    """
    name = check_name(new.name)
    await check_free(session, guild_id, owner_id, name)
    values = asdict(new) | {"name": name, "kind": new.kind.value, "sharing": new.sharing.value}
    del values["member_ids"]
    made = {"id": new_id(), "name_key": name_key(name), "uses": 0, "created_at": now, "is_frozen": False}
    row = VoiceRow(guild_id=guild_id, owner_id=owner_id, **values, **made)
    session.add(row)
    await session.flush()
    await set_members(session, row.id, new.member_ids)
    return to_voice(row, new.member_ids)


async def check_free(
    session: AsyncSession, guild_id: int, owner_id: int, name: str, voice_id: str | None = None
) -> None:
    """Raise `NameTakenError` if ``owner_id`` may not call a voice so here: ``voice_id``, or a new one.

    No two voices that are shared with anybody have the same name there, or names that look the same, and no
    two of one owner. What somebody has for themselves alone does not count for others, who would learn of it.
    """
    others = or_(VoiceRow.owner_id == owner_id, VoiceRow.sharing != Sharing.ME.value)
    wanted = select(VoiceRow.name).where(VoiceRow.guild_id == guild_id, others)
    if voice_id is not None:
        wanted = wanted.where(VoiceRow.id != voice_id)
    key, looks = name_key(name), appearances(name)
    for other in await session.scalars(wanted):
        if name_key(other) == key:
            raise NameTakenError(NAME_TAKEN)
        if any(mine == theirs for mine, theirs in zip(looks, appearances(other), strict=True)):
            raise NameTakenError(LOOKS_TAKEN)


async def set_members(session: AsyncSession, voice_id: str, member_ids: Iterable[int]) -> None:
    """Share a voice with exactly these members."""
    await session.execute(delete(VoiceMemberRow).where(VoiceMemberRow.voice_id == voice_id))
    rows = [{"voice_id": voice_id, "member_id": member_id} for member_id in sorted(member_ids)]
    if rows:
        await session.execute(insert(VoiceMemberRow), rows)


async def delete_voices(session: AsyncSession, voice_ids: Sequence[str]) -> None:
    """Delete these voices; who chose one has none then. Posts and the audit stay, see their tables.

    Afterwards the caller tells `Recordings.drop_unused` which recordings it was.
    """
    for start in range(0, len(voice_ids), 500):
        await session.execute(delete(VoiceRow).where(VoiceRow.id.in_(voice_ids[start : start + 500])))

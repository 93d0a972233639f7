"""Everything that is kept about one member, as values for JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.library.tables import (
    Base,
    ChosenVoiceRow,
    ConsentRow,
    GuildSettingsRow,
    NeverCloneRow,
    RecordingPostRow,
    ReportRow,
    TakeRow,
    UseRow,
    VoiceMemberRow,
    VoiceRow,
)

_SECRET: Final = frozenset({"url", "name_key", "cache_key"})
"""Columns that say nothing more, or that would open a recording for whoever reads the file."""


async def everything_about(session: AsyncSession, member_id: int) -> dict[str, Any]:
    """Return what is kept about a member in all servers, by kind.

    Numbers of Discord are text, since JSON readers round them. Who reported the member is not in it.
    """
    voices = await _rows(session, VoiceRow, belongs_to(member_id))
    voice_ids = [row["id"] for row in voices]
    for voice in voices:
        shared = await _rows(session, VoiceMemberRow, VoiceMemberRow.voice_id == voice["id"])
        voice["shared_with"] = [row["member_id"] for row in shared]
    heard = select(VoiceRow.id).where(VoiceRow.speaker_id == member_id)
    consents = or_(ConsentRow.asker_id == member_id, ConsentRow.speaker_id == member_id)
    reported = await _rows(session, ReportRow, ReportRow.member_id == member_id)
    return {
        "voices": voices,
        "shared_with_me": await _rows(session, VoiceMemberRow, VoiceMemberRow.member_id == member_id),
        "chosen_voices": await _rows(session, ChosenVoiceRow, ChosenVoiceRow.member_id == member_id),
        "recording_posts": await _rows(session, RecordingPostRow, RecordingPostRow.voice_id.in_(voice_ids)),
        "consents": await _rows(session, ConsentRow, consents),
        "never_clone": await _rows(session, NeverCloneRow, NeverCloneRow.member_id == member_id),
        "uses": await _rows(session, UseRow, UseRow.member_id == member_id),
        "uses_of_my_voice": await _rows(session, UseRow, UseRow.voice_id.in_(heard)),
        "reports": await _rows(session, ReportRow, ReportRow.reporter_id == member_id),
        "reports_about_me": [_without(row, "reporter_id") for row in reported],
        "takes": await _rows(session, TakeRow, TakeRow.member_id == member_id),
        "cloning_switched": await _switched(session, member_id),
    }


def belongs_to(member_id: int) -> ColumnElement[bool]:
    """Return the condition for the voices they own, are heard in, or have on their private shelf."""
    return or_(
        VoiceRow.owner_id == member_id, VoiceRow.speaker_id == member_id, VoiceRow.guild_id == member_id
    )


async def _switched(session: AsyncSession, member_id: int) -> list[dict[str, Any]]:
    rows = await _rows(session, GuildSettingsRow, GuildSettingsRow.cloning_by == member_id)
    return [
        {name: row[name] for name in ("guild_id", "cloning_on", "cloning_policy", "cloning_at")}
        for row in rows
    ]


async def _rows(
    session: AsyncSession, table: type[Base], condition: ColumnElement[bool]
) -> list[dict[str, Any]]:
    found = await session.execute(select(*table.__table__.columns).where(condition))
    return [
        {name: _plain(name, value) for name, value in row.items() if name not in _SECRET}
        for row in found.mappings()
    ]


def _plain(name: str, value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, int) and not isinstance(value, bool) and name.endswith(("id", "_by")):
        return str(value)
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _without(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}

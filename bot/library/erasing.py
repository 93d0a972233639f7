"""Everything of one member deleted, in one transaction.

What stays, and why:

- Their wish never to be cloned: without it they could be.
- A consent that somebody else once gave them, without them and without what it was about: the other one has
  a right to see that, when, and until when their voice was cloned.
- Their uses of other people's voices, without them: the time, the length and the message, so that the other
  one and the moderators can still look into it.
- Reports that moderators have not settled, without the one who reported, or was reported.
- The places of messages of ours that hold a recording, until these messages are deleted in Discord.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, String, cast, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.library.consent_rules import Consent, likeness_id
from bot.library.exporting import belongs_to
from bot.library.tables import (
    Base,
    ChosenVoiceRow,
    ConsentRow,
    GuildSettingsRow,
    ReportRow,
    TakeRow,
    UseRow,
    VoiceMemberRow,
)
from bot.library.voice import NOBODY, Voice
from bot.library.voice_rows import load_voices
from bot.library.withdrawal import Post
from bot.library.withdrawing import take_away

_GIVEN: Final = (Consent.GRANTED.value, Consent.REVOKED.value)


@dataclass(frozen=True, slots=True)
class Erased:
    """What was deleted: voices, rows by kind, and the recordings and messages that are left to be deleted.

    ``likenesses`` are the ids of the voices that were not saved and hung on a consent of the member's.
    """

    voices: tuple[Voice, ...]
    posts: tuple[Post, ...]
    recordings: frozenset[str]
    rows: dict[str, int]
    likenesses: tuple[str, ...]


async def erase(session: AsyncSession, member_id: int, now: datetime) -> Erased:
    """Delete everything of a member in all servers, but for what the module says."""
    voices = await load_voices(session, belongs_to(member_id))
    posts = await take_away(session, [voice.id for voice in voices])
    asked, recordings, likenesses = await _what_was_asked(session, member_id)
    rows = {"consents": await _erase_consents(session, member_id, now)}
    of_their_own = [voice.id for voice in voices if voice.speaker_id in (None, member_id)]
    rows["uses"] = await _erase_uses(session, member_id, of_their_own)
    rows["reports"] = await _erase_reports(session, member_id, of_their_own)
    rows["takes"] = await _delete(
        session, TakeRow, or_(TakeRow.member_id == member_id, TakeRow.guild_id == member_id)
    )
    rows["chosen_voices"] = await _delete(session, ChosenVoiceRow, ChosenVoiceRow.member_id == member_id)
    rows["shared_with"] = await _delete(session, VoiceMemberRow, VoiceMemberRow.member_id == member_id)
    await _erase_settings(session, member_id)
    recordings |= {voice.recording for voice in voices}
    return Erased(tuple(voices), (*posts, *asked), frozenset(recordings), rows, tuple(likenesses))


async def _what_was_asked(session: AsyncSession, member_id: int) -> tuple[list[Post], set[str], list[str]]:
    """Return the messages that name the member beside buttons, the recordings they are about,

    and the likenesses that hang on what was answered.
    """
    columns = (ConsentRow.id, ConsentRow.channel_id, ConsentRow.message_id, ConsentRow.recording)
    asked = await session.execute(
        select(*columns).where(or_(ConsentRow.asker_id == member_id, ConsentRow.speaker_id == member_id))
    )
    found = asked.all()
    posts = [Post(row.channel_id, row.message_id) for row in found if row.channel_id and row.message_id]
    recordings = {row.recording for row in found if row.recording}
    return posts, recordings, [likeness_id(row.id) for row in found]


async def _erase_consents(session: AsyncSession, member_id: int, now: datetime) -> int:
    gone = await _delete(session, ConsentRow, ConsentRow.speaker_id == member_id)
    mine = ConsentRow.asker_id == member_id
    gone += await _delete(session, ConsentRow, mine, ConsentRow.state.not_in(_GIVEN))
    wiped = ("recording", "name", "sharing", "role_id", "member_ids", "channel_id", "message_id")
    values: dict[str, Any] = {"asker_id": NOBODY, "state": Consent.REVOKED.value, **dict.fromkeys(wiped)}
    await _change(session, ConsentRow, {"revoked_at": now}, mine, ConsentRow.revoked_at.is_(None))
    gone += await _change(session, ConsentRow, values, mine)
    named = cast(ConsentRow.member_ids, String).contains(f'"{member_id}"')
    for row in (await session.scalars(select(ConsentRow).where(named))).all():
        row.member_ids = [one for one in row.member_ids or () if one != str(member_id)]
    return gone


async def _erase_uses(session: AsyncSession, member_id: int, voice_ids: list[str]) -> int:
    gone = await _delete(session, UseRow, or_(UseRow.voice_id.in_(voice_ids), UseRow.guild_id == member_id))
    return gone + await _change(session, UseRow, {"member_id": NOBODY}, UseRow.member_id == member_id)


async def _erase_reports(session: AsyncSession, member_id: int, voice_ids: list[str]) -> int:
    theirs = or_(ReportRow.voice_id.in_(voice_ids), ReportRow.guild_id == member_id)
    gone = await _delete(session, ReportRow, theirs)
    about = or_(ReportRow.reporter_id == member_id, ReportRow.member_id == member_id)
    gone += await _delete(session, ReportRow, about, ReportRow.settled_at.is_not(None))
    unnamed = {"member_id": None, "take_id": None}
    gone += await _change(session, ReportRow, unnamed, ReportRow.member_id == member_id)
    return gone + await _change(
        session, ReportRow, {"reporter_id": NOBODY}, ReportRow.reporter_id == member_id
    )


async def _erase_settings(session: AsyncSession, member_id: int) -> None:
    await _delete(session, GuildSettingsRow, GuildSettingsRow.guild_id == member_id)
    mine = GuildSettingsRow.cloning_by == member_id
    await _change(session, GuildSettingsRow, {"cloning_by": None}, mine)


async def _delete(session: AsyncSession, table: type[Base], *conditions: ColumnElement[bool]) -> int:
    key = next(iter(table.__table__.primary_key))
    gone = await session.execute(
        delete(table).where(*conditions).returning(key).execution_options(synchronize_session=False)
    )
    return len(gone.all())


async def _change(
    session: AsyncSession, table: type[Base], values: dict[str, Any], *conditions: ColumnElement[bool]
) -> int:
    key = next(iter(table.__table__.primary_key))
    changed = await session.execute(
        update(table)
        .where(*conditions)
        .values(values)
        .returning(key)
        .execution_options(synchronize_session=False)
    )
    return len(changed.all())

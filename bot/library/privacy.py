"""Privacy: everything that is kept about one member, in a file or deleted."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, String, and_, cast, delete, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import LibraryError
from bot.library.audit import OWN_RECORDING
from bot.library.cached_speeches import CachedSpeeches, member_label, recording_label, voice_label
from bot.library.consent_rows import is_agreed_by, is_asked
from bot.library.consent_rules import Consent, consent_behind, likeness_id
from bot.library.database import Database
from bot.library.known_recordings import known_as_theirs, pseudonym, remember_recordings
from bot.library.recordings import Recordings
from bot.library.tables import (
    Base,
    CachedSpeechLabelRow,
    CachedSpeechRow,
    ChosenVoiceRow,
    ConsentRow,
    FrozenLikenessRow,
    GenerationRow,
    GuildSettingsRow,
    KnownRecordingRow,
    NeverCloneRow,
    ReadingRulesRow,
    ReadMemberRow,
    RecordingPostRow,
    ReportRow,
    UsageRow,
    UseRow,
    VoiceMemberRow,
    VoiceMessageRow,
    VoiceRow,
)
from bot.library.usage import COUNTS_FOR
from bot.library.voice import NOBODY, Clock, Voice, name_key, utc_now
from bot.library.voice_rows import load_voices
from bot.library.withdrawal import (
    Post,
    Withdrawal,
    Withdrawals,
    delete_voices_and_list_posts,
    withdraw_voice_messages,
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
    consents = or_(ConsentRow.asker_id == member_id, is_asked(member_id))
    about_me = or_(ReportRow.member_id == member_id, ReportRow.speaker_id == member_id)
    reported = await _rows(session, ReportRow, about_me)
    known = await _rows(session, KnownRecordingRow, await known_as_theirs(session, member_id))
    return {
        "voices": voices,
        "shared_with_me": await _rows(session, VoiceMemberRow, VoiceMemberRow.member_id == member_id),
        "chosen_voices": await _rows(session, ChosenVoiceRow, ChosenVoiceRow.member_id == member_id),
        "recording_posts": await _rows(session, RecordingPostRow, RecordingPostRow.voice_id.in_(voice_ids)),
        "consents": await _rows(session, ConsentRow, consents),
        "frozen_likenesses": await _rows(
            session, FrozenLikenessRow, FrozenLikenessRow.member_id == member_id
        ),
        "never_clone": await _rows(session, NeverCloneRow, NeverCloneRow.member_id == member_id),
        "known_recordings_of_mine": [_without(row, "speaker") for row in known],
        "uses": await _rows(session, UseRow, UseRow.member_id == member_id),
        "usage": await _usage(session, member_id),
        "excluded_from": await _excluded(session, member_id),
        "read_aloud": await _rows(session, ReadMemberRow, ReadMemberRow.member_id == member_id),
        "not_read_aloud_in": await _silenced(session, member_id),
        "uses_of_my_voice": await _rows(
            session, UseRow, or_(UseRow.voice_id.in_(heard), UseRow.speaker_id == member_id)
        ),
        "reports": await _rows(session, ReportRow, ReportRow.reporter_id == member_id),
        "reports_about_me": [_without(row, "reporter_id") for row in reported],
        "takes": await _rows(session, GenerationRow, GenerationRow.member_id == member_id),
        "kept_speech": await _kept_speech(session, member_id),
        "cloning_switched": await _switched(session, member_id),
    }


def belongs_to(member_id: int) -> ColumnElement[bool]:
    """Return the condition for voices they own, are heard in, agreed to, or have on their private shelf."""
    return or_(VoiceRow.owner_id == member_id, VoiceRow.guild_id == member_id, is_agreed_by(member_id))


async def _switched(session: AsyncSession, member_id: int) -> list[dict[str, Any]]:
    rows = await _rows(session, GuildSettingsRow, GuildSettingsRow.cloning_by == member_id)
    return [
        {name: row[name] for name in ("guild_id", "cloning_on", "cloning_policy", "cloning_at")}
        for row in rows
    ]


async def _usage(session: AsyncSession, member_id: int) -> list[dict[str, Any]]:
    """Return how much was made for them, by server and day."""
    by_day = (UsageRow.member_id == member_id) & (UsageRow.period == "day")
    rows = await _rows(session, UsageRow, by_day)
    return [{name: row[name] for name in ("guild_id", "began_at", "milliseconds", "calls")} for row in rows]


async def _excluded(session: AsyncSession, member_id: int) -> list[str]:
    """Return the servers whose moderators have turned the bot off for them."""
    named = cast(GuildSettingsRow.excluded_members, String).contains(f'"{member_id}"')
    return [str(one) for one in await session.scalars(select(GuildSettingsRow.guild_id).where(named))]


async def _silenced(session: AsyncSession, member_id: int) -> list[str]:
    """Return the servers whose moderators do not let their messages be read aloud."""
    named = cast(ReadingRulesRow.silenced_members, String).contains(f'"{member_id}"')
    return [str(one) for one in await session.scalars(select(ReadingRulesRow.guild_id).where(named))]


async def _kept_speech(session: AsyncSession, member_id: int) -> list[dict[str, Any]]:
    """Return when their speech was made that is kept; when it was used last may say something of others."""
    asked_for = select(CachedSpeechLabelRow.key).where(CachedSpeechLabelRow.label == member_label(member_id))
    rows = await _rows(session, CachedSpeechRow, CachedSpeechRow.key.in_(asked_for))
    return [{name: row[name] for name in ("made_at", "bytes")} for row in rows]


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
    """Delete everything of a member in all servers, but for what those need whose voice they have used.

    That is the wish never to be cloned, a moderator's word about them, who has used the voices of others,
    and reports, without who reported.
    """
    voices = await load_voices(session, belongs_to(member_id))
    posts = await delete_voices_and_list_posts(session, [voice.id for voice in voices])
    asked, recordings, likenesses = await _what_was_asked(session, member_id)
    rows = {"consents": await _erase_consents(session, member_id, now)}
    posts += await withdraw_voice_messages(
        session, VoiceMessageRow.voice_id.in_([consent_behind(one) for one in likenesses])
    )
    of_their_own = [voice.id for voice in voices if voice.speaker_id in (None, member_id)]
    rows["uses"] = await _erase_uses(session, member_id, of_their_own)
    rows["reports"] = await _erase_reports(session, member_id)
    rows["takes"] = await _delete(
        session, GenerationRow, or_(GenerationRow.member_id == member_id, GenerationRow.guild_id == member_id)
    )
    rows["chosen_voices"] = await _delete(session, ChosenVoiceRow, ChosenVoiceRow.member_id == member_id)
    rows["read_aloud"] = await _delete(session, ReadMemberRow, ReadMemberRow.member_id == member_id)
    rows["shared_with"] = await _delete(session, VoiceMemberRow, VoiceMemberRow.member_id == member_id)
    rows["usage"] = await _erase_usage(session, member_id, now)
    await _erase_settings(session, member_id)
    recordings |= {voice.recording for voice in voices}
    return Erased(tuple(voices), (*posts, *asked), frozenset(recordings), rows, tuple(likenesses))


async def _what_was_asked(session: AsyncSession, member_id: int) -> tuple[list[Post], set[str], list[str]]:
    """Return the messages that name the member beside buttons, the recordings they are about,

    and the likenesses that hang on what was answered. Whose the recordings are stays known.
    """
    asked = await session.execute(
        select(*ConsentRow.__table__.columns).where(
            or_(ConsentRow.asker_id == member_id, is_asked(member_id))
        )
    )
    found = asked.all()
    posts = [Post(row.channel_id, row.message_id) for row in found if row.channel_id and row.message_id]
    recordings = {row.recording for row in found if row.recording}
    await remember_recordings(session, [(row.recording, row.speaker_id) for row in found if row.recording])
    return posts, recordings, [likeness_id(row.id) for row in found]


async def _erase_consents(session: AsyncSession, member_id: int, now: datetime) -> int:
    gone = await _delete(session, ConsentRow, is_asked(member_id))
    mine = ConsentRow.asker_id == member_id
    wiped = ("recording", "name", "sharing", "role_id", "member_ids", "channel_id", "message_id")
    # Whoever deletes their data may not ask the same people again at once for that.
    is_open = (mine, ConsentRow.state == Consent.ASKED.value)
    await _change(session, ConsentRow, {"lapses_at": now}, *is_open, ConsentRow.lapses_at > now)
    await _change(session, ConsentRow, {"state": Consent.LAPSED.value}, *is_open)
    nameless = {"asker_id": await pseudonym(session, member_id), **dict.fromkeys(wiped)}
    gone += await _change(session, ConsentRow, nameless, mine, ConsentRow.state.not_in(_GIVEN))
    values: dict[str, Any] = {"asker_id": NOBODY, "state": Consent.REVOKED.value, **dict.fromkeys(wiped)}
    await _change(session, ConsentRow, {"revoked_at": now}, mine, ConsentRow.revoked_at.is_(None))
    gone += await _change(session, ConsentRow, values, mine)
    named = cast(ConsentRow.member_ids, String).contains(f'"{member_id}"')
    for row in (await session.scalars(select(ConsentRow).where(named))).all():
        row.member_ids = [one for one in row.member_ids or () if one != str(member_id)]
    return gone


async def _erase_uses(session: AsyncSession, member_id: int, voice_ids: list[str]) -> int:
    """Delete the uses of the member's own voice, but for those by somebody who was reported for it.

    Whose voice of others they have used stays for `AUDIT_DAYS`.
    """
    is_reported = exists().where(
        ReportRow.guild_id == UseRow.guild_id,
        ReportRow.voice_id == UseRow.voice_id,
        or_(ReportRow.member_id == UseRow.member_id, ReportRow.member_id.is_(None)),
        or_(UseRow.voice_id != OWN_RECORDING, ReportRow.speaker_id == UseRow.speaker_id),
    )
    is_anybodys = and_(UseRow.speaker_id.is_(None), UseRow.member_id == member_id)
    is_own = or_(
        UseRow.speaker_id == member_id,
        UseRow.voice_id.in_(voice_ids),
        and_(UseRow.voice_id == OWN_RECORDING, is_anybodys),
    )
    gone = await _delete(session, UseRow, or_(UseRow.guild_id == member_id, is_own & ~is_reported))
    await _change(session, UseRow, {"speaker_id": None}, _is_spoken_by_others(UseRow, member_id))
    return gone


async def _erase_reports(session: AsyncSession, member_id: int) -> int:
    """Take the member out of the reports they made, and out of those in which others used their voice."""
    gone = await _delete(session, ReportRow, ReportRow.guild_id == member_id)
    await _change(session, ReportRow, {"speaker_id": None}, _is_spoken_by_others(ReportRow, member_id))
    mine = ReportRow.reporter_id == member_id
    return gone + await _change(session, ReportRow, {"reporter_id": NOBODY}, mine)


def _is_spoken_by_others(table: type[UseRow | ReportRow], speaker_id: int) -> ColumnElement[bool]:
    """Return the condition for a saved voice of this speaker that somebody else has made speak."""
    by_others = or_(table.member_id.is_(None), table.member_id != speaker_id)
    return and_(table.speaker_id == speaker_id, by_others, table.voice_id != OWN_RECORDING)


async def _erase_usage(session: AsyncSession, member_id: int, now: datetime) -> int:
    """Delete how much was made for them; what still counts for a limit goes when it does not any more."""
    theirs, still = UsageRow.member_id == member_id, UsageRow.began_at >= now - COUNTS_FOR
    await _change(session, UsageRow, {"is_forgotten": True}, theirs, still)
    return await _delete(session, UsageRow, theirs, UsageRow.began_at < now - COUNTS_FOR)


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


def _labels(member_id: int, erased: Erased) -> list[str]:
    """Return the labels of the speech that goes with it: asked for by the member, or like their voice."""
    silent = (*(voice.id for voice in erased.voices), *erased.likenesses)
    return [
        member_label(member_id),
        *(voice_label(voice_id) for voice_id in silent),
        *(recording_label(recording) for recording in erased.recordings),
    ]


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Deleted:
    """What was deleted. ``rows`` counts by kind; ``posts`` are still to be deleted in Discord.

    ``is_scrubbed``: nothing of it is left under the data directory; otherwise the rest goes the next time it
    can. What a server of PostgreSQL keeps of deleted rows is not meant.
    """

    voices: tuple[Voice, ...]
    rows: Mapping[str, int]
    posts: tuple[Post, ...]
    is_scrubbed: bool


class Privacy:
    """Everything about a member: exported and deleted."""

    def __init__(
        self,
        database: Database,
        recordings: Recordings,
        speeches: CachedSpeeches,
        withdrawals: Withdrawals,
        *,
        now: Clock = utc_now,
    ) -> None:
        self._database = database
        self._recordings = recordings
        self._withdrawals = withdrawals
        self._speeches = speeches
        self._now = now

    async def export(self, member_id: int) -> dict[str, Any]:
        """Return everything about a member in all servers, ready for JSON."""
        async with self._database.reading() as session:
            found = await everything_about(session, member_id)
        return {"member_id": str(member_id), "exported_at": self._now().isoformat(), **found}

    async def voices(self, member_id: int) -> list[Voice]:
        """Return the voices that `delete` would delete, by name."""
        async with self._database.reading() as session:
            found = await load_voices(session, belongs_to(member_id))
        return sorted(found, key=lambda voice: name_key(voice.name))

    async def delete(self, member_id: int) -> Deleted:
        """Delete everything of a member: rows, recordings, kept speech, and what the disk still shows of it.

        What stays is said at `erase`. Whoever subscribed to the withdrawals was told of the
        voices. Raises `LibraryError` if nothing could be deleted.
        """
        async with self._database.session() as session:
            erased = await erase(session, member_id, self._now())
            speeches = await self._speeches.forget(session, _labels(member_id, erased))
        await self._withdrawals.announce(
            Withdrawal(
                *(erased.voices, erased.posts),
                likenesses=erased.likenesses,
                speeches=speeches,
                members=[member_label(member_id)],
            )
        )
        is_scrubbed = True
        try:
            await self._recordings.drop_unused(erased.recordings)
            await self._database.scrub()
        except LibraryError as error:  # the rows are gone, and the library tidies the rest up later
            log.warning("traces of a member's data are left for now: %s", error)
            is_scrubbed = False
        is_scrubbed = is_scrubbed and not self._database.needs_scrubbing
        return Deleted(erased.voices, erased.rows, erased.posts, is_scrubbed)

"""Known recordings: whose voice is in them, for as long as anybody may upload them again; and signatures.

The bytes of a recording are in many hands: whoever asked has them, and whoever may use a voice can hear it.
When its speaker has taken it back, declined, or not answered, the same bytes must not come back as somebody
else's own voice. So a keyed hash of them stays, of the upload and of what it was mended to, and beside it a
keyed hash of whose voice it is: no id, no name, no sound. A recording that is encoded anew has other bytes,
and is not known.

The key lies in the database (`IdentityRow`): in every copy of it, and in front of every bot that shares it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from bot.library.database import Database, insert_missing
from bot.library.tables import ConsentRow, IdentityRow, KnownRecordingRow, RecordingRow, VoiceRow
from bot.library.voice import NOBODY, Kind, Scope

GENERATED: Final = (
    "I made that recording, so it isn't anyone's own voice. To keep a take, press Save voice under it."
)
"""What a member reads who gives speech that was made here for somebody's own voice."""

_OF_ANOTHER: Final = (
    "That recording is of another member's voice, so only they can use it as their own. Record yourself."
)
_OF_A_THIRD: Final = "That isn't the voice of the member you named. Name the member who is heard in it."
_FROZEN: Final = "A moderator has frozen that recording here. Ask them, or use another recording."

_EVERYWHERE: Final = 0
_SOMEBODY: Final = -1  # whose voice it is, but not who
_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a recording: ``speakers`` are those in whose names it was used, or asked for.

    ``is_generated``: it was made here. ``is_frozen``: moderators of this server have frozen it, and do not
    believe who says that it is their own voice.
    """

    speakers: frozenset[int] = frozenset()
    is_generated: bool = False
    is_frozen: bool = False


def recording_permission_error(known: Known, asker_id: int, speaker_id: int) -> str | None:
    """Return why ``asker_id`` may not use a recording as the voice of ``speaker_id``, or None: they may."""
    if known.is_generated:
        return GENERATED
    if known.is_frozen and asker_id == speaker_id:
        return _FROZEN
    if not known.speakers or speaker_id in known.speakers:
        return None
    return _OF_ANOTHER if asker_id == speaker_id else _OF_A_THIRD


class KnownRecordings:
    """The recordings that this database knows, also when their voices are gone; and what it has signed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def permission_error(
        self, scope: Scope, speaker_id: int, *, upload: str, recording: str
    ) -> str | None:
        """Return why a recording may not be used here as the voice of ``speaker_id``, or None: it may.

        ``upload`` is the SHA-256 of what was uploaded, ``recording`` that of what it was mended to.
        """
        async with self._database.reading() as session:
            known = await _known(session, scope, speaker_id, (upload, recording))
        return recording_permission_error(known, scope.member_id, speaker_id)

    async def signature(self, content: bytes) -> str:
        """Return what proves to this database, and to no other, that ``content`` comes from it."""
        async with self._database.reading() as session:
            return _keyed(await _key(session), "content", hashlib.sha256(content).hexdigest())

    async def is_signed(self, content: bytes, signature: str) -> bool:
        """Return whether this is the `signature` of ``content``."""
        expected = await self.signature(content)
        return hmac.compare_digest(expected.encode(), signature.encode())


async def upload_hash(session: AsyncSession, sha256: str) -> str:
    """Return how the upload with this SHA-256 is written beside the recording it was mended to."""
    return _recording(await _key(session), sha256)


async def remember_recordings(session: AsyncSession, spoken: Iterable[tuple[str, int]]) -> None:
    """Remember recordings, by their SHA-256, and whose voices they are; in the caller's transaction."""
    by_sha256 = list(spoken)
    if not by_sha256:
        return
    key, uploads = await _key(session), await _uploads(session, [sha256 for sha256, _ in by_sha256])
    await _insert(
        session,
        [
            _row(known_as, _member(key, speaker_id), _EVERYWHERE)
            for sha256, speaker_id in by_sha256
            for known_as in (_recording(key, sha256), uploads.get(sha256))
            if known_as is not None
        ],
    )


async def remember_voices(session: AsyncSession, voice_ids: Sequence[str]) -> None:
    """Remember the recordings of cloned voices that are about to be deleted, in the caller's transaction.

    Of one that moderators have frozen, which its owner says is their own, they go on disbelieving it there.
    """
    columns = (VoiceRow.guild_id, VoiceRow.owner_id, VoiceRow.speaker_id, VoiceRow.recording)
    cloned = and_(VoiceRow.kind == Kind.CLONED.value, VoiceRow.speaker_id.is_not(None))
    found: list[Row[*tuple[Any, ...]]] = []
    for start in range(0, len(voice_ids), _AT_ONCE):
        some = VoiceRow.id.in_(voice_ids[start : start + _AT_ONCE])
        wanted = select(*columns, VoiceRow.is_frozen, RecordingRow.upload_hash).outerjoin(
            RecordingRow, RecordingRow.sha256 == VoiceRow.recording
        )
        found += (await session.execute(wanted.where(some, cloned))).all()
    if not found:
        return
    key, rows = await _key(session), []
    for voice in found:
        for known_as in filter(None, (_recording(key, voice.recording), voice.upload_hash)):
            rows.append(_row(known_as, _member(key, voice.speaker_id), _EVERYWHERE))
            if voice.is_frozen and voice.owner_id == voice.speaker_id:
                rows.append(_row(known_as, _member(key, NOBODY), voice.guild_id))
    await _insert(session, rows)


async def pseudonym(session: AsyncSession, member_id: int) -> int:
    """Return a negative number that stands for a member, for rows that must not say who it is."""
    return -1 - (int(_member(await _key(session), member_id), 16) >> 194)


async def known_as_theirs(session: AsyncSession, member_id: int) -> ColumnElement[bool]:
    """Return the condition for the known recordings that are of this member's voice."""
    return KnownRecordingRow.speaker == _member(await _key(session), member_id)


async def _known(session: AsyncSession, scope: Scope, speaker_id: int, sha256s: Sequence[str]) -> Known:
    key = await _key(session)
    hashes = [_recording(key, sha256) for sha256 in sha256s]
    rows = (await session.scalars(select(KnownRecordingRow).where(KnownRecordingRow.hash.in_(hashes)))).all()
    names = {_member(key, speaker_id): speaker_id}
    speakers = {names.get(row.speaker, _SOMEBODY) for row in rows if row.guild_id == _EVERYWHERE}
    is_frozen = any(row.guild_id == scope.guild_id for row in rows)
    is_generated = False
    names_it = _is_one_of(VoiceRow.recording, sha256s, hashes)
    for voice in (await session.scalars(select(VoiceRow).where(names_it))).all():
        is_generated |= voice.kind != Kind.CLONED.value
        is_own = voice.owner_id == voice.speaker_id
        is_frozen |= voice.is_frozen and is_own and voice.guild_id == scope.guild_id
        speakers |= set() if voice.speaker_id is None else {voice.speaker_id}
    asked_about = _is_one_of(ConsentRow.recording, sha256s, hashes)
    speakers |= set(await session.scalars(select(ConsentRow.speaker_id).where(asked_about)))
    return Known(frozenset(speakers), is_generated, is_frozen)


def _is_one_of(
    recording: InstrumentedAttribute[Any], sha256s: Sequence[str], hashes: Sequence[str]
) -> ColumnElement[bool]:
    """Return the condition that a row names one of these recordings, or what one of them was mended to."""
    mended = select(RecordingRow.sha256).where(RecordingRow.upload_hash.in_(hashes))
    return or_(recording.in_(sha256s), recording.in_(mended))


async def _uploads(session: AsyncSession, sha256s: Sequence[str]) -> dict[str, str]:
    wanted = select(RecordingRow.sha256, RecordingRow.upload_hash).where(RecordingRow.sha256.in_(sha256s))
    return {sha256: found for sha256, found in await session.execute(wanted) if found is not None}


async def _insert(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    for start in range(0, len(rows), _AT_ONCE):
        await insert_missing(session, KnownRecordingRow, rows[start : start + _AT_ONCE])


def _row(known_as: str, speaker: str, guild_id: int) -> dict[str, Any]:
    return {"hash": known_as, "speaker": speaker, "guild_id": guild_id}


async def _key(session: AsyncSession) -> bytes:
    return bytes.fromhex(await session.scalar(select(IdentityRow.key)) or "")


def _recording(key: bytes, sha256: str) -> str:
    return _keyed(key, "recording", sha256)


def _member(key: bytes, member_id: int) -> str:
    return _keyed(key, "member", str(member_id))


def _keyed(key: bytes, kind: str, value: str) -> str:
    return hmac.new(key, f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()

"""In which messages the recording of a voice stands, so that it has a public address."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.library.database import Database
from bot.library.tables import RecordingPostRow, VoiceRow
from bot.library.upsert import upsert


@dataclass(frozen=True, slots=True)
class RecordingPost:
    """A message of ours with a voice's recording, and the address it had when last seen."""

    voice_id: str
    channel_id: int
    message_id: int
    attachment_id: int
    url: str = field(repr=False)
    posted_at: datetime


class RecordingPosts:
    """The posts of every voice, remembered until their message is deleted, however long that takes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remember(self, post: RecordingPost) -> None:
        """Remember a post, or its newer address."""
        values = {name: value for name, value in asdict(post).items() if name != "message_id"}
        async with self._database.session() as session:
            await upsert(session, RecordingPostRow, {"message_id": post.message_id}, values)

    async def of(self, voice_id: str) -> list[RecordingPost]:
        """Return the posts of a voice, the newest first."""
        async with self._database.reading() as session:
            return await _posts(session, RecordingPostRow.voice_id == voice_id)

    async def forget(self, message_id: int) -> None:
        """Forget a post whose message is deleted."""
        async with self._database.session() as session:
            await session.execute(delete(RecordingPostRow).where(RecordingPostRow.message_id == message_id))

    async def orphans(self) -> list[RecordingPost]:
        """Return the posts of voices that are gone: their messages are still to be deleted."""
        async with self._database.reading() as session:
            return await _posts(session, RecordingPostRow.voice_id.not_in(select(VoiceRow.id)))


async def _posts(session: AsyncSession, condition: ColumnElement[bool]) -> list[RecordingPost]:
    wanted = select(RecordingPostRow).where(condition).order_by(RecordingPostRow.posted_at.desc())
    return [
        RecordingPost(
            voice_id=row.voice_id,
            channel_id=row.channel_id,
            message_id=row.message_id,
            attachment_id=row.attachment_id,
            url=row.url,
            posted_at=row.posted_at,
        )
        for row in await session.scalars(wanted)
    ]

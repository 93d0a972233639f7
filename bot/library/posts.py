"""In which messages the recording of a voice stands, so that it has a public address."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.library.database import Database
from bot.library.tables import RecordingPostRow, VoiceRow
from bot.library.upsert import upsert
from bot.library.withdrawal import Post

MAX_TRIES: Final = 12
"""So often a message is tried that cannot be deleted: after 1, 2, 4, 8, 16 hours, then daily, for a week."""

_LONGEST_WAIT: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class RecordingPost:
    """A message of ours with a voice's recording, and the address it had when last seen."""

    voice_id: str
    channel_id: int
    message_id: int
    attachment_id: int
    url: str = field(repr=False)
    posted_at: datetime


@dataclass(frozen=True, slots=True)
class Undeleted:
    """How many messages with recordings are still to be deleted, and how many are not tried any more."""

    waiting: int
    given_up: int


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
        """Return the posts of a voice that can be used, the newest first."""
        async with self._database.reading() as session:
            conditions = (RecordingPostRow.voice_id == voice_id, RecordingPostRow.attachment_id != 0)
            return [_post(row) for row in await _rows(session, *conditions)]

    async def forget(self, message_id: int) -> None:
        """Forget a post whose message is deleted."""
        async with self._database.session() as session:
            await session.execute(delete(RecordingPostRow).where(RecordingPostRow.message_id == message_id))

    async def not_deleted(self, message_id: int, now: datetime) -> None:
        """Note that a post could not be deleted: it is not used any more, and tried again later."""
        async with self._database.session() as session:
            await session.execute(
                update(RecordingPostRow)
                .where(RecordingPostRow.message_id == message_id)
                .values(url="", attachment_id=0, tries=RecordingPostRow.tries + 1, tried_at=now)
            )

    async def to_delete(self, now: datetime) -> list[Post]:
        """Return the messages to delete now: of voices that are gone, and those that were replaced.

        One that could not be deleted is left out for a while, and after `MAX_TRIES` for good.
        """
        async with self._database.reading() as session:
            rows = await _rows(session, _unwanted(), RecordingPostRow.tries < MAX_TRIES)
            return [_place(row) for row in rows if _is_due(row, now)]

    async def elsewhere(self, channel_id: int | None) -> list[Post]:
        """Return the messages that can still be used and are in any other channel than this."""
        async with self._database.reading() as session:
            conditions = [RecordingPostRow.attachment_id != 0]
            if channel_id is not None:
                conditions.append(RecordingPostRow.channel_id != channel_id)
            return [_place(row) for row in await _rows(session, *conditions)]

    async def undeleted(self) -> Undeleted:
        """Return how many messages are still to be deleted."""
        async with self._database.reading() as session:
            tries = [row.tries for row in await _rows(session, _unwanted())]
        given_up = sum(times >= MAX_TRIES for times in tries)
        return Undeleted(len(tries) - given_up, given_up)


def _unwanted() -> ColumnElement[bool]:
    is_orphan = RecordingPostRow.voice_id.not_in(select(VoiceRow.id))
    return or_(is_orphan, RecordingPostRow.attachment_id == 0)


def _is_due(row: RecordingPostRow, now: datetime) -> bool:
    if row.tried_at is None:
        return True
    wait = min(_LONGEST_WAIT, timedelta(hours=2 ** (max(1, row.tries) - 1)))
    return row.tried_at + wait <= now


async def _rows(session: AsyncSession, *conditions: ColumnElement[bool]) -> list[RecordingPostRow]:
    wanted = select(RecordingPostRow).where(*conditions).order_by(RecordingPostRow.posted_at.desc())
    return list(await session.scalars(wanted))


def _post(row: RecordingPostRow) -> RecordingPost:
    return RecordingPost(
        voice_id=row.voice_id,
        channel_id=row.channel_id,
        message_id=row.message_id,
        attachment_id=row.attachment_id,
        url=row.url,
        posted_at=row.posted_at,
    )


def _place(row: RecordingPostRow) -> Post:
    return Post(row.channel_id, row.message_id)

"""Deleting voices so that those who must act on it know what is still out there."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.library.tables import RecordingPostRow
from bot.library.voice_rows import delete_voices
from bot.library.withdrawal import Post


async def take_away(session: AsyncSession, voice_ids: Sequence[str]) -> list[Post]:
    """Delete these voices in the caller's transaction; return the messages with their recordings.

    Of a message only the place is remembered, until it is deleted in Discord: its address is wiped.
    """
    found = await session.execute(
        update(RecordingPostRow)
        .where(RecordingPostRow.voice_id.in_(voice_ids))
        .values(url="", attachment_id=0)
        .returning(RecordingPostRow.channel_id, RecordingPostRow.message_id)
        .execution_options(synchronize_session=False)
    )
    posts = [Post(channel_id, message_id) for channel_id, message_id in found]
    await delete_voices(session, voice_ids)
    return posts

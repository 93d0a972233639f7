"""Servers that removed the bot long ago: everything of them is deleted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select

from bot.library.database import Database
from bot.library.tables import (
    ChosenVoiceRow,
    ConsentRow,
    GuildSettingsRow,
    ReportRow,
    TakeRow,
    UseRow,
    VoiceRow,
)
from bot.library.voice import Voice
from bot.library.voice_rows import load_voices
from bot.library.withdrawal import Post
from bot.library.withdrawing import take_away
from bot.limits import LEFT_GUILD_DAYS

_TABLES: Final = (ChosenVoiceRow, ReportRow, TakeRow, UseRow, GuildSettingsRow, ConsentRow)


@dataclass(frozen=True, slots=True)
class Purged:
    """What went: servers and voices. ``posts`` are still there, and recordings, which nothing names now."""

    guild_ids: tuple[int, ...]
    voices: tuple[Voice, ...]
    posts: tuple[Post, ...]


async def purge_left_guilds(database: Database, now: datetime) -> Purged:
    """Delete all rows of the servers that were left more than `LEFT_GUILD_DAYS` ago; posts stay known."""
    oldest = now - timedelta(days=LEFT_GUILD_DAYS)
    async with database.session() as session:
        left = select(GuildSettingsRow.guild_id).where(GuildSettingsRow.left_at < oldest)
        guild_ids = tuple(await session.scalars(left))
        voices = await load_voices(session, VoiceRow.guild_id.in_(guild_ids)) if guild_ids else []
        posts = await take_away(session, [voice.id for voice in voices])
        for table in _TABLES if guild_ids else ():
            await session.execute(delete(table).where(table.guild_id.in_(guild_ids)))
    return Purged(guild_ids, tuple(voices), tuple(posts))

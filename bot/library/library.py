"""The library: the one object that the cogs get for everything that survives a restart."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sqlalchemy import delete, select

from bot.errors import LibraryBusyError, LibraryError
from bot.library.audit import Audit
from bot.library.cached_speeches import CachedSpeeches
from bot.library.consent import Consents
from bot.library.database import Database, mark
from bot.library.generations import Generations
from bot.library.guild_settings import GuildSettings
from bot.library.known_recordings import KnownRecordings
from bot.library.privacy import Privacy
from bot.library.processes import Processes
from bot.library.reading import Reading
from bot.library.recording_folder import RECORDING_FOLDER, DataLimit
from bot.library.recordings import Recordings
from bot.library.starters import StarterVoices
from bot.library.tables import (
    ChosenVoiceRow,
    ConsentRow,
    DictionaryWordRow,
    FrozenLikenessRow,
    GenerationRow,
    GuildSettingsRow,
    ReadChannelRow,
    ReadingRulesRow,
    ReadMemberRow,
    ReportRow,
    UsageRow,
    UseRow,
    VoiceRow,
)
from bot.library.usage import NO_LIMITS, OperatorLimits, Usage
from bot.library.voice import Clock, Voice, utc_now
from bot.library.voice_rows import load_voices
from bot.library.voices import Voices
from bot.library.withdrawal import (
    ChangeFeed,
    Post,
    RecordingPosts,
    Withdrawal,
    Withdrawals,
    delete_voices_and_list_posts,
)
from bot.limits import LEFT_GUILD_DAYS
from bot.models import Shards

_TABLES: Final = (
    ChosenVoiceRow,
    ReportRow,
    GenerationRow,
    UseRow,
    UsageRow,
    FrozenLikenessRow,
    ReadingRulesRow,
    ReadChannelRow,
    ReadMemberRow,
    DictionaryWordRow,
    GuildSettingsRow,
    ConsentRow,
)


@dataclass(frozen=True, slots=True)
class Purged:
    """What went: servers and voices. ``posts`` are still there, and recordings, which nothing names now."""

    guild_ids: tuple[int, ...]
    voices: tuple[Voice, ...]
    posts: tuple[Post, ...]


async def purge_left_guilds(database: Database, now: datetime, shards: Shards) -> Purged:
    """Delete all rows of the servers of these shards that were left more than `LEFT_GUILD_DAYS` ago.

    Posts stay known.
    """
    oldest = now - timedelta(days=LEFT_GUILD_DAYS)
    async with database.session() as session:
        left = select(GuildSettingsRow.guild_id).where(GuildSettingsRow.left_at < oldest)
        guild_ids = tuple(filter(shards.hold, await session.scalars(left)))
        voices = await load_voices(session, VoiceRow.guild_id.in_(guild_ids)) if guild_ids else []
        posts = await delete_voices_and_list_posts(session, [voice.id for voice in voices])
        for table in _TABLES if guild_ids else ():
            await session.execute(delete(table).where(table.guild_id.in_(guild_ids)))
    return Purged(guild_ids, tuple(voices), tuple(posts))


log = logging.getLogger(__name__)

TIDY_SECONDS: Final = 3_600.0
_FIRST_TIDY_SECONDS: Final = 10.0  # the start has other work
_SCRUB_AGAIN_SECONDS: Final = (0.1, 0.5, 2.0)
"""Pauses for whoever reads the database file; a copy of it takes about a second."""


class Library:
    """An async context manager: entered it is open and in order, left everything is written and closed.

    ``url`` names the database; None: a file of SQLite under ``data_dir``. Recordings are under ``data_dir``
    either way, within ``limit``; ``speech_limits`` are on the speech that is made. Entering raises
    `LibraryError` with a sentence for the operator.
    """

    database: Database
    voices: Voices
    recordings: Recordings
    known_recordings: KnownRecordings
    starters: StarterVoices
    posts: RecordingPosts
    cached_speeches: CachedSpeeches
    generations: Generations
    settings: GuildSettings
    withdrawals: Withdrawals
    consents: Consents
    audit: Audit
    privacy: Privacy
    usage: Usage
    reading: Reading
    processes: Processes
    changes: ChangeFeed

    def __init__(
        self,
        url: str | None,
        data_dir: Path,
        *,
        limit: DataLimit | None = None,
        speech_limits: OperatorLimits = NO_LIMITS,
        now: Clock = utc_now,
    ) -> None:
        self._url = url
        self._speech_limits = speech_limits
        self._data_dir = data_dir
        self._limit = limit
        self._now = now
        self._parts = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as parts:
            await self._open(parts)
            self._parts = parts.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._parts.aclose()

    async def _open(self, parts: AsyncExitStack) -> None:
        self.database = await parts.enter_async_context(await Database.open(self._url, self._data_dir))
        await asyncio.to_thread(mark, self._data_dir, self.database.id)
        self.processes = await parts.enter_async_context(Processes(self.database))
        self.settings = await parts.enter_async_context(GuildSettings(self.database, now=self._now))
        usage = Usage(self.database, self._speech_limits, now=self._now)
        self.usage = await parts.enter_async_context(usage)
        await self.usage.look()
        self.reading = Reading(self.database)
        folder = self._data_dir / RECORDING_FOLDER
        self.recordings = Recordings(self.database, folder, limit=self._limit, now=self._now)
        self.starters = StarterVoices(self.database, self.recordings, now=self._now)
        await self.starters.bring_up_to_date()
        await self._drop_recordings()
        self.known_recordings = KnownRecordings(self.database)
        self.posts = RecordingPosts(self.database)
        speeches = self.cached_speeches = CachedSpeeches(self.database, now=self._now)
        self.withdrawals = Withdrawals()
        parts.push_async_callback(self.withdrawals.aclose)
        self.withdrawals.subscribe(self._erase)
        self.consents = Consents(self.database, speeches, self.withdrawals, now=self._now)
        self.generations = Generations(self.database, speeches, self.consents, now=self._now)
        self.audit = Audit(self.database, self.withdrawals, now=self._now)
        self.privacy = Privacy(self.database, self.recordings, speeches, self.withdrawals, now=self._now)
        self.voices = Voices(self.database, self.recordings, self.consents, self.withdrawals, now=self._now)
        feed = ChangeFeed(self.database, self.withdrawals, stirred=self.processes.stirred)
        self.changes = await parts.enter_async_context(feed)
        tidying = asyncio.create_task(self._keep_tidy(), name="library")
        parts.push_async_callback(_ended, tidying)

    async def _drop_recordings(self) -> None:
        """Delete the recordings that nothing names; what fails now is tried again the next time."""
        try:
            await self.recordings.files_into_rows()
            await self.recordings.drop_unused()
        except (LibraryError, OSError) as error:
            log.warning("the recordings are not tidied up: %s", error)

    async def _erase(self, withdrawal: Withdrawal) -> None:
        """Leave nothing on the disk of voices and recordings that are deleted."""
        gone = [voice.recording for voice in withdrawal.voices]
        if not withdrawal.is_final or not (gone or withdrawal.recordings):  # of a likeness nothing is kept
            return
        self.database.needs_scrubbing = True  # if it fails now, `tidy` does it
        await self.recordings.drop_unused([*gone, *withdrawal.recordings])
        await self._scrub()

    async def _scrub(self) -> None:
        """Scrub the database, a few times where somebody reads it; after that `tidy` does it."""
        for seconds in _SCRUB_AGAIN_SECONDS:
            with suppress(LibraryBusyError):
                await self.database.scrub()
                return
            await asyncio.sleep(seconds)  # without a lock: others write meanwhile
        await self.database.scrub()

    async def _keep_tidy(self) -> None:
        await asyncio.sleep(_FIRST_TIDY_SECONDS)
        while True:
            try:
                await self.tidy()
            except (LibraryError, OSError) as error:
                log.warning("the library is not tidied up: %s", error)
            await asyncio.sleep(TIDY_SECONDS)

    async def tidy(self) -> None:
        """Delete what is too old or left over: generations, audit, servers long left, files.

        Of several processes one deletes rows that are anybody's, each those of servers it is in and its own
        files. Questions of consent are ended by whoever can take their buttons away: `Consents.sweep`.
        """
        leads = await self.processes.leads()
        if leads:
            await self.generations.sweep()
            await self.audit.sweep()
            await self.usage.sweep()
            await self.changes.sweep()
        if self.settings.looked_at is not None:
            await self._purge(self.settings.looked_at)
        if self.database.needs_scrubbing:
            await self._scrub()
        if leads:
            await self.database.vacuum()
        await self._drop_recordings()
        try:
            await self.database.back_up()
        finally:
            await self.database.forget_old_backups()
        if self._limit is not None and not await asyncio.to_thread(self._limit.make_room):
            log.warning(
                "DATA_DIR holds more than the %d MB it may, so no new recordings are kept. Set "
                "DATA_MEGABYTES higher, or delete voices.",
                self._limit.max_bytes // 1024**2,
            )

    async def _purge(self, shards: Shards) -> None:
        purged = await purge_left_guilds(self.database, self._now(), shards)
        for guild_id in purged.guild_ids:
            self.settings.forget(guild_id)
            self.database.needs_scrubbing = True
        await self.withdrawals.announce(Withdrawal(purged.voices, purged.posts))


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})

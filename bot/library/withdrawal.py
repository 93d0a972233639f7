"""Withdrawal: voices that must fall silent, the messages with their recordings, and who is told at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, delete, func, not_, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.library.consent_rules import Consent
from bot.library.database import Database, insert_missing, upsert
from bot.library.known_recordings import remember_voices
from bot.library.starters import POST_ID_CHARS
from bot.library.tables import (
    ChannelToSearchRow,
    ConsentRow,
    RecordingPostRow,
    StarterRecordingRow,
    VoiceMessageRow,
    VoiceRow,
    read_as,
)
from bot.library.voice import Voice, utc_now
from bot.library.voice_rows import delete_voices

log = logging.getLogger(__name__)

ANNOUNCE_SECONDS: Final = 1.0
"""So long the one who withdraws waits for the others; what takes longer goes on behind them."""


@dataclass(frozen=True, slots=True)
class Post:
    """A message of ours in Discord in which somebody is heard."""

    channel_id: int
    message_id: int


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """These ``voices`` may not be heard any more, nor ``likenesses``, the ids of those that are not saved.

    ``is_final``: they are deleted, and ``posts`` are to be deleted in Discord; otherwise they are frozen or
    rest and may come back. A voice that was thawed is told of too: it is not ``is_frozen`` then.
    ``recordings`` are of questions that are over. ``speeches`` are the keys of kept speech that is forgotten,
    and whose files are to be deleted. ``members`` are the labels of those who deleted their data:
    nothing they asked for is said.
    ``is_blind``: nobody knows what was withdrawn lately, so nothing that is cloned is heard for now.
    """

    voices: Sequence[Voice]
    posts: Sequence[Post] = ()
    is_final: bool = True
    likenesses: Sequence[str] = ()
    recordings: Sequence[str] = ()
    speeches: Sequence[str] = ()
    members: Sequence[str] = ()
    is_blind: bool = False

    @property
    def silent_ids(self) -> list[str]:
        """The ids of the voices and likenesses that fall silent; one that was thawed does not."""
        saved = [voice.id for voice in self.voices if self.is_final or voice.is_frozen]
        return [*saved, *self.likenesses]


Listener = Callable[[Withdrawal], Awaitable[None]]
"""Drops what it holds of the voices: places in the queue, kept speech, posts."""


class Withdrawals:
    """Passes each withdrawal on to all who have subscribed, at the same time."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._of_others: list[Listener] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def subscribe(self, listener: Listener, *, of_others: bool = True) -> None:
        """Call ``listener`` with every withdrawal from now on. Its errors hold nobody else up.

        Without those ``of_others``, it hears only what happens in this process.
        """
        self._listeners.append(listener)
        if of_others:
            self._of_others.append(listener)

    async def announce(self, withdrawal: Withdrawal) -> None:
        """Tell everybody, and wait a moment for them."""
        told = (withdrawal.voices, withdrawal.posts, withdrawal.likenesses, withdrawal.recordings)
        if any((*told, withdrawal.speeches, withdrawal.members)):
            await self._announce(self._listeners, withdrawal)

    async def announce_of_others(self, withdrawal: Withdrawal) -> None:
        """Tell everybody of what another process has told us, and wait a moment for them."""
        await self._announce(self._of_others, withdrawal)

    async def _announce(self, listeners: Sequence[Listener], withdrawal: Withdrawal) -> None:
        tasks = {
            asyncio.create_task(self._tell(listener, withdrawal), name="withdrawal") for listener in listeners
        }
        self._tasks |= tasks
        for task in tasks:
            task.add_done_callback(self._tasks.discard)
        if tasks:
            await asyncio.wait(tasks, timeout=ANNOUNCE_SECONDS)

    async def aclose(self) -> None:
        """Wait until everybody is done."""
        await asyncio.gather(*self._tasks)

    async def _tell(self, listener: Listener, withdrawal: Withdrawal) -> None:
        try:
            await listener(withdrawal)
        except Exception:
            log.exception("something of a withdrawn voice may be left")


async def delete_voices_and_list_posts(session: AsyncSession, voice_ids: Sequence[str]) -> list[Post]:
    """Delete these voices in the caller's transaction; return the messages with their recordings,

    and the voice messages in which they are heard. Of a message only the place is remembered, until it is
    deleted in Discord: its address is wiped. Whose their recordings are stays known.
    """
    await remember_voices(session, voice_ids)
    spoken = await withdraw_voice_messages(session, VoiceMessageRow.voice_id.in_(voice_ids))
    found = await session.execute(
        update(RecordingPostRow)
        .where(RecordingPostRow.voice_id.in_(voice_ids))
        .values(url="", attachment_id=0)
        .returning(RecordingPostRow.channel_id, RecordingPostRow.message_id)
        .execution_options(synchronize_session=False)
    )
    posts = [Post(channel_id, message_id) for channel_id, message_id in found]
    await delete_voices(session, voice_ids)
    return [*posts, *spoken]


async def remember_voice_message(
    session: AsyncSession, post: Post, take_id: str, voice_ids: Collection[str], posted_at: datetime
) -> None:
    """Remember a voice message, which goes with its generation and with each of these voices."""
    values = {**asdict(post), "take_id": take_id, "posted_at": posted_at}
    rows = [{**values, "voice_id": voice_id} for voice_id in voice_ids or ("",)]
    await insert_missing(session, VoiceMessageRow, rows)


async def withdraw_voice_messages(session: AsyncSession, condition: ColumnElement[bool]) -> list[Post]:
    """Return the voice messages for which ``condition`` holds; they are still to be deleted from now on."""
    wanted = select(VoiceMessageRow.message_id).where(condition)
    gone = await session.execute(
        delete(VoiceMessageRow)
        .where(VoiceMessageRow.message_id.in_(wanted))
        .returning(VoiceMessageRow.channel_id, VoiceMessageRow.message_id, VoiceMessageRow.posted_at)
        .execution_options(synchronize_session=False)
    )
    posts = {Post(row.channel_id, row.message_id): row.posted_at for row in gone}
    for post, posted_at in posts.items():
        await withdraw_posts(session, [post], posted_at)
    return list(posts)


async def withdraw_posts(session: AsyncSession, posts: Collection[Post], posted_at: datetime) -> None:
    """Remember messages of ours that are to be deleted, however long that takes."""
    values = {"voice_id": "", "attachment_id": 0, "url": "", "posted_at": posted_at, "tries": 0}
    await insert_missing(session, RecordingPostRow, [{**asdict(post), **values} for post in posts])


MAX_TRIES: Final = 12
"""So often a message is tried that cannot be deleted, or a channel that cannot be looked through: after 1, 2,
4, 8, 16 hours, then daily, for a week."""

LIKENESS_POST_HOURS: Final = 24
"""How long a recording stands that was mended for /clone, whose address Discord signs for about as long."""

_LONGEST_WAIT: Final = timedelta(days=1)
_POSTING: Final = 1  # for PostgreSQL: the first of the two names of these locks
_TURN_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class RecordingPost:
    """A message of ours with a voice's recording, and the address it had when last seen.

    ``voice_id`` is that of a saved voice, or of the consent behind a likeness; for a starter see `post_id`.
    """

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

    @asynccontextmanager
    async def turn(self, voice_id: str) -> AsyncIterator[None]:
        """Have the turn of posting the recording of a voice: two processes would delete each other's."""
        if self._database.is_sqlite:
            yield
            return
        async with self._database.connection() as connection:
            mine = select(func.pg_try_advisory_lock(_POSTING, func.hashtext(voice_id)))
            while not await connection.scalar(mine):  # noqa: ASYNC110 - another process has no event
                await asyncio.sleep(_TURN_SECONDS)
            yield

    async def remember(self, post: RecordingPost) -> None:
        """Remember a post, or its newer address."""
        values = {name: value for name, value in asdict(post).items() if name != "message_id"}
        async with self._database.session() as session:
            await upsert(session, RecordingPostRow, {"message_id": post.message_id}, values)

    async def of(self, voice_id: str) -> list[RecordingPost]:
        """Return the posts of a voice that can be used, the newest first."""
        async with self._database.reading() as session:
            conditions = (RecordingPostRow.voice_id == voice_id, RecordingPostRow.attachment_id != 0)
            return [read_as(RecordingPost, row) for row in await _rows(session, *conditions)]

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
        """Return the messages to delete now: of voices that are gone, those that were replaced, of /clone.

        One that could not be deleted is left out for a while, and after `MAX_TRIES` for good.
        """
        async with self._database.reading() as session:
            rows = await _rows(session, _unwanted(now), RecordingPostRow.tries < MAX_TRIES)
            return [read_as(Post, row) for row in rows if _is_due(row, now)]

    async def elsewhere(self, channel_id: int | None) -> list[Post]:
        """Return the messages that can still be used and are in any other channel than this."""
        async with self._database.reading() as session:
            conditions = [RecordingPostRow.attachment_id != 0]
            if channel_id is not None:
                conditions.append(RecordingPostRow.channel_id != channel_id)
            return [read_as(Post, row) for row in await _rows(session, *conditions)]

    async def everywhere(self) -> set[Post]:
        """Return every message there is in which somebody is heard."""
        async with self._database.reading() as session:
            found = {read_as(Post, row) for row in await _rows(session)}
            spoken = await session.execute(select(VoiceMessageRow.channel_id, VoiceMessageRow.message_id))
            return found | {Post(channel_id, message_id) for channel_id, message_id in spoken}

    async def withdraw_all(self) -> list[Post]:
        """Return every message in which somebody is heard; all are still to be deleted from now on."""
        async with self._database.session() as session:
            await withdraw_voice_messages(session, true())
            await session.execute(update(RecordingPostRow).values(url="", attachment_id=0))
            return [read_as(Post, row) for row in await _rows(session)]

    async def channels_to_search(self, now: datetime | None) -> list[int]:
        """Return the channels to look through ``now`` for recordings of an earlier edition in no row.

        None: whenever it is time for them.
        """
        async with self._database.reading() as session:
            rows = await session.scalars(select(ChannelToSearchRow).order_by(ChannelToSearchRow.channel_id))
            return [row.channel_id for row in rows if now is None or _is_due(row, now)]

    async def searched(self, channel_id: int) -> None:
        """Note that a channel was looked through."""
        async with self._database.session() as session:
            await session.execute(
                delete(ChannelToSearchRow).where(ChannelToSearchRow.channel_id == channel_id)
            )

    async def not_searched(self, channel_id: int, now: datetime) -> None:
        """Note that a channel could not be looked through: it is tried again later, `MAX_TRIES` in all."""
        async with self._database.session() as session:
            row = await session.get(ChannelToSearchRow, channel_id)
            if row is not None and row.tries + 1 < MAX_TRIES:
                row.tries, row.tried_at = row.tries + 1, now
            elif row is not None:
                await session.delete(row)

    async def undeleted(self) -> Undeleted:
        """Return how many messages are still to be deleted."""
        async with self._database.reading() as session:
            tries = [row.tries for row in await _rows(session, _unwanted(utc_now()))]
        given_up = sum(times >= MAX_TRIES for times in tries)
        return Undeleted(len(tries) - given_up, given_up)


def _unwanted(now: datetime) -> ColumnElement[bool]:
    granted = select(ConsentRow.id).where(ConsentRow.state == Consent.GRANTED.value)
    starters = select(func.substr(StarterRecordingRow.recording, 1, POST_ID_CHARS))
    is_of_a_voice = or_(
        RecordingPostRow.voice_id.in_(select(VoiceRow.id)), RecordingPostRow.voice_id.in_(starters)
    )
    is_fresh = RecordingPostRow.posted_at > now - timedelta(hours=LIKENESS_POST_HOURS)
    is_of_a_likeness = and_(RecordingPostRow.voice_id.in_(granted), is_fresh)
    return or_(not_(or_(is_of_a_voice, is_of_a_likeness)), RecordingPostRow.attachment_id == 0)


def _is_due(row: RecordingPostRow | ChannelToSearchRow, now: datetime) -> bool:
    if row.tried_at is None:
        return True
    wait = min(_LONGEST_WAIT, timedelta(hours=2 ** (max(1, row.tries) - 1)))
    return row.tried_at + wait <= now


async def _rows(session: AsyncSession, *conditions: ColumnElement[bool]) -> list[RecordingPostRow]:
    wanted = select(RecordingPostRow).where(*conditions).order_by(RecordingPostRow.posted_at.desc())
    return list(await session.scalars(wanted))

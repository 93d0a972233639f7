"""Withdrawal: voices that must fall silent, the messages with their recordings, and who is told at once.

What was withdrawn in one process falls silent in all (`ChangeFeed`). Whoever withdraws something writes a
row, and PostgreSQL tells the others of it. They read on from the last row they know, after each word of it
and after each break of the connection on which they are told. While that is away they ask every half second;
and while they cannot ask, nothing cloned is heard for long. On SQLite there is one process, and nobody to
tell.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import ColumnElement, and_, delete, func, insert, not_, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import LibraryError
from bot.library.consent_rules import Consent
from bot.library.database import Database, insert_missing, upsert
from bot.library.known_recordings import remember_voices
from bot.library.starters import POST_ID_CHARS
from bot.library.tables import (
    ChangeRow,
    ChannelToSearchRow,
    ConsentRow,
    RecordingPostRow,
    StarterRecordingRow,
    VoiceMessageRow,
    VoiceRow,
    read_as,
)
from bot.library.voice import Voice, new_id, utc_now
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


CHANGES_CHANNEL: Final = "myna_changes"
"""Where PostgreSQL tells of a change; what it says is which process made it."""

CHANGES_KEPT_FOR: Final = timedelta(hours=1)
"""Who was away for longer has to take everything for withdrawn that they still hold."""

_CHANGES_LOCK: Final = -7
"""For `Database.lock`: rows become visible in the order of their numbers, so that none is read past."""

_BEAT_SECONDS: Final = 5.0
"""So often the connection is asked whether it is still there; one that is cut off says nothing by itself."""

_ASK_SECONDS: Final = 0.5
_BLIND_SECONDS: Final = 10.0
"""So long something cloned may be heard of which nobody can say whether it was taken back meanwhile."""

_TELL_AGAIN_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 10.0, 10.0, 10.0, 10.0)


_BLIND: Final = Withdrawal((), is_final=False, is_blind=True)


class ChangeFeed:
    """Feed of the changes of all processes: those of this one are passed on, those of others announced.

    An async context manager: entered, it hears of everything from then on. With each it sets ``stirred``,
    also of what is told on the same channel by whoever has nothing to withdraw.
    """

    def __init__(self, database: Database, withdrawals: Withdrawals, *, stirred: asyncio.Event) -> None:
        self._database = database
        self._stirred = stirred
        self._withdrawals = withdrawals
        self._id = new_id()
        self._last = 0
        self._reading = asyncio.Lock()
        self._told = asyncio.Event()
        self._has_begun = asyncio.Event()
        self._knew_at = 0.0
        self._is_blind = False
        self._is_told_of_changes = True
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if not self._database.is_sqlite:
            async with self._database.reading() as session:
                self._last = await session.scalar(select(func.max(ChangeRow.id))) or 0
            self._knows()
            self._withdrawals.subscribe(self._pass_on, of_others=False)
            self._following = asyncio.create_task(self._follow(), name="changes")
            await self._has_begun.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait({self._following})

    # -- what happens here ------------------------------------------------------------------------

    async def _pass_on(self, withdrawal: Withdrawal) -> None:
        """Tell the others, however long that takes: what they hold of it would else be heard."""
        told = _Told.of(withdrawal)
        if not any((told.silent, told.recordings, told.speeches, told.members)):
            return
        for pause in _TELL_AGAIN_SECONDS:
            try:
                await self._write(asdict(told))
            except LibraryError as error:
                log.warning("other processes are not told yet of what was withdrawn: %s", error)
            else:
                return
            await asyncio.sleep(pause)
        log.error("other processes were not told of what was withdrawn; they ask before each new call")

    async def _write(self, body: dict[str, Any]) -> None:
        row = {"process_id": self._id, "made_at": func.now(), "body": body}  # by the clock of the database
        async with self._database.session() as session:
            await self._database.lock(session, _CHANGES_LOCK)
            await session.execute(insert(ChangeRow).values(**row))
            await session.execute(select(func.pg_notify(CHANGES_CHANNEL, self._id)))

    async def sweep(self) -> None:
        """Delete what everybody has heard of, or has to do without."""
        if not self._database.is_sqlite:
            async with self._database.session() as session:
                await session.execute(
                    delete(ChangeRow).where(ChangeRow.made_at < func.now() - CHANGES_KEPT_FOR)
                )

    # -- what happens elsewhere -------------------------------------------------------------------

    async def _follow(self) -> None:
        while True:
            try:
                await self._listen()
            except Exception as error:  # also what the driver raises by itself: this never ends
                if self._is_told_of_changes:
                    reason = error if isinstance(error, LibraryError) else type(error).__name__
                    log.warning(
                        "PostgreSQL doesn't notify this process of changes; it asks for them instead: %s",
                        reason,
                    )
            self._is_told_of_changes = False
            self._has_begun.set()
            with suppress(LibraryError, OSError, TimeoutError):
                async with asyncio.timeout(_BEAT_SECONDS):
                    await self._read_on()
            await self._look_whether_blind()
            await asyncio.sleep(_ASK_SECONDS)

    async def _listen(self) -> None:
        """Hear of changes for as long as the connection lasts; it ends with an error."""
        async with asyncio.timeout(_BEAT_SECONDS) as limit, self._database.connection() as connection:
            raw: Any = (await connection.get_raw_connection()).driver_connection
            await raw.add_listener(CHANGES_CHANNEL, self._hear)
            raw.add_termination_listener(lambda *_: self._told.set())
            while True:
                self._told.clear()
                await self._read_on()
                self._is_told_of_changes = True
                self._has_begun.set()
                limit.reschedule(asyncio.get_running_loop().time() + 2 * _BEAT_SECONDS)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._told.wait(), _BEAT_SECONDS)
                if raw.is_closed() or not self._told.is_set():
                    await connection.scalar(select(1))  # raises an error if it is broken

    def _hear(self, _connection: object, _pid: int, _channel: str, process_id: str) -> None:
        if process_id != self._id:
            self._stirred.set()
            self._told.set()

    async def _read_on(self) -> None:
        """Announce what others have withdrawn since the last time. Raises `LibraryError`."""
        async with self._reading:
            async with self._database.reading() as session:
                newer = select(ChangeRow).where(ChangeRow.id > self._last).order_by(ChangeRow.id)
                rows = list(await session.scalars(newer))
            if rows:
                self._last = rows[-1].id
            told = [_Told(**row.body).withdrawal() for row in rows if row.process_id != self._id]
            if self._seconds_away() >= CHANGES_KEPT_FOR.total_seconds() / 2:
                told.append(_BLIND)  # rows may have been deleted that were never read
            self._knows()
            await asyncio.gather(*map(self._withdrawals.announce_of_others, told))

    def _knows(self) -> None:
        self._knew_at = asyncio.get_running_loop().time()
        self._is_blind = False

    def _seconds_away(self) -> float:
        return asyncio.get_running_loop().time() - self._knew_at

    async def _look_whether_blind(self) -> None:
        if self._seconds_away() < _BLIND_SECONDS:
            return
        if not self._is_blind:
            log.warning("The database can't say what was withdrawn lately, so saved voices fall silent.")
        self._is_blind = True
        await self._withdrawals.announce_of_others(_BLIND)


@dataclass(frozen=True, slots=True)
class _Told:
    """A withdrawal as other processes hear of it: what they may hold of it, and nothing else."""

    silent: list[str]
    is_final: bool
    recordings: list[str]
    speeches: list[str]
    members: list[str]

    @classmethod
    def of(cls, withdrawal: Withdrawal) -> _Told:
        recordings = [*withdrawal.recordings]
        if withdrawal.is_final:
            recordings += [voice.recording for voice in withdrawal.voices]
        silent, speeches = withdrawal.silent_ids, list(withdrawal.speeches)
        return cls(silent, withdrawal.is_final, recordings, speeches, list(withdrawal.members))

    def withdrawal(self) -> Withdrawal:
        return Withdrawal(
            (),
            is_final=self.is_final,
            likenesses=self.silent,
            recordings=self.recordings,
            speeches=self.speeches,
            members=self.members,
        )

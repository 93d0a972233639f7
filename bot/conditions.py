"""Conditions: what keeps the bot from its work at this moment, each as a sentence that says what to do.

The operator, who owns the application, is told of those that only they can mend (`OperatorNotices`).
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from socket import gethostname
from time import monotonic
from typing import Final, Protocol

import discord

from bot.errors import LibraryError, TTSCreditError, TTSDeniedError, TTSError, TTSQuotaError
from bot.library.recording_folder import DataLimit, DataUse
from bot.library.usage import Budget, Usage
from bot.tts.client import TTSClient

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 30.0
"""So often it is looked whether anything is in the way."""

_MEASURED_EVERY: Final = 10  # looks: every file under DATA_DIR is asked for its size
_DATABASE_SECONDS: Final = 10.0
_LEAST_FREE_BYTES: Final = 200 * 1024**2
_MEGABYTE: Final = 1024**2

_SHORTEST_SECONDS: Final = 1.0  # of speech that is worth being made

LASTING_DATABASE_SECONDS: Final = 120.0  # a restart of PostgreSQL is no news
LASTING_SERVICE_SECONDS: Final = 600.0


OVER: Final = {
    "database": "The database answers again, and everything works.",
    "service": "The voice service works again, and so do I.",
    "recordings": "Recordings of saved voices reach their place again, so those voices speak.",
    "disk": "The disk of DATA_DIR has room again.",
    "data": "DATA_DIR has room again, so new voices can be saved.",
}
"""What the operator reads when a condition of which they are told here is over, by its word."""

OF_MACHINE: Final = {"disk", "data"}
"""Those that other machines with processes of the same bot do not have."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is in the way; ``what`` is a word for it, and ``sentence`` says what to do.

    ``stops``: nobody gets new speech. ``patience`` is for how many seconds it may last before the operator is
    told, if it is one of those in `OVER`.
    """

    what: str
    sentence: str
    stops: bool = True
    patience: float = 0.0


@dataclass(frozen=True, slots=True)
class Storage:
    """What the data folder holds, the room left on its disk, and whether the database has answered."""

    use: DataUse
    max_bytes: int
    free_bytes: int
    has_database: bool


class RecordingPoster(Protocol):
    """What posts the recordings of saved voices, so that the TTS gateway can fetch them."""

    is_refused: bool | None
    """Whether the last one was not taken; None: none was posted yet."""


class Conditions:
    """Conditions of one bot, looked at every `LOOK_SECONDS` by `watch`.

    ``service`` names the TTS gateway for the operator, ``place`` where recordings are posted.
    """

    def __init__(
        self,
        usage: Usage,
        tts: TTSClient,
        posts: RecordingPoster,
        limit: DataLimit,
        *,
        service: str,
        place: str,
    ) -> None:
        self._usage = usage
        self._tts = tts
        self._posts = posts
        self._place = place
        self._limit = limit
        self._service = service
        self.looks = 0
        """How often it was looked."""
        self._since: dict[str, float] = {}
        self._here = set(OVER)  # at the last look; before the first one, whatever a former bot has told of
        self._told: set[str] = set()
        self.storage = Storage(DataUse(0, 0), limit.max_bytes, 0, has_database=True)
        """What was found at the last look."""
        self.current: tuple[Condition, ...] = ()
        """What was in the way at the last look."""

    async def look(self) -> None:
        """Look at everything now."""
        failure = await self._ask_database()
        if self.looks % _MEASURED_EVERY == 0:
            use = await asyncio.to_thread(self._limit.measure)
        else:
            use = self.storage.use
        self.looks += 1
        free = await asyncio.to_thread(self._free_bytes)
        self.storage = Storage(use, self._limit.max_bytes, free, has_database=failure is None)
        found = (
            _of_database(failure),
            _of_service(self._tts.outage, self._service),
            _of_posts(self._posts, self._place),
            _of_disk(self.storage),
            _of_budget(self._usage.budget),
        )
        self.current = tuple(one for one in found if one is not None)
        self._since = {one.what: self._since.get(one.what, monotonic()) for one in self.current}

    async def watch(self) -> AsyncIterator[Condition | str]:
        """Look again and again; yield what the operator is to be told: a condition that lasts, and the word

        for one that is over, of which they may have been told. It never ends.
        """
        while True:
            try:
                await self.look()
            except OSError as error:
                log.warning("it could not be looked whether anything is in the way: %s", error.strerror)
            for change in self._news():
                yield change
            await asyncio.sleep(LOOK_SECONDS)

    def _news(self) -> list[Condition | str]:
        here = {one.what: one for one in self.current if one.what in OVER}
        gone = self._here - here.keys()
        if not self._tts.has_served:  # so it is not known whether the voice service works again
            gone.discard("service")
        if self._posts.is_refused is None:
            gone.discard("recordings")
        self._here = here.keys() | (self._here - gone)
        self._told &= self._here
        now = monotonic()
        begun = [
            one
            for what, one in here.items()
            if what not in self._told and now - self._since[what] >= one.patience
        ]
        self._told |= {one.what for one in begun}
        return [*sorted(gone), *begun]

    async def _ask_database(self) -> str | None:
        """Return why the database does not answer; None: it does."""
        try:
            async with asyncio.timeout(_DATABASE_SECONDS):
                await self._usage.look()
        except LibraryError as error:
            return str(error)
        except TimeoutError:
            return f"no answer within {_DATABASE_SECONDS:.0f} s"
        return None

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self._limit.data_dir).free


def _of_database(failure: str | None) -> Condition | None:
    if failure is None:
        return None
    return Condition(
        "database",
        f"The database doesn't answer ({failure}), so nobody gets speech. Check that it runs, and "
        "DATABASE_URL.",
        patience=LASTING_DATABASE_SECONDS,
    )


def _of_service(outage: TTSError | None, service: str) -> Condition | None:
    if outage is None:
        return None
    if isinstance(outage, TTSCreditError):
        return Condition("credit", "The voice credit is used up, so nobody gets new speech. Top it up.")
    if isinstance(outage, TTSQuotaError):
        return Condition(
            "quota", f"The voice service takes no more calls for a while: {outage}. I go on when it does."
        )
    if isinstance(outage, TTSDeniedError):
        return Condition(
            "key", "The voice service rejects the key, so nobody gets new speech. Check TTS_API_KEY."
        )
    return Condition(
        "service",
        f"The voice service ({service}) isn't working: {outage}. Nobody gets new speech. Check that it runs; "
        "I keep trying.",
        patience=LASTING_SERVICE_SECONDS,
    )


def _of_posts(posts: RecordingPoster, place: str) -> Condition | None:
    if not posts.is_refused:
        return None
    return Condition(
        "recordings",
        f"I can't post recordings in {place}, so saved voices can't speak. Let me see it, send messages and "
        "attach files there.",
        stops=False,
    )


def _of_disk(storage: Storage) -> Condition | None:
    if storage.free_bytes < _LEAST_FREE_BYTES:
        return Condition(
            "disk",
            f"The disk of DATA_DIR has only {storage.free_bytes // _MEGABYTE} MB left. Free some space "
            "before I can't save anything.",
            stops=False,
        )
    if storage.max_bytes and storage.use.held >= storage.max_bytes:
        return Condition(
            "data",
            f"DATA_DIR holds the {storage.max_bytes // _MEGABYTE:,} MB it may, so nobody can save new "
            "voices. Set DATA_MEGABYTES higher, or delete voices.",
            stops=False,
        )
    return None


def _of_budget(budget: Budget) -> Condition | None:
    if budget.most_seconds and budget.seconds > budget.most_seconds - _SHORTEST_SECONDS:
        return Condition("budget", "DAILY_SECONDS is used up. New speech is made again from midnight UTC on.")
    if budget.most_calls and budget.calls >= budget.most_calls:
        return Condition(
            "budget", "MAX_CALLS_PER_HOUR is reached. New speech is made again in the next hour."
        )
    return None


_NO_CREDIT: Final = "I'm out of voice credit, so I can't make new speech. Top it up here: {}"
_NO_KEY: Final = (
    "The voice service rejected my key, so I can't make new speech. Check the key here: {}\n"
    "If you change TTS_API_KEY, restart me."
)
_TRYING: Final = "I'll try again after 1, 2, 5 and then every 15 minutes, and tell you when it works."
_BACK: Final = "The voice service works again, and so do I."
_OF_SPEECH: Final = "speech"
_LONGEST_ROW: Final = 32


def owner_of(client: discord.Client) -> discord.abc.Snowflake | None:
    """Return who owns the application, or its team; None before the login, or for a team without an owner."""
    application = client.application
    if application is None:
        return None
    if application.team is None:
        return application.owner
    owner_id = application.team.owner_id
    return None if owner_id is None else discord.Object(owner_id)


async def storage_problem(client: discord.Client, channel_id: int) -> str | None:
    """Return what is wrong with the storage channel, as a sentence for the operator; None: nothing.

    ``client`` has logged in. Raises `discord.HTTPException` or OSError if Discord cannot be asked.
    """
    assert client.user is not None, "it has logged in"  # noqa: S101
    try:
        found = await client.fetch_channel(channel_id)
        if isinstance(found, discord.abc.PrivateChannel):
            return None
        guild = await client.fetch_guild(found.guild.id)  # with its roles, which the channel alone lacks
        me = await guild.fetch_member(client.user.id)
        channel = await guild.fetch_channel(channel_id)
        parent = channel
        if isinstance(channel, discord.Thread):
            parent = await guild.fetch_channel(channel.parent_id)
    except discord.NotFound:
        return "STORAGE_CHANNEL_ID names a channel that doesn't exist."
    except (discord.Forbidden, discord.InvalidData):
        return "STORAGE_CHANNEL_ID names a channel that I can't see."
    assert not isinstance(parent, discord.Thread), "a thread is in a channel"  # noqa: S101
    if not isinstance(channel, discord.abc.Messageable):
        return "STORAGE_CHANNEL_ID names a channel in which nobody can write."
    mine, everyone = parent.permissions_for(me), parent.permissions_for(guild.default_role)
    in_thread = isinstance(channel, discord.Thread)
    needed = {
        "View Channel": mine.view_channel,
        "Connect": mine.connect or not isinstance(channel, discord.VoiceChannel | discord.StageChannel),
        "Send Messages in Threads" if in_thread else "Send Messages": mine.send_messages_in_threads
        if in_thread
        else mine.send_messages,
        # Without Send Messages discord.py denies it too, whatever is set.
        "Attach Files": mine.attach_files or not mine.send_messages,
        "Read Message History": mine.read_message_history,
    }
    missing = [name for name, is_there in needed.items() if not is_there]
    if missing:
        return f"In the channel STORAGE_CHANNEL_ID I need: {', '.join(missing)}."
    is_private_thread = isinstance(channel, discord.Thread) and channel.is_private()
    if everyone.view_channel and not is_private_thread:
        return "@everyone can read the channel STORAGE_CHANNEL_ID, and hear the recordings in it."
    return None


def _row(what: str) -> str:
    """Return the key under which the database keeps that the operator was told of ``what``."""
    return f"{what} {gethostname()}"[:_LONGEST_ROW] if what in OF_MACHINE else what


class OperatorNotices:
    """Notices to the operator, as direct messages: one when an outage begins, and one when it is over.

    Which outage was told of is in the database, so that neither a restart nor a second process tells of it
    again. ``link`` is where credit is bought and keys are looked at.
    """

    def __init__(self, client: discord.Client, usage: Usage, link: str) -> None:
        self._client = client
        self._usage = usage
        self._link = link
        self._unwritten: set[str] = set()  # told of without the database

    async def follow(self, outages: AsyncIterator[TTSError | None]) -> None:
        """Tell the operator of each outage, and of its end, which comes as None."""
        async for outage in outages:
            try:
                if outage is None:
                    if await self._usage.outage_ends(_OF_SPEECH):
                        await self._tell(_BACK)
                elif await self._usage.outage_begins(_OF_SPEECH):
                    words = _NO_CREDIT if isinstance(outage, TTSCreditError) else _NO_KEY
                    await self._tell(f"{words.format(f'<{self._link}>')}\n{_TRYING}")
            except LibraryError as error:
                log.warning("whether the operator was told of an outage is not known: %s", error)

    async def attend(self, news: AsyncIterator[Condition | str]) -> None:
        """Tell the operator of each condition, and of its end, which comes as its ``what``."""
        async for one in news:
            what = one if isinstance(one, str) else one.what
            try:
                if isinstance(one, str):
                    is_news = await self._usage.outage_ends(_row(what))
                else:
                    is_news = await self._usage.outage_begins(_row(what))
            except LibraryError:  # it may be the database itself: then the first process tells of it
                shards = getattr(self._client, "shard_ids", None)
                is_news = not isinstance(one, str) and (shards is None or 0 in shards)
                if is_news:
                    self._unwritten.add(what)
            if isinstance(one, str):
                is_news = is_news or what in self._unwritten
                self._unwritten.discard(what)
            if is_news:
                await self._tell(OVER[what] if isinstance(one, str) else one.sentence)

    async def _tell(self, words: str) -> None:
        log.warning("%s", words.replace("\n", " "))
        owner = owner_of(self._client)
        try:
            if owner is not None:
                await (await self._client.create_dm(owner)).send(words)
        except (discord.HTTPException, OSError) as error:
            log.warning(
                "the operator could not be told by direct message (%s). Share a server with the bot, and "
                "allow direct messages from its members.",
                type(error).__name__,
            )

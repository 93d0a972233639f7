"""The operator: who owns the application, and what they are told of what only they can mend."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from socket import gethostname
from typing import Final

import discord

from bot.conditions import OF_MACHINE, OVER, Condition
from bot.errors import LibraryError, TTSCreditError, TTSError
from bot.library.usage import Usage

log = logging.getLogger(__name__)

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
    """Return the name under which it is written down whether the operator was told."""
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
        """Tell of each of these outages, and of its end, which is None; it goes on for as long as they do."""
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
        """Tell of each condition, and of its end, for which its word stands; it goes on as they do."""
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

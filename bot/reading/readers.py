"""Readers of all servers: which channels are read, when the bot comes for them, and who is told of what."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Coroutine, Iterable
from datetime import timedelta
from typing import Any, Final

import discord

from bot.errors import LibraryError, MemberError, PlaybackError, sentence_for
from bot.library.library import Library
from bot.library.reading import ReadChannel, ReadingRules
from bot.library.voice import Scope
from bot.playback.permissions import VoiceChannelLike, listeners_in, missing_permission
from bot.reading.backlog import Behind, ReadMessage
from bot.reading.intake import Intake, is_heard, language_of_guild
from bot.reading.reader import GuildReader, ReadingParts, tell
from bot.reading.rules import announced

log = logging.getLogger(__name__)

NO_INTENT: Final = (
    "I can't see what people write until whoever runs this bot turns on Message Content Intent in Discord's "
    "developer portal (Bot, Privileged Gateway Intents) and starts me again."
)
"""What members read where the application lacks the intent."""

EDIT_TIME: Final = timedelta(seconds=5)
"""So long after a message was written an edit still counts."""

_ANNOUNCE_SECONDS: Final = 3.0
"""Who comes and goes within it is announced in one sentence."""

_ANNOUNCED_AGAIN_SECONDS: Final = 60.0
_MOST_AT_THE_DOOR: Final = 30
"""Messages of one server that are looked at; of a flood those that are too many are left out unread."""

_GONE_SECONDS: Final = 5.0


class Readers:
    """Readers of every server. ``sees_messages``: the application has the intent without which none can be.

    What happens at Discord is told to it by the cog.
    """

    def __init__(
        self, client: discord.Client, library: Library, parts: ReadingParts, *, sees_messages: bool
    ) -> None:
        self.sees_messages = sees_messages
        self._client = client
        self._library = library
        self._parts = parts
        self._intake = Intake(library)
        self._channels: dict[int, ReadChannel] = {}
        self._readers: dict[int, GuildReader] = {}
        self._at_the_door: defaultdict[int, int] = defaultdict(int)
        self._resting: set[int] = set()  # bound voice channels we were sent out of; until they are empty
        self._announcements: dict[int, _Announcement] = {}
        self._announced_at: dict[tuple[int, int], float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Learn which channels are read. Raises `LibraryError`."""
        self._channels = {channel.channel_id: channel for channel in await self._library.reading.channels()}
        if self._channels and not self.sees_messages:
            log.warning(
                "%d channels are to be read aloud, but the application lacks the Message Content Intent: "
                "nothing is read until it's on again. Turn it on in the developer portal (Bot, "
                "Privileged Gateway Intents), and restart the bot.",
                len(self._channels),
            )

    async def aclose(self) -> None:
        """End everything that is read."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(reader.aclose() for reader in self._readers.values()))

    # -- what moderators and members ask for ------------------------------------------------------

    async def begin(self, member: discord.Member, channel_id: int) -> VoiceChannelLike:
        """Read a text channel aloud where ``member`` sits, from now on, and return that voice channel.

        Raises `MemberError`, `PlaybackError` and `LibraryError`.
        """
        self._check_sight(member.guild, channel_id)
        if member.voice is None or member.voice.channel is None:
            raise MemberError("Join a voice channel first. I read aloud where you are.")
        there = member.voice.channel
        scope = Scope(member.guild.id, member.id, frozenset(role.id for role in member.roles))
        usage = await self._library.settings.usage_rules(member.guild.id)
        refusal = usage.permission_error(scope, {channel_id})
        if refusal is not None:
            raise MemberError(refusal)
        known = self._channels.get(channel_id)
        bound = known.voice_channel_id if known is not None else None
        if bound is not None and bound != there.id:
            raise MemberError(f"Moderators have this channel read in <#{bound}>. Join me there.")
        await self._parts.players.join(there, requested_by=member)
        self._resting.discard(there.id)
        if known is None:
            await self._add(ReadChannel(channel_id, member.guild.id))
        return there

    async def end(self, guild_id: int, channel_id: int) -> bool:
        """Read a channel no more, or a bound one until its voice channel was empty; return whether it was."""
        known = self._channels.get(channel_id)
        if known is None:
            return False
        if known.voice_channel_id is None:
            await self._remove([channel_id])
        else:
            self._resting.add(known.voice_channel_id)
        reader = self._readers.get(guild_id)
        if reader is not None:
            reader.clear(channel_id=channel_id)
        return True

    async def bind(self, guild: discord.Guild, channel_id: int, voice_channel_id: int) -> None:
        """Have a text channel read in a voice channel for good."""
        self._check_sight(guild, channel_id)
        await self._add(ReadChannel(channel_id, guild.id, voice_channel_id))

    async def unbind(self, guild_id: int, channel_id: int) -> bool:
        """Undo `bind`; return whether there was anything to undo."""
        known = self._channels.get(channel_id)
        if known is None or known.guild_id != guild_id:
            return False
        await self._remove([channel_id])
        if (reader := self._readers.get(guild_id)) is not None:
            reader.clear(channel_id=channel_id)
        return True

    def bound(self, guild_id: int) -> list[ReadChannel]:
        """Return the channels of a server that are bound to voice channels."""
        here = (one for one in self._channels.values() if one.guild_id == guild_id)
        return [one for one in here if one.voice_channel_id is not None]

    def forget_member(self, guild_id: int, member_id: int) -> None:
        """Read nothing more of what somebody has written until now."""
        if (reader := self._readers.get(guild_id)) is not None:
            reader.clear(author_id=member_id)

    def behind(self, guild_id: int) -> Behind:
        """Return how far behind the reader of a server is."""
        reader = self._readers.get(guild_id)
        return reader.behind if reader is not None else Behind(0, 0.0, 0)

    def made_lately(self, guild_id: int) -> dict[int, float]:
        """Return how many seconds of new speech each channel of a server was read with in the last hour."""
        reader = self._readers.get(guild_id)
        return reader.made_lately() if reader is not None else {}

    # -- messages ---------------------------------------------------------------------------------

    async def on_message(self, message: discord.Message) -> None:
        """Take in a message."""
        known, guild = self._channels.get(message.channel.id), message.guild
        if known is None or guild is None or self._client.user is None or not self.sees_messages:
            return
        if not self._library.settings.shards.hold(guild.id):  # another process reads there still
            return
        if message.author.id == self._client.user.id or self._at_the_door[guild.id] >= _MOST_AT_THE_DOOR:
            return
        reader = self._reader(guild)
        self._at_the_door[guild.id] += 1
        try:
            async with reader.lock:  # in the order in which they were written
                await self._take(message, known, reader)
        except (LibraryError, PlaybackError) as error:
            log.warning("guild %d: a message is not read: %s: %s", guild.id, type(error).__name__, error)
        finally:
            self._at_the_door[guild.id] -= 1

    async def _take(self, message: discord.Message, known: ReadChannel, reader: GuildReader) -> None:
        channel = await self._where(message, known)
        if channel is None:
            return
        taken = await self._intake.take(message, channel, asyncio.get_running_loop().time())
        if taken is not None and not reader.repeats.is_too_many(taken.text):
            reader.add(taken)

    async def _where(self, message: discord.Message, known: ReadChannel) -> VoiceChannelLike | None:
        """Return the voice channel into which a message of this channel is read now, coming there first."""
        guild = message.guild
        assert guild is not None, "it is a channel of a server"  # noqa: S101
        player = self._parts.players.get(guild.id)
        bound = known.voice_channel_id
        if player is not None and player.channel is not None:
            return (
                player.channel if bound in (None, player.channel.id) and bound not in self._resting else None
            )
        if bound is None:
            if self._parts.players.target(guild.id) is None:  # we have left, so that is over
                await self._remove([known.channel_id])
            return None
        return await self._come(message, known, bound)

    async def _come(
        self, message: discord.Message, known: ReadChannel, bound: int
    ) -> VoiceChannelLike | None:
        """Come into the bound voice channel, if whoever wrote the message is heard there."""
        guild, author = message.guild, message.author
        assert guild is not None, "it is a channel of a server"  # noqa: S101
        there = guild.get_channel(bound)
        if not isinstance(there, discord.VoiceChannel | discord.StageChannel):
            await self._remove([known.channel_id])
            words = "The voice channel in which I read this channel is gone, so I've stopped."
            await tell(guild, known.channel_id, words)
            return None
        if bound in self._resting or not isinstance(author, discord.Member) or not listeners_in(there):
            return None
        rules = await self._library.reading.rules(guild.id)
        if author.bot or not is_heard(author, there, rules):
            return None
        try:
            await self._parts.players.join(there, requested_by=author)
        except (MemberError, PlaybackError) as error:
            self._resting.add(bound)  # once, not per message
            await tell(guild, known.channel_id, f"I couldn't come to read aloud. {sentence_for(error)}")
            return None
        return there

    async def on_edit(self, message: discord.Message) -> None:
        """Take in that a message was edited: soon after it was written, what has not begun is replaced."""
        known, guild = self._channels.get(message.channel.id), message.guild
        if known is None or guild is None or message.edited_at is None:
            return
        if message.edited_at - message.created_at > EDIT_TIME:
            return
        reader = self._reader(guild)
        async with reader.lock:
            if not reader.knows(message.id):
                return
            channel = await self._where(message, known)
            if channel is None:
                return
            try:
                new = await self._intake.take(message, channel, asyncio.get_running_loop().time())
            except LibraryError as error:
                log.warning("guild %d: an edit is not read: %s", guild.id, error)
                return
            if new is None:
                reader.remove(message.id)
            else:
                reader.replace(new)

    async def on_delete(self, guild_id: int | None, channel_id: int, message_ids: Iterable[int]) -> None:
        """Take in that messages were deleted."""
        reader = self._readers.get(guild_id or 0)
        if reader is None or channel_id not in self._channels:
            return
        async with reader.lock:
            for message_id in message_ids:
                reader.remove(message_id)

    # -- places -----------------------------------------------------------------------------------

    async def on_channel_deleted(self, channel: discord.abc.GuildChannel) -> None:
        """Take in that a channel is gone."""
        if channel.id in self._channels:
            await self.unbind(channel.guild.id, channel.id)
        gone = [one for one in self._channels.values() if one.voice_channel_id == channel.id]
        await self._remove([one.channel_id for one in gone])
        for one in gone:
            words = "The voice channel in which I read this channel is gone, so I've stopped."
            await tell(channel.guild, one.channel_id, words)

    async def on_guild_left(self, guild_id: int) -> None:
        """Take in that the bot is not in a server any more."""
        reader = self._readers.pop(guild_id, None)
        if reader is not None:
            await reader.aclose()

    def on_voice_state(
        self, member: discord.Member, before: discord.VoiceState, after: discord.VoiceState
    ) -> None:
        """Take in who came, who went, and where the bot is."""
        guild = member.guild
        if member.id == guild.me.id:
            self._moved(guild, before, after)
        elif before.channel != after.channel:
            if before.channel is not None and not listeners_in(before.channel):
                self._resting.discard(before.channel.id)
            self._announce(member, before, after)

    def _moved(self, guild: discord.Guild, before: discord.VoiceState, after: discord.VoiceState) -> None:
        if after.channel is not None:
            self._resting.discard(after.channel.id)
            return
        if before.channel is not None and listeners_in(before.channel):
            self._resting.add(before.channel.id)
        self._start(self._end_if_gone(guild.id))

    async def _end_if_gone(self, guild_id: int) -> None:
        """Read nothing more where the bot was sent away, and has not just lost its connection."""
        await asyncio.sleep(_GONE_SECONDS)
        if self._parts.players.target(guild_id) is None:
            over = [one for one in self._channels.values() if one.guild_id == guild_id]
            await self._remove([one.channel_id for one in over if one.voice_channel_id is None])

    # -- who comes and goes -----------------------------------------------------------------------

    def _announce(
        self, member: discord.Member, before: discord.VoiceState, after: discord.VoiceState
    ) -> None:
        guild = member.guild
        player = self._parts.players.get(guild.id)
        if player is None or player.channel is None or member.bot or not self._is_reading(guild.id):
            return
        if player.channel not in (before.channel, after.channel):
            return
        known = self._announcements.get(guild.id)
        if known is None:
            known = self._announcements[guild.id] = _Announcement()
            self._start(self._announce_soon(guild, known))
        known.add(member, came=after.channel == player.channel)

    def _is_reading(self, guild_id: int) -> bool:
        return any(one.guild_id == guild_id for one in self._channels.values())

    async def _announce_soon(self, guild: discord.Guild, known: _Announcement) -> None:
        await asyncio.sleep(_ANNOUNCE_SECONDS)
        del self._announcements[guild.id]
        rules = await self._library.reading.rules(guild.id)
        now = asyncio.get_running_loop().time()
        if not rules.announces or self._client.user is None:
            return
        joined = await self._names(known.joined, rules, now)
        left = await self._names(known.left, rules, now)
        text = announced(joined, left, language_of_guild(guild))
        read = [one.channel_id for one in self._channels.values() if one.guild_id == guild.id]
        if not (text and read):  # it may have been stopped meanwhile
            return
        self._reader(guild).add(
            ReadMessage(
                id=0,
                channel_id=read[0],
                author_id=self._client.user.id,
                text=text,
                language=language_of_guild(guild),
                written_at=now,
                longest_wait=rules.longest_wait,
            )
        )

    async def _names(self, members: dict[int, discord.Member], rules: ReadingRules, now: float) -> list[str]:
        """Return the names of those who were not announced within a minute, and who is not silenced."""
        names = []
        for member in members.values():
            key = (member.guild.id, member.id)
            if now - self._announced_at.get(key, float("-inf")) < _ANNOUNCED_AGAIN_SECONDS:
                continue
            self._announced_at[key] = now
            if member.id not in rules.silenced_members:
                names.append(await self._intake.announcement_name(member, rules))
        for key, at in list(self._announced_at.items()):
            if now - at >= _ANNOUNCED_AGAIN_SECONDS:
                del self._announced_at[key]
        return names

    # -- parts ------------------------------------------------------------------------------------

    def _check_sight(self, guild: discord.Guild, channel_id: int) -> None:
        if not self.sees_messages:
            raise MemberError(NO_INTENT)
        channel = guild.get_channel(channel_id)
        if not isinstance(channel, discord.TextChannel | discord.VoiceChannel | discord.StageChannel):
            raise MemberError("I can read text channels and the chats of voice channels, but not this one.")
        if not channel.permissions_for(guild.me).view_channel:
            raise MemberError(missing_permission("View Channel", channel_id))

    def _reader(self, guild: discord.Guild) -> GuildReader:
        assert self._client.user is not None, "only a bot that is logged in hears of messages"  # noqa: S101
        if guild.id not in self._readers:
            self._readers[guild.id] = GuildReader(self._parts, guild, self._client.user.id)
        reader = self._readers[guild.id]
        reader.guild = guild  # after a new session with Discord it is another object
        return reader

    async def _add(self, channel: ReadChannel) -> None:
        await self._library.reading.add_channel(channel)
        self._channels[channel.channel_id] = channel

    async def _remove(self, channel_ids: list[int]) -> None:
        for channel_id in channel_ids:
            self._channels.pop(channel_id, None)
        if channel_ids:
            await self._library.reading.remove_channels(channel_ids)

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._logged(coroutine), name="reading")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _logged(self, coroutine: Coroutine[Any, Any, None]) -> None:
        try:
            await coroutine
        except LibraryError as error:
            log.warning("reading aloud: %s", error)


class _Announcement:
    """Who came and who went within some seconds; who did both is not told of."""

    def __init__(self) -> None:
        self.joined: dict[int, discord.Member] = {}
        self.left: dict[int, discord.Member] = {}

    def add(self, member: discord.Member, *, came: bool) -> None:
        """Take in that somebody came or went."""
        here, there = (self.joined, self.left) if came else (self.left, self.joined)
        if there.pop(member.id, None) is None:
            here[member.id] = member

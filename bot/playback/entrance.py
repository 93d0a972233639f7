"""The way into voice channels: not while Discord limits us, and not on top of what a crash left over."""

from __future__ import annotations

import asyncio
import logging

import discord

from bot.errors import MemberError, PlaybackLimitedError
from bot.playback.audience import VoiceRoom
from bot.playback.connection import Connect, VoiceConnection
from bot.playback.voice_state import LEAVE_SECONDS

log = logging.getLogger(__name__)


class Entrance:
    """Opens connections with ``connect``, within ``join_seconds`` each.

    After Discord has limited us in a guild none is asked for there for ``cool_down_seconds``: every further
    try would make it last longer.
    """

    def __init__(self, connect: Connect, *, join_seconds: float, cool_down_seconds: float) -> None:
        self._connect = connect
        self._join_seconds = join_seconds
        self._cool_down_seconds = cool_down_seconds
        self._limited_until: dict[int, float] = {}
        self._waiting: dict[int, asyncio.Event] = {}

    async def open(self, channel: VoiceRoom) -> VoiceConnection:
        """Return a connection to ``channel``. Raises `MemberError` while we are limited; `PlaybackError`."""
        guild_id, loop = channel.guild.id, asyncio.get_running_loop()
        if (left := self._limited_until.get(guild_id, 0.0) - loop.time()) > 0:
            raise MemberError(
                f"Discord limits my voice connections here. Try again in {left:.0f} s, "
                "or ask for the file with to: here."
            )
        try:
            return await self._connect(channel, self._join_seconds)
        except PlaybackLimitedError:
            self.cool_down(guild_id)
            raise

    def cool_down(self, guild_id: int) -> None:
        """Open nothing in this guild for a while."""
        log.warning("guild %d: Discord limits our voice connections", guild_id)
        self._limited_until[guild_id] = asyncio.get_running_loop().time() + self._cool_down_seconds

    async def clear(self, guild: discord.Guild) -> None:
        """Leave the channel that Discord still shows us in from before a restart, if there is one.

        A connect on top of that would stay silent, or be taken for connected already. It takes
        `LEAVE_SECONDS` at most; call it while nothing of ours is connected in this guild.
        """
        if channel_of_ours(guild) is None:
            return
        log.info("guild %d: leaving the voice channel that was left over", guild.id)
        gone = self._waiting[guild.id] = asyncio.Event()
        try:
            await guild.change_voice_state(channel=None)
            async with asyncio.timeout(LEAVE_SECONDS):
                await gone.wait()
        except (TimeoutError, OSError) as error:
            log.warning("guild %d: leaving was not confirmed: %s", guild.id, type(error).__name__)
        finally:
            del self._waiting[guild.id]

    def we_are_gone(self, guild_id: int) -> None:
        """Take in that Discord shows us in no voice channel any more."""
        waiting = self._waiting.get(guild_id)
        if waiting is not None:
            waiting.set()


def channel_of_ours(guild: discord.Guild) -> VoiceRoom | None:
    """Return the voice channel that Discord shows us in; None also while it tells nothing of ``guild``."""
    if guild.unavailable:
        return None
    voice = guild.me.voice
    return voice.channel if voice is not None else None

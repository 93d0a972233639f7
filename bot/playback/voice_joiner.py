"""Voice joiner: voice channels joined and left within Discord's limits, in the order of who waits."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from collections import defaultdict, deque
from enum import IntEnum
from typing import Final

import discord

from bot import metrics
from bot.errors import MemberError, PlaybackLimitedError
from bot.playback.permissions import VoiceChannelLike
from bot.playback.player import Connect, VoiceConnection
from bot.playback.voice_connection import LEAVE_SECONDS

log = logging.getLogger(__name__)

SPACING_SECONDS: Final = 0.02
"""Between two joins: each exchanges keys, for milliseconds of the main thread, which would add up."""

PER_MINUTE: Final = 100
"""Voice states that we send on one shard. Discord takes 120 commands a minute, all kinds together (its
documentation, "Gateway rate limiting"); after 110 discord.py lets everybody wait (2.7.1, gateway.py)."""

RESERVED: Final = 40
"""So many of them are left for members: what nobody waits for at this moment takes the others."""

_MINUTE: Final = 60.0


class Urgency(IntEnum):
    """Who waits for a join; the lower go first."""

    MEMBER = 0
    """A member has asked for it."""

    LISTENERS = 1
    """A connection is lost, and whoever listens hears nothing until it is replaced."""

    NOBODY = 2
    """To be where we were before a restart."""


class JoinQueue:
    """Queue of joins: one after the other, and never more on a shard than Discord takes.

    Whoever would wait for longer than ``patience`` seconds is refused at once, instead of standing in it.
    """

    def __init__(
        self,
        *,
        patience: float,
        spacing: float = SPACING_SECONDS,
        per_window: int = PER_MINUTE,
        reserved: int = RESERVED,
        window: float = _MINUTE,
    ) -> None:
        self._patience = patience
        self._spacing = spacing
        self._per_window = per_window
        self._reserved = reserved
        self._window = window
        self._sent: defaultdict[int, deque[float]] = defaultdict(deque)
        self._waiting: list[tuple[Urgency, int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._last = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    async def turn(self, shard_id: int, urgency: Urgency) -> None:
        """Wait for the turn of one join on this shard.

        Raises `MemberError` for a member who would wait too long.
        """
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (urgency, next(self._numbers), shard_id, turn))
        self._call_in()
        await turn

    def note(self, shard_id: int) -> None:
        """Count a voice state that is sent without a turn: leaving waits for nothing."""
        self._sent[shard_id].append(asyncio.get_running_loop().time())

    def _call_in(self) -> None:
        """Give their turn to all whose time has come, and look again when the next one's comes."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop, resting = asyncio.get_running_loop(), []
        soonest = float("inf")
        while self._waiting:
            entry = heapq.heappop(self._waiting)
            urgency, _, shard_id, turn = entry
            if turn.done():  # whoever waited has gone
                continue
            free_at = self._free_at(shard_id, urgency)
            due = max(free_at, self._last + self._spacing)
            if urgency is Urgency.MEMBER and free_at > loop.time() + self._patience:
                turn.set_exception(_too_many(free_at - loop.time()))
            elif due > loop.time():
                resting.append(entry)
                soonest = min(soonest, due)
                if due <= self._last + self._spacing:  # nobody else may go before that either
                    break
            else:
                self._last = loop.time()
                self.note(shard_id)
                turn.set_result(None)
        for entry in resting:
            heapq.heappush(self._waiting, entry)
        if resting:
            self._timer = loop.call_at(soonest, self._call_in)

    def _free_at(self, shard_id: int, urgency: Urgency) -> float:
        """Return from when on this shard takes one more of this kind."""
        now, sent = asyncio.get_running_loop().time(), self._sent[shard_id]
        while sent and sent[0] <= now - self._window:
            sent.popleft()
        most = self._per_window - (self._reserved if urgency is Urgency.NOBODY else 0)
        return now if len(sent) < most else sent[len(sent) - most] + self._window


def _too_many(seconds: float) -> MemberError:
    return MemberError(
        f"I am joining as many voice channels as Discord allows. Try again in {seconds:.0f} s, "
        "or choose output: here."
    )


class VoiceJoiner:
    """Joins with ``connect``, within ``join_seconds`` each, and leaves.

    After Discord has limited us in a guild none is asked for there for ``cool_down_seconds``: every further
    try would make it last longer.
    """

    def __init__(
        self,
        connect: Connect,
        *,
        join_seconds: float,
        cool_down_seconds: float,
        queue: JoinQueue | None = None,
    ) -> None:
        self._connect = connect
        self._join_seconds = join_seconds
        self._cool_down_seconds = cool_down_seconds
        self._queue = queue or JoinQueue(patience=join_seconds)
        self._limited_until: dict[int, float] = {}
        self._waiting: dict[int, asyncio.Event] = {}

    async def open(self, channel: VoiceChannelLike, urgency: Urgency) -> VoiceConnection:
        """Return a connection to ``channel``. Raises `MemberError` while we are limited; `PlaybackError`."""
        guild_id, loop = channel.guild.id, asyncio.get_running_loop()
        if (left := self._limited_until.get(guild_id, 0.0) - loop.time()) > 0:
            raise MemberError(
                f"Discord is limiting my voice connections here. Try again in {left:.0f} s, "
                "or choose output: here."
            )
        await self._queue.turn(channel.guild.shard_id, urgency)
        try:
            with metrics.voice_join():
                return await self._connect(channel, self._join_seconds)
        except PlaybackLimitedError:
            self.cool_down(guild_id)
            raise

    async def leave(self, connection: VoiceConnection) -> None:
        """Leave a channel, at once."""
        self._queue.note(connection.channel.guild.shard_id)
        await connection.disconnect(force=True)

    def cool_down(self, guild_id: int) -> None:
        """Open nothing in this guild for a while."""
        log.warning(
            "guild %d: Discord limits our voice connections. None is opened there for %.0f s.",
            *(guild_id, self._cool_down_seconds),
        )
        self._limited_until[guild_id] = asyncio.get_running_loop().time() + self._cool_down_seconds

    async def clear(self, guild: discord.Guild, urgency: Urgency) -> None:
        """Leave the channel that Discord still shows us in from before a restart, if there is one.

        A connect on top of that would stay silent, or be taken for connected already. It takes
        `LEAVE_SECONDS` at most; call it while nothing of ours is connected in this guild.
        """
        if channel_of_ours(guild) is None:
            return
        await self._queue.turn(guild.shard_id, urgency)
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


def channel_of_ours(guild: discord.Guild) -> VoiceChannelLike | None:
    """Return the voice channel that Discord shows us in; None also while it tells nothing of ``guild``."""
    if guild.unavailable:
        return None
    voice = guild.me.voice
    return voice.channel if voice is not None else None

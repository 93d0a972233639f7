"""Leaving by itself: what a player does when nobody listens, when it cannot be heard, or when it idles."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.limits import ALONE_PAUSE_SECONDS, ALONE_SECONDS, SILENCED_SECONDS
from bot.playback.permissions import listeners_in, why_not_heard_in
from bot.playback.player import GuildPlayer, PauseReason
from bot.playback.queue import Outcome

log = logging.getLogger(__name__)

_Wait = Callable[[GuildPlayer], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleTimeouts:
    """How long what is borne: all in seconds. ``idle_seconds`` 0: for ever."""

    alone_pause_seconds: float = ALONE_PAUSE_SECONDS
    alone_seconds: float = ALONE_SECONDS
    silenced_seconds: float = SILENCED_SECONDS
    idle_seconds: float = 0.0


class AutoLeave:
    """Looks around for every player, and holds it, drops what is waiting, or lets it leave.

    Alone it pauses after a while, and leaves after a longer one. Where it cannot be heard it pauses at once,
    and after a while drops what is waiting. Idle it leaves. ``leave`` is called with the player and why.
    """

    def __init__(
        self, patience: IdleTimeouts, *, leave: Callable[[GuildPlayer, str], Awaitable[None]]
    ) -> None:
        self._patience = patience
        self._leave = leave
        self._waits: dict[tuple[int, str], asyncio.Task[None]] = {}

    def look_around(self, player: GuildPlayer) -> None:
        """Take in who is in the player's channel, and whether it is heard there."""
        channel = player.channel
        if channel is None:
            self.forget(player.guild_id)
            return
        if listeners_in(channel):
            self._end(player.guild_id, "alone")
            player.release(PauseReason.ALONE)
        else:
            self._begin(player, "alone", self._alone)
        if why_not_heard_in(channel, channel.guild.me) is None:
            self._end(player.guild_id, "silenced")
            player.release(PauseReason.SILENCED)
        else:
            self._begin(player, "silenced", self._silenced)
        if self._patience.idle_seconds:
            self._begin(player, "idle", self._idle)

    def forget(self, guild_id: int) -> None:
        """Wait for nothing any more in this guild."""
        for guild, kind in list(self._waits):
            if guild == guild_id:
                self._end(guild_id, kind)

    async def aclose(self) -> None:
        """End every wait."""
        tasks = list(self._waits.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, player: GuildPlayer, kind: str, wait: _Wait) -> None:
        key = (player.guild_id, kind)
        if key in self._waits:
            return

        async def run() -> None:
            try:
                await wait(player)
            finally:
                if self._waits.get(key) is task:
                    del self._waits[key]

        task = self._waits[key] = asyncio.create_task(run(), name=f"{kind}-{player.guild_id}")

    def _end(self, guild_id: int, kind: str) -> None:
        task = self._waits.get((guild_id, kind))
        if task is not None and task is not asyncio.current_task():
            del self._waits[guild_id, kind]
            task.cancel()

    async def _alone(self, player: GuildPlayer) -> None:
        leave_after = self._patience.alone_seconds
        pause_after = min(self._patience.alone_pause_seconds, leave_after)
        await asyncio.sleep(pause_after)
        player.hold(PauseReason.ALONE)
        await asyncio.sleep(leave_after - pause_after)
        await self._leave(player, f"alone for {leave_after:g} s")

    async def _silenced(self, player: GuildPlayer) -> None:
        player.hold(PauseReason.SILENCED)
        while True:
            await asyncio.sleep(self._patience.silenced_seconds)
            if dropped := player.stop(outcome=Outcome.SILENCED):
                log.info("guild %d: not heard, so %d were dropped", player.guild_id, dropped)

    async def _idle(self, player: GuildPlayer) -> None:
        limit = self._patience.idle_seconds
        while (idle := player.idle_seconds) < limit:  # noqa: ASYNC110 - it looks when it may be over
            await asyncio.sleep(limit - idle)
        await self._leave(player, f"nothing to say for {limit:g} s")

"""Which guild has a player; joining, moving and leaving voice channels."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict

import discord

from bot.errors import MemberError, PlaybackError
from bot.limits import ALONE_SECONDS, JOIN_SECONDS
from bot.playback import voice_client
from bot.playback.audience import VoiceRoom, humans_in
from bot.playback.connection import Connect, VoiceConnection
from bot.playback.permissions import why_not_speak_in
from bot.playback.player import STALLED_SECONDS, GuildPlayer

log = logging.getLogger(__name__)


class GuildPlayers:
    """The players of all guilds. Joining, moving and leaving happen one at a time in a guild.

    ``connect`` is how a voice channel is joined; ``stalled_seconds`` is how long a connection may stand
    still while it should play.
    """

    def __init__(
        self,
        *,
        alone_seconds: float = ALONE_SECONDS,
        join_seconds: float = JOIN_SECONDS,
        stalled_seconds: float = STALLED_SECONDS,
        connect: Connect = voice_client.join,
    ) -> None:
        self._alone_seconds = alone_seconds
        self._join_seconds = join_seconds
        self._stalled_seconds = stalled_seconds
        self._connect = connect
        self._players: dict[int, GuildPlayer] = {}
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._alone: dict[int, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    def get(self, guild_id: int) -> GuildPlayer | None:
        """Return the guild's player, or None when we are not in voice there."""
        return self._players.get(guild_id)

    async def join(self, channel: VoiceRoom, *, requested_by: discord.Member) -> GuildPlayer:
        """Return the player of ``channel``, joining it or moving into it first.

        Raises `MemberError` when we may not, or are busy elsewhere; `PlaybackError` when it fails.
        """
        guild = channel.guild
        async with self._locks[guild.id]:
            self._refuse_if_closing()
            reason = why_not_speak_in(channel, guild.me)
            if reason is not None:
                raise MemberError(reason)
            player = self._players.get(guild.id)
            if player is None:
                player = await self._enter(channel)
            elif player.channel != channel:
                _refuse_if_busy(player, requested_by)
                await self._replace_connection(player, channel)
            return player

    async def leave(self, guild_id: int) -> bool:
        """Leave the guild's voice channel; return whether we were in one. What is left ends as LOST."""
        async with self._locks[guild_id]:
            player = self._players.get(guild_id)
            if player is None:
                return False
            await self._leave(player)
            return True

    async def voice_state_changed(
        self, member: discord.Member, before: discord.VoiceState, after: discord.VoiceState
    ) -> None:
        """Take in a change of anybody's voice state: are we alone now, or not any more?

        That we were moved or removed ourselves, the connection tells.
        """
        player = self._players.get(member.guild.id)
        if player is not None and before.channel != after.channel:
            self._look_around(player)

    async def aclose(self) -> None:
        """Leave everywhere at once, within a few seconds; nothing is joined any more."""
        self._closing = True
        players = list(self._players.values())
        # All at once: discord.py's own close leaves one channel after the other (V10).
        await asyncio.gather(*(self._leave(player) for player in players))
        await asyncio.gather(*(player.wait_closed() for player in players))
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _refuse_if_closing(self) -> None:
        if self._closing:
            raise MemberError("I am restarting. Try again in a minute.")

    async def _enter(self, channel: VoiceRoom) -> GuildPlayer:
        connection = await self._connect(channel, self._join_seconds)
        if self._closing:
            await connection.disconnect(force=True)
            self._refuse_if_closing()
        player = GuildPlayer(connection, stalled=self._mend, stalled_seconds=self._stalled_seconds)
        self._players[channel.guild.id] = player
        self._own(player, connection)
        return player

    def _own(self, player: GuildPlayer, connection: VoiceConnection) -> None:
        def ended() -> None:
            if player.connection is connection:  # not one that we replaced or left ourselves
                log.info("guild %d: removed from voice", player.guild_id)
                self._forget(player)

        connection.on_ended(ended)
        if self._players.get(player.guild_id) is player:
            self._look_around(player)

    async def _leave(self, player: GuildPlayer) -> None:
        connection = player.detach()
        self._forget(player)
        if connection is not None:
            await connection.disconnect(force=True)

    def _forget(self, player: GuildPlayer) -> None:
        if self._players.get(player.guild_id) is player:
            del self._players[player.guild_id]
            self._stop_counting(player.guild_id)
        player.close()

    async def _replace_connection(self, player: GuildPlayer, channel: VoiceRoom) -> None:
        """Leave and join anew; what waits goes on there. If that fails, all of it is LOST."""
        old = player.detach()
        try:
            if old is not None:
                await old.disconnect(force=True)
            connection = await self._connect(channel, self._join_seconds)
        except BaseException:
            self._forget(player)
            raise
        player.attach(connection)
        self._own(player, connection)

    async def _mend(self, player: GuildPlayer) -> None:
        """Give a player whose connection stands still a new one."""
        async with self._locks[player.guild_id]:
            channel = player.channel
            if self._players.get(player.guild_id) is not player or channel is None:
                return
            log.warning("guild %d: joining the voice channel anew", player.guild_id)
            try:
                await self._replace_connection(player, channel)
            except PlaybackError as error:
                log.error("guild %d: the voice connection is lost: %s", player.guild_id, error)

    def _look_around(self, player: GuildPlayer) -> None:
        channel = player.channel
        if channel is None or humans_in(channel):
            self._stop_counting(player.guild_id)
        elif player.guild_id not in self._alone:
            task = asyncio.create_task(self._count_down(player), name=f"alone-{player.guild_id}")
            self._alone[player.guild_id] = task
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _stop_counting(self, guild_id: int) -> None:
        task = self._alone.pop(guild_id, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    async def _count_down(self, player: GuildPlayer) -> None:
        await asyncio.sleep(self._alone_seconds)
        async with self._locks[player.guild_id]:
            channel = player.channel
            if self._players.get(player.guild_id) is not player or channel is None:
                return
            log.info("guild %d: alone for %g s, leaving", player.guild_id, self._alone_seconds)
            await self._leave(player)


def _refuse_if_busy(player: GuildPlayer, requested_by: discord.Member) -> None:
    """Raise `MemberError` if the player must not be taken away from where it is."""
    here = player.channel
    if here is None or not player.utterances() or not humans_in(here):
        return
    rights = here.permissions_for(requested_by)
    if rights.move_members:
        return
    where = f"in {here.mention}" if rights.view_channel else "in another channel"
    raise MemberError(f"I am busy {where}. Wait until I am done there, or ask for the file instead.")

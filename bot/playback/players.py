"""Players of all guilds: joining, moving, coming back to voice channels, and leaving them, also by itself."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import discord

from bot.errors import MemberError, PlaybackError, PlaybackLimitedError
from bot.limits import (
    ALONE_PAUSE_SECONDS,
    ALONE_SECONDS,
    COOL_DOWN_SECONDS,
    JOIN_SECONDS,
    RETURN_SECONDS,
    SILENCED_SECONDS,
)
from bot.playback import voice_client
from bot.playback.permissions import (
    VoiceChannelLike,
    hearing_permission_error_in,
    listeners_in,
    speak_permission_error,
)
from bot.playback.player import STALLED_SECONDS, Connect, GuildPlayer, PauseReason, VoiceConnection
from bot.playback.queue import Outcome
from bot.playback.voice_joiner import Urgency, VoiceJoiner, channel_of_ours

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
        self, idle_timeouts: IdleTimeouts, *, leave: Callable[[GuildPlayer, str], Awaitable[None]]
    ) -> None:
        self._idle_timeouts = idle_timeouts
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
        if hearing_permission_error_in(channel, channel.guild.me) is None:
            self._end(player.guild_id, "silenced")
            player.release(PauseReason.SILENCED)
        else:
            self._begin(player, "silenced", self._silenced)
        if self._idle_timeouts.idle_seconds:
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
        leave_after = self._idle_timeouts.alone_seconds
        pause_after = min(self._idle_timeouts.alone_pause_seconds, leave_after)
        await asyncio.sleep(pause_after)
        player.hold(PauseReason.ALONE)
        await asyncio.sleep(leave_after - pause_after)
        await self._leave(player, f"alone for {leave_after:g} s")

    async def _silenced(self, player: GuildPlayer) -> None:
        player.hold(PauseReason.SILENCED)
        while True:
            await asyncio.sleep(self._idle_timeouts.silenced_seconds)
            if dropped := player.stop(outcome=Outcome.SILENCED):
                log.info("guild %d: not heard, so %d were dropped", player.guild_id, dropped)

    async def _idle(self, player: GuildPlayer) -> None:
        limit = self._idle_timeouts.idle_seconds
        while (idle := player.idle_seconds) < limit:  # noqa: ASYNC110 - it looks when it may be over
            await asyncio.sleep(limit - idle)
        await self._leave(player, f"nothing to say for {limit:g} s")


Remember = Callable[[int, int | None], None]
"""Called with a guild's id and the channel's, or None, whenever it changes; it must not block."""


class TargetChannels:
    """By guild: where we were asked to be, or moved to, and have not been sent away from.

    ``before`` is what was meant before the restart; without ``remember`` it is forgotten with the process.
    """

    def __init__(
        self, before: Mapping[int, int] | None = None, *, remember: Remember = lambda *_: None
    ) -> None:
        self._channel_ids = dict(before or {})
        self._remember = remember

    def get(self, guild_id: int) -> int | None:
        """Return the channel's id; None when we mean to be nowhere."""
        return self._channel_ids.get(guild_id)

    def learn(self, channel_ids: Mapping[int, int]) -> None:
        """Take over where we mean to be in servers that this process has from now on."""
        self._channel_ids.update(channel_ids)

    def give_away(self, guild_id: int) -> None:
        """Know nothing of a guild that another process has now."""
        self._channel_ids.pop(guild_id, None)

    def set_target(self, guild_id: int, channel_id: int) -> None:
        """Mean to be in this channel from now on."""
        if self._channel_ids.get(guild_id) != channel_id:
            self._channel_ids[guild_id] = channel_id
            self._remember(guild_id, channel_id)

    def forget(self, guild_id: int) -> None:
        """Mean to be nowhere in this guild."""
        if self._channel_ids.pop(guild_id, None) is not None:
            self._remember(guild_id, None)


MEND_SECONDS = 30.0
"""How long a lost connection is tried to be replaced before what waits is given up."""

_AGAIN_AFTER = (0.5, 1.0, 2.0, 4.0)
"""A lost connection is tried so often: the main connection may be away as well, and be back in a moment."""


class GuildPlayers:
    """The players of all guilds. Joining, moving and leaving happen one at a time in a guild.

    ``connect`` is how a voice channel is joined; ``stalled_seconds`` is how long a connection may stand
    still while it should play; ``targets`` knows where we mean to be.
    """

    def __init__(
        self,
        *,
        idle_timeouts: IdleTimeouts | None = None,
        join_seconds: float = JOIN_SECONDS,
        stalled_seconds: float = STALLED_SECONDS,
        mend_seconds: float = MEND_SECONDS,
        cool_down_seconds: float = COOL_DOWN_SECONDS,
        targets: TargetChannels | None = None,
        connect: Connect = voice_client.join,
    ) -> None:
        self._stalled_seconds = stalled_seconds
        self._mend_seconds = mend_seconds
        self._targets = targets or TargetChannels()
        self._joiner = VoiceJoiner(connect, join_seconds=join_seconds, cool_down_seconds=cool_down_seconds)
        self._auto_leave = AutoLeave(idle_timeouts or IdleTimeouts(), leave=self._leave_unless_gone)
        self._players: dict[int, GuildPlayer] = {}
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    def get(self, guild_id: int) -> GuildPlayer | None:
        """Return the guild's player, or None when we are not in voice there."""
        return self._players.get(guild_id)

    @property
    def all(self) -> list[GuildPlayer]:
        """The players of all servers in whose voice channels we are."""
        return list(self._players.values())

    def target(self, guild_id: int) -> int | None:
        """Return the voice channel we mean to be in, also while a lost connection is replaced; None: none."""
        return self._targets.get(guild_id)

    async def join(self, channel: VoiceChannelLike, *, requested_by: discord.Member) -> GuildPlayer:
        """Return the player of ``channel``, joining it or moving into it first.

        Raises `MemberError` when we may not, or are busy elsewhere; `PlaybackError` when it fails.
        """
        guild = channel.guild
        async with self._locks[guild.id]:
            self._refuse_if_closing()
            reason = speak_permission_error(channel, guild.me)
            player = self._players.get(guild.id)
            if player is not None and player.channel == channel:
                reason = hearing_permission_error_in(channel, guild.me)
            if reason is not None:
                raise MemberError(reason)
            if player is None:
                player = await self._enter(channel, Urgency.MEMBER)
            elif player.channel != channel:
                _refuse_if_busy(player, requested_by)
                await self._replace_connection(player, channel, Urgency.MEMBER)
            return player

    async def leave(self, guild_id: int) -> bool:
        """Leave the guild's voice channel; return whether we were in one. What is left ends as LOST."""
        async with self._locks[guild_id]:
            self._targets.forget(guild_id)
            player = self._players.get(guild_id)
            if player is None:
                return False
            await self._leave(player)
            return True

    def learn(self, channel_ids: Mapping[int, int]) -> None:
        """Take over where we mean to be in guilds that this process has from now on."""
        self._targets.learn(channel_ids)

    async def let_go(self, guild_id: int) -> None:
        """Give up a guild that another process has now, whose session nothing may be said to any more."""
        self._targets.give_away(guild_id)
        player = self._players.get(guild_id)
        if player is None:
            return
        connection = player.detach()
        self._forget(player)
        if connection is not None:
            with suppress(Exception):  # there is nobody who could confirm it
                await self._joiner.leave(connection)

    async def voice_state_changed(
        self, member: discord.Member, before: discord.VoiceState, after: discord.VoiceState
    ) -> None:
        """Take in a change of anybody's voice state: are we alone now, or muted, or not any more?

        That we were removed ourselves, the connection tells.
        """
        guild = member.guild
        ours = member.id == guild.me.id
        if ours and after.channel is None:
            self._joiner.we_are_gone(guild.id)
        player = self._players.get(guild.id)
        if player is None or not (ours or before.channel != after.channel):
            return
        if ours and after.channel is not None:
            self._targets.set_target(guild.id, after.channel.id)
        self._auto_leave.look_around(player)

    def permissions_changed(self, guild_id: int) -> None:
        """Take in that permissions changed: are we still heard?"""
        player = self._players.get(guild_id)
        if player is not None:
            self._auto_leave.look_around(player)

    async def reconcile(self, guilds: Iterable[discord.Guild]) -> None:
        """Be where we mean to be, and nowhere else: at the start, and when the main connection is back."""
        await asyncio.gather(*map(self._reconcile, filter(self._concerns_us, guilds)))

    def withdraw(self, *voice_ids: str) -> int:
        """Drop what these voices or likenesses say or would say, everywhere; return how many that were."""
        return sum(player.withdraw(*voice_ids) for player in list(self._players.values()))

    def voice_ids(self) -> frozenset[str]:
        """Return the saved voices and likenesses that are heard, or wait to be."""
        said = (one for player in self._players.values() for one in player.utterances())
        return frozenset().union(*(one.voice_ids for one in said))

    def member_ids(self) -> frozenset[int]:
        """Return whose words are heard, or wait to be."""
        return frozenset(one.member_id for player in self._players.values() for one in player.utterances())

    def stop_all_of(self, member_id: int) -> int:
        """Drop what this member asked for, in every guild; return how many that were."""
        return sum(player.stop(member_id=member_id) for player in list(self._players.values()))

    async def aclose(self) -> None:
        """Leave everywhere at once, within a few seconds; nothing is joined any more.

        Where we mean to be is not forgotten.
        """
        self._closing = True
        players = list(self._players.values())
        # All at once: discord.py's own close leaves one channel after the other.
        await asyncio.gather(*(self._leave(player) for player in players))
        await asyncio.gather(*(player.wait_closed() for player in players))
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, self._auto_leave.aclose(), return_exceptions=True)

    # -- coming and going -------------------------------------------------------------------------

    def _refuse_if_closing(self) -> None:
        if self._closing:
            raise MemberError("I'm restarting. Try again in a minute.")

    async def _open(
        self, channel: VoiceChannelLike, urgency: Urgency, *, again_after: Sequence[float] = ()
    ) -> VoiceConnection:
        for delay in again_after:
            try:
                connection = await self._joiner.open(self._target_channel(channel), urgency)
                break
            except PlaybackLimitedError:
                raise
            except PlaybackError as error:
                log.info("guild %d: again in %g s: %s", channel.guild.id, delay, error)
                await asyncio.sleep(delay)
        else:
            meant = self._target_channel(channel) if again_after else channel
            connection = await self._joiner.open(meant, urgency)
        if self._closing:
            await self._joiner.leave(connection)
            self._refuse_if_closing()
        return connection

    def _target_channel(self, before: VoiceChannelLike) -> VoiceChannelLike:
        """Return where we mean to be by now: we may have been moved since we were ``before``."""
        room = before.guild.get_channel(self._targets.get(before.guild.id) or before.id)
        return room if isinstance(room, discord.VoiceChannel | discord.StageChannel) else before

    async def _enter(self, channel: VoiceChannelLike, urgency: Urgency) -> GuildPlayer:
        await self._joiner.clear(channel.guild, urgency)
        connection = await self._open(channel, urgency)
        player = GuildPlayer(connection, stalled=self._mend, stalled_seconds=self._stalled_seconds)
        self._players[channel.guild.id] = player
        self._own(player, connection)
        return player

    def _own(self, player: GuildPlayer, connection: VoiceConnection) -> None:
        self._targets.set_target(player.guild_id, connection.channel.id)

        def ended() -> None:
            if player.connection is not connection:  # we replaced it, or left ourselves
                return
            if connection.is_limited:
                self._joiner.cool_down(player.guild_id)
            if connection.was_removed or connection.is_limited:
                log.info("guild %d: removed from voice", player.guild_id)
                self._targets.forget(player.guild_id)
                self._forget(player)
            else:
                self._begin(self._mend(player), name=f"mend-{player.guild_id}")

        connection.on_ended(ended)
        if self._players.get(player.guild_id) is player:
            self._auto_leave.look_around(player)

    async def _leave(self, player: GuildPlayer) -> None:
        connection = player.detach()
        self._forget(player)
        if connection is not None:
            await self._joiner.leave(connection)

    async def _leave_unless_gone(self, player: GuildPlayer, why: str) -> None:
        async with self._locks[player.guild_id]:
            if self._players.get(player.guild_id) is player:
                log.info("guild %d: %s, leaving", player.guild_id, why)
                self._targets.forget(player.guild_id)
                await self._leave(player)

    def _forget(self, player: GuildPlayer) -> None:
        if self._players.get(player.guild_id) is player:
            del self._players[player.guild_id]
            self._auto_leave.forget(player.guild_id)
        player.close()

    # -- staying ----------------------------------------------------------------------------------

    async def _replace_connection(
        self,
        player: GuildPlayer,
        channel: VoiceChannelLike,
        urgency: Urgency,
        *,
        again_after: Sequence[float] = (),
    ) -> None:
        """Leave and join anew; what waits goes on there. If that fails, all of it is LOST."""
        old = player.detach()
        try:
            if old is not None:
                await self._joiner.leave(old)
            connection = await self._open(channel, urgency, again_after=again_after)
        except BaseException:
            self._forget(player)
            raise
        player.attach(connection)
        self._own(player, connection)

    async def _mend(self, player: GuildPlayer) -> None:
        """Give a player whose connection stands still, or is lost, a new one."""
        broken = player.connection
        async with self._locks[player.guild_id]:
            if self._players.get(player.guild_id) is player and player.connection is broken:
                await self._connect_again(player)

    async def _connect_again(self, player: GuildPlayer) -> None:
        channel = player.channel
        if channel is None or self._closing:
            return
        log.warning("guild %d: joining the voice channel anew", player.guild_id)
        try:
            async with asyncio.timeout(self._mend_seconds):
                await self._replace_connection(player, channel, Urgency.LISTENERS, again_after=_AGAIN_AFTER)
        except (PlaybackError, MemberError, TimeoutError) as error:
            log.error("guild %d: the voice connection is lost: %s", player.guild_id, error)
            self._begin(self._give_up_coming_back(player.guild_id), name=f"lost-{player.guild_id}")

    async def _give_up_coming_back(self, guild_id: int) -> None:
        await asyncio.sleep(RETURN_SECONDS)
        if guild_id not in self._players:
            self._targets.forget(guild_id)

    def _concerns_us(self, guild: discord.Guild) -> bool:
        known = guild.id in self._players or self._targets.get(guild.id) is not None
        return known or channel_of_ours(guild) is not None

    async def _reconcile(self, guild: discord.Guild) -> None:
        async with self._locks[guild.id]:
            if self._closing or guild.unavailable:
                return
            player, there = self._players.get(guild.id), channel_of_ours(guild)
            if player is None:
                await self._come_back(guild)
            elif there is None:  # Discord has forgotten us, with the session that is gone
                await self._connect_again(player)
            else:
                self._auto_leave.look_around(player)

    async def _come_back(self, guild: discord.Guild) -> None:
        """Go where we were before we were lost, if people are still there and we may; else be nowhere."""
        channel = guild.get_channel(self._targets.get(guild.id) or 0)
        if (
            isinstance(channel, discord.VoiceChannel | discord.StageChannel)
            and listeners_in(channel)
            and speak_permission_error(channel, guild.me) is None
        ):
            try:
                await self._enter(channel, Urgency.NOBODY)
            except (PlaybackError, MemberError) as error:
                log.warning("guild %d: could not come back: %s", guild.id, error)
            else:
                log.info("guild %d: came back to the voice channel", guild.id)
                return
        self._targets.forget(guild.id)
        await self._joiner.clear(guild, Urgency.NOBODY)

    def _begin(self, coroutine: Coroutine[object, object, None], *, name: str) -> None:
        task = asyncio.create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _refuse_if_busy(player: GuildPlayer, requested_by: discord.Member) -> None:
    """Raise `MemberError` if the player must not be taken away from where it is."""
    here = player.channel
    if here is None or not player.utterances() or not listeners_in(here):
        return
    rights = here.permissions_for(requested_by)
    if rights.move_members:
        return
    where = f"in {here.mention}" if rights.view_channel else "in another channel"
    raise MemberError(f"I'm busy {where}. Wait until I'm done there, or ask for a file instead.")

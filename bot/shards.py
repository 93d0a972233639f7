"""Shards on lease: a process opens them, gives them up and hands them over while its others go on.

discord.py 2.7.1 opens all shards of a client at its start and keeps them. Here shards come and go: each is
opened by itself, with the library's own means, and one that another process has got is closed without a word
to Discord, which would be taken for that of the new session.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import discord
import yarl
from discord.shard import EventItem, EventType

from bot.errors import LibraryError
from bot.library.guild_settings import GuildSettings
from bot.library.processes import TURN_SECONDS, ShardLeases, Turn
from bot.limits import RETURN_SECONDS
from bot.models import Shards
from bot.playback.player import Volumes
from bot.playback.players import GuildPlayers
from bot.reading.readers import Readers

log = logging.getLogger(__name__)

HANDOVER_SECONDS: Final = 75.0
"""So long a process that is told to stop goes on for its servers, until others have them: 5 s a shard or so.

With the rest of its end it stays within the 90 s that our manifests give it.
"""

_NEXT_SECONDS: Final = 20.0
"""So long it waits for the next shard to be taken over: nobody may be there who can."""

_CONNECT_SECONDS: Final = 180.0
_CALM_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class GuildParts:
    """What a process knows of the servers that it hears of, and has to learn when it gets more of them."""

    settings: GuildSettings
    players: GuildPlayers
    volumes: Volumes
    readers: Readers


class LeasedShards:
    """Shards that ``client`` has on lease. What happens with them is told to it by the bot."""

    def __init__(
        self,
        client: discord.AutoShardedClient,
        leases: ShardLeases,
        parts: GuildParts,
        stirred: asyncio.Event,
    ) -> None:
        self._client = client
        self._leases = leases
        self._parts = parts
        self._stirred = stirred
        self._url = yarl.URL()
        self._buckets = 1
        self._count = 1
        self._held: set[int] = set()
        self._opened: dict[int, asyncio.Task[None]] = {}
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._others = 0
        self._has_changed = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._is_away = False
        self.has_nothing = asyncio.Event()
        """Set while other processes have all shards: there is nothing to connect."""

    @property
    def held(self) -> Shards:
        """Return the shards whose servers are this process's."""
        return Shards(frozenset(self._held), self._count)

    async def begin(self) -> None:
        """Open the shards that are this process's, and those it gets later. Raises `LibraryError`."""
        recommended, url, limits = await self._client.http.get_bot_gateway()
        self._url, self._buckets = yarl.URL(url), max(1, limits["max_concurrency"])
        self._count = await self._leases.open(recommended)
        self._client.shard_connect_timeout = _CONNECT_SECONDS + 6.0 * self._count
        self._client.shard_count = self._client._connection.shard_count = self._count
        self._tell_library()
        await self._apply(await self._leases.turn())
        self._keeping = asyncio.create_task(self._keep(), name="shards")

    async def aclose(self) -> None:
        """Have no shards any more: others may take them. Their connections are the client's to close."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait({self._keeping})
        for task in self._opened.values():
            task.cancel()
        if self._keeping is not None:
            with suppress(LibraryError):
                await self._leases.release()

    async def hand_over(self) -> None:
        """Return when other processes have what this one had, `HANDOVER_SECONDS` later at most."""
        if self._keeping is None or not self._opened:
            return
        with suppress(LibraryError, TimeoutError):
            async with asyncio.timeout(HANDOVER_SECONDS):
                self._others = (await self._leases.turn()).others
                if not self._others:
                    return
                log.info("handing %d shards over to other processes", len(self._opened))
                await self._leases.leave()
                self._stirred.set()  # what it was just about to take over stays where it is
                left, until = len(self._opened), _in(_NEXT_SECONDS)
                while self._opened and self._others and _in(0.0) < until:  # they may be about to end as well
                    self._has_changed.clear()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._has_changed.wait(), TURN_SECONDS)
                    if len(self._opened) < left:
                        left, until = len(self._opened), _in(_NEXT_SECONDS)

    async def wait_to_identify(self, shard_id: int) -> None:
        """Return when this shard may identify itself, as far as other shards are concerned."""
        await self._leases.wait_to_identify(shard_id % self._buckets)

    async def on_connect(self, shard_id: int) -> None:
        """Take in that a session of a shard is there: from now on it is this process's."""
        if shard_id in self._held or shard_id not in self._opened:
            return
        try:
            is_ours = await self._leases.inherit(shard_id)
            if is_ours:
                await self._learn({shard_id: 0.0})
        except LibraryError as error:
            log.warning("shard %d is not taken over now: %s", shard_id, error)
            is_ours = False
        if not is_ours:
            await self._give_up(shard_id)
            return
        self._hold(shard_id)
        log.info("took shard %d over, with its session", shard_id)
        here = [guild for guild in self._client.guilds if guild.shard_id == shard_id]
        await self._parts.players.reconcile(here)

    # -- turns ------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stirred.wait(), TURN_SECONDS)
            self._stirred.clear()
            try:
                await self._apply(await self._leases.turn())
                self._is_away = False
            except LibraryError as error:
                # What it has it keeps: nobody who cannot ask either takes it, and nothing is made meanwhile.
                if not self._is_away:
                    log.warning(
                        "The shards can't be renewed in the database. I keep them, and try again: %s", error
                    )
                self._is_away = True
            await asyncio.sleep(_CALM_SECONDS)

    async def _apply(self, turn: Turn) -> None:
        self._others = turn.others
        self._has_changed.set()
        for shard_id in self._opened.keys() - turn.held - turn.inherits:
            log.warning("Another process has shard %d, so this one lets go of it.", shard_id)
            await self._give_up(shard_id)
        new = turn.held - self._held
        if new:
            await self._learn({shard_id: turn.taken.get(shard_id) for shard_id in new})
            log.info("took %d shards of %d: %s", len(new), self._count, ", ".join(map(str, sorted(new))))
        for shard_id in sorted(new):
            self._hold(shard_id)
        for shard_id in sorted((new | turn.inherits) - self._opened.keys()):
            self._open(shard_id)
        if self._opened:
            self.has_nothing.clear()
        else:
            self.has_nothing.set()

    async def _learn(self, idle_seconds: Mapping[int, float | None]) -> None:
        """Learn what is kept of the servers of these shards, which nobody has had for so many seconds."""
        of = Shards(frozenset(idle_seconds), self._count)
        await self._parts.settings.read_anew(of)
        for shard_id, idle in idle_seconds.items():
            if idle is None or idle > RETURN_SECONDS:
                self._parts.settings.forget_channels(Shards(frozenset({shard_id}), self._count))
        kept = self._parts.settings
        self._parts.volumes.learn({one: value for one, value in kept.volumes().items() if of.hold(one)})
        self._parts.players.learn({one: value for one, value in kept.channels().items() if of.hold(one)})
        await self._parts.readers.open()

    def _hold(self, shard_id: int) -> None:
        self._held.add(shard_id)
        self._tell_library()

    def _tell_library(self) -> None:
        self._parts.settings.shards = self.held

    # -- sessions ---------------------------------------------------------------------------------

    def _open(self, shard_id: int) -> None:
        self._opened[shard_id] = asyncio.create_task(self._opening(shard_id), name=f"shard-{shard_id}")
        self._tell_client()

    def _tell_client(self) -> None:
        self._client.shard_ids = self._client._connection.shard_ids = sorted(self._opened)

    async def _opening(self, shard_id: int) -> None:
        try:
            # One at a time: a connection that waits for its turn for a minute is taken for dead.
            async with self._turns[shard_id % self._buckets]:
                await self._client.launch_shard(self._url, shard_id)
        except Exception as error:  # it ends the bot, as it does where the library opens all of them
            self._events().put_nowait(EventItem(EventType.terminate, None, error))

    def _events(self) -> asyncio.PriorityQueue[EventItem]:
        events: asyncio.PriorityQueue[EventItem] = self._client._AutoShardedClient__queue  # type: ignore[attr-defined]
        return events

    async def _give_up(self, shard_id: int) -> None:
        """End the session of a shard, and forget its servers; Discord is told nothing of them."""
        self._held.discard(shard_id)
        self._tell_library()
        opening = self._opened.pop(shard_id)
        opening.cancel()
        self._tell_client()
        shards: dict[int, Any] = self._client._AutoShardedClient__shards  # type: ignore[attr-defined]
        shard = shards.get(shard_id)
        if shard is not None:
            shard._queue_put = _ignored  # it must not be opened anew by what is still on its way
            shard.launch = lambda: asyncio.create_task(shard.ws.close(code=1000))
            with suppress(Exception):
                await shard.close()
        here = [guild for guild in self._client.guilds if guild.shard_id == shard_id]
        await asyncio.gather(*(self._parts.players.let_go(guild.id) for guild in here))
        for guild in here:
            await self._parts.readers.on_guild_left(guild.id)
            self._client._connection._remove_guild(guild)
        if shards.get(shard_id) is shard:
            shards.pop(shard_id, None)
        self._has_changed.set()


def _in(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


def _ignored(_event: EventItem) -> None:
    """Do nothing."""

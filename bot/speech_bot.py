"""The bot: builds every object once, loads the cogs by name, and closes everything in reverse."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import aiohttp
import discord
from discord.ext import commands

from bot.delivery import Delivery
from bot.limits import RETURN_SECONDS, SHUTDOWN_SECONDS
from bot.playback.company import Patience
from bot.playback.meant import MeantChannels
from bot.playback.players import GuildPlayers
from bot.playback.volumes import Volumes
from bot.settings import HOSTED_TTS_BASE_URL, Settings
from bot.store import GuildStore
from bot.synthesis import SpeechMaker
from bot.takes.cache import SpeechCache
from bot.takes.cache_folder import CacheFolder
from bot.tree import SpeechTree
from bot.tts.client import TTSClient
from bot.tts.own import OwnTTSGateway

log = logging.getLogger(__name__)

HEARTBEAT_FILE: Final = "heartbeat"
HEARTBEAT_SECONDS: Final = 20.0
"""A file under the data directory that is touched while the bot is connected; see `bot healthy`."""

CACHE_FOLDER: Final = "cache"
"""A folder under the data directory for speech that is kept for a day."""

STORE_FILE: Final = "guilds.json"
"""A file under the data directory with what is kept of each server."""

EXTENSIONS_PACKAGE: Final = "cogs"


class SpeechBot(commands.AutoShardedBot):
    """A Discord bot that says things.

    ``connector`` carries everything it says to Discord; the rehearsal hands its own. The sharded class
    is used even for one shard: the plain one forgets its voice clients when it has to identify again
    (discord.py 2.7.1, ``ConnectionState.parse_ready``).
    """

    tree: SpeechTree
    delivery: Delivery
    players: GuildPlayers
    volumes: Volumes

    def __init__(
        self,
        settings: Settings,
        *,
        connector: aiohttp.BaseConnector | None = None,
        own_tts_gateway_arguments: Sequence[str] = (),
    ) -> None:
        intents = discord.Intents.none()
        intents.guilds = True
        intents.voice_states = True
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=intents,
            tree_cls=SpeechTree,
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            chunk_guilds_at_startup=False,
            connector=connector,
            guild_ready_timeout=0.2,  # nothing of ours waits for the last server; the default adds 2 s
        )
        self._settings = settings
        self._own_tts_gateway_arguments = own_tts_gateway_arguments
        self._parts = AsyncExitStack()
        self._shutting_down = False
        self.heart_has_beaten = asyncio.Event()

    async def setup_hook(self) -> None:
        """Build what the cogs need, load them, and register the commands if they changed."""
        tts = await self._parts.enter_async_context(
            TTSClient(
                await self._tts_base_url(),
                self._settings.tts_api_key,
                guidance=self._settings.tts_guidance,
                steps=self._settings.tts_steps,
            )
        )
        store = await self._parts.enter_async_context(GuildStore(self._settings.data_dir / STORE_FILE))
        self.volumes = Volumes(store.volumes(), remember=store.remember_volume)
        self.players = GuildPlayers(
            patience=Patience(idle_seconds=60.0 * self._settings.idle_minutes),
            meant=MeantChannels(await self._channels_before(store), remember=store.remember_channel),
        )
        self._parts.push_async_callback(self.players.aclose)
        cache = await self._parts.enter_async_context(SpeechCache(self._cache_folder()))
        maker = SpeechMaker(tts, cache, source=self._settings.tts_source)
        self._parts.push_async_callback(maker.aclose)
        self.delivery = Delivery(maker, self.players, self.volumes)
        await self.load_extension(EXTENSIONS_PACKAGE)
        if await self.tree.sync_if_changed(self._settings.data_dir / "commands.sha256"):
            log.info("commands registered with Discord")
        heartbeat = asyncio.create_task(self._beat(), name="heartbeat")
        self._parts.callback(heartbeat.cancel)

    async def _channels_before(self, store: GuildStore) -> dict[int, int]:
        """Return where we meant to be before the restart; nowhere if that was long ago."""
        age = await asyncio.to_thread(_heartbeat_age, self._settings.data_dir, time.time())
        if age <= RETURN_SECONDS:
            return store.channels()
        for guild_id in store.channels():
            store.remember_channel(guild_id, None)
        return {}

    async def on_ready(self) -> None:
        """Log that the bot is at work; may happen more than once."""
        log.info("logged in as %s, in %d servers", self.user, len(self.guilds))

    async def shut_down(self) -> None:
        """Take no more commands, answer the open ones, leave every voice channel, log out: under 10 s."""
        if self._shutting_down:
            return
        self._shutting_down = True
        self.tree.accepting = False
        if hasattr(self, "delivery"):
            await self.delivery.aclose(wait=SHUTDOWN_SECONDS / 2)
        await self.close()

    async def close(self) -> None:
        """Close every part, newest first, then the connection to Discord."""
        parts = self._parts.pop_all()
        try:
            await parts.aclose()
        finally:
            await super().close()

    async def _tts_base_url(self) -> str:
        if self._settings.own_tts_gateway:
            own = OwnTTSGateway(extra_arguments=self._own_tts_gateway_arguments)
            self._parts.push_async_callback(own.aclose)
            return await own.start()
        return self._settings.tts_base_url or HOSTED_TTS_BASE_URL

    def _cache_folder(self) -> CacheFolder | None:
        max_bytes = self._settings.cache_megabytes * 1024**2
        return CacheFolder(self._settings.data_dir / CACHE_FOLDER, max_bytes=max_bytes) if max_bytes else None

    async def _beat(self) -> None:
        path = self._settings.data_dir / HEARTBEAT_FILE
        await self.wait_until_ready()
        while True:
            if self.is_ready() and not self.is_closed():
                await asyncio.to_thread(_touch, path)
                self.heart_has_beaten.set()
            await asyncio.sleep(HEARTBEAT_SECONDS)


def is_healthy(data_dir: Path, *, now: float | None = None) -> bool:
    """Return whether a bot with this data directory was connected within the last minute."""
    return _heartbeat_age(data_dir, time.time() if now is None else now) < 3 * HEARTBEAT_SECONDS


def _heartbeat_age(data_dir: Path, now: float) -> float:
    """Return the seconds since a bot with this data directory was last connected."""
    try:
        return now - (data_dir / HEARTBEAT_FILE).stat().st_mtime
    except OSError:
        return math.inf


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()

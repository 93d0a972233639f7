"""The bot: builds every object once, loads the cogs by name, and closes everything in reverse."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Final

import aiohttp
import discord
import yarl
from discord.ext import commands

from bot import __version__
from bot.audio.maker import Maker
from bot.audio.maker_process import build_maker
from bot.command_tree import SpeechTree, reads_messages, refusal_of
from bot.conditions import Conditions, OperatorNotices
from bot.data_folder import (
    CACHE_FOLDER,
    COMMANDS_FILE,
    HEARTBEAT_FILE,
    LIMITS_FILE,
    PROCESS_FOLDER,
    StartTimes,
    data_limit,
)
from bot.delivery.delivery import Deliveries
from bot.delivery.history import GenerationHistory
from bot.delivery.membership import Membership
from bot.delivery.open_replies import ReplyWatch
from bot.delivery.playback_slot import PlaybackSlots
from bot.delivery.reference_uploads import ReferencePosts, VoiceAccesses, VoiceSilencer
from bot.delivery.request import RequestResolver
from bot.delivery.voice_creation import StarterMaker, VoiceCreation, VoiceDesigner
from bot.delivery.voice_message import GenerationsInHand
from bot.errors import LibraryError
from bot.interaction import invitation
from bot.library.guild_settings import GuildSettings
from bot.library.library import Library
from bot.library.processes import OpenReplies, ShardLeases, process_id_of
from bot.library.usage import OperatorLimits
from bot.limits import RETURN_SECONDS, SHUTDOWN_SECONDS
from bot.models import Shards
from bot.playback.player import Volumes
from bot.playback.players import GuildPlayers, IdleTimeouts, TargetChannels
from bot.reading.author_voices import ReadingVoices
from bot.reading.reader import ReadingParts
from bot.reading.readers import Readers
from bot.settings import HOSTED_TTS_BASE_URL, PREVIEW, Settings
from bot.shards import GuildParts, LeasedShards
from bot.speech.cache import CacheFolder, SpeechCache
from bot.speech.segment_plan import Speed
from bot.speech.synthesizer import SpeechSynthesizer
from bot.tts.call_queue import CallQueue, LimitMemory
from bot.tts.client import TTSClient
from bot.tts.http import seconds_to_wait
from bot.tts.local_tts_gateway import OwnTTSGateway
from bot.tts.wire import TTSHealth

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS: Final = 20.0

STATUS: Final = "/speak · /help"
"""What stands under the bot's name in the list of members."""

_FIRST_TRY_SECONDS: Final = 20.0
"""How long a start waits for its commands to be registered; then that goes on beside it."""

_LONGEST_PAUSE_SECONDS: Final = 3_600.0
"""Between two tries to register commands that Discord did not take."""

_OWN_CALLS_AT_FIRST: Final = 4
"""Our own TTS gateway works on two texts at once; two more wait there, so that it is never idle."""

DISCORD_HOST: Final = "discord.com"

USER_AGENT: Final = (
    f"DiscordBot (https://github.com/Rapptz/discord.py, {discord.__version__}) Myna/{__version__}"
)
"""Who we are, in the form that Discord asks for (its API reference, User Agent)."""

EXTENSIONS_PACKAGE: Final = "cogs"


class SpeechBot(commands.AutoShardedBot):
    """A Discord bot that says things, in the servers of its ``shards``; None: in all.

    ``connector`` carries everything it says to Discord; the rehearsal hands its own. The sharded class
    is used even for one shard: the plain one forgets its voice clients when it has to identify again
    (discord.py 2.7.1, ``ConnectionState.parse_ready``).
    """

    tree: SpeechTree
    version: Final = __version__
    registration_pause: float = 60.0
    """Seconds after which commands that Discord did not take are registered again; later it is longer."""
    most_launches: int = 20
    """Tries to connect a shard, some seconds apart, before the bot ends and is started anew."""

    def __init__(
        self,
        settings: Settings,
        *,
        connector: aiohttp.BaseConnector | None = None,
        own_tts_gateway_arguments: Sequence[str] = (),
        own_tts_gateway_module: str = "tts_gateway",
        shards: Shards | None = None,
    ) -> None:
        intents = self._intents = discord.Intents.none()
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
            activity=discord.CustomActivity(STATUS),
            proxy=settings.proxy.for_host(DISCORD_HOST) if settings.proxy and connector is None else None,
            guild_ready_timeout=0.2,  # nothing of ours waits for the last server; the default adds 2 s
            **_asked_for(shards),
        )
        self._shards = shards
        self._leased: LeasedShards | None = None
        self.http.user_agent = USER_AGENT
        for event in _OF_MESSAGES:
            self._connection.parsers[event] = _forgiving(event, self._connection.parsers[event])
        self.settings = settings
        self._own_tts_gateway_arguments = own_tts_gateway_arguments
        self._own_tts_gateway_module = own_tts_gateway_module
        self._parts = AsyncExitStack()
        self._shutting_down = False
        self.heart_has_beaten = asyncio.Event()
        self.starts: StartTimes | None = None
        """Where it is counted how often the bot identifies itself; None: nowhere."""
        self._launches: Counter[int] = Counter()

    @property
    def shards_held(self) -> Shards:
        """The shards whose servers the bot hears of; those of others are another process's."""
        if self._leased is not None:
            return self._leased.held
        return self._shards or Shards()

    async def wait_until_ready(self) -> None:
        """Return when the bot is connected, or has nothing to connect: other processes have all shards."""
        if self._leased is None:
            await super().wait_until_ready()
            return
        ways: list[Coroutine[Any, Any, Any]] = [super().wait_until_ready(), self._leased.has_nothing.wait()]
        waiting = [asyncio.create_task(way) for way in ways]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    def is_ready(self) -> bool:
        """Return whether the bot is connected, or has nothing to connect."""
        return super().is_ready() or (self._leased is not None and self._leased.has_nothing.is_set())

    async def launch_shards(self) -> None:
        """Open the shards; where processes share them, those that this one has on lease."""
        if self._leased is None:
            await super().launch_shards()
        elif not self.is_closed():
            await self._leased.begin()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait as discord.py does, and longer where the bot has identified itself too often of late."""
        if self._leased is None:
            await super().before_identify_hook(shard_id, initial=initial)
        else:
            await self._leased.wait_to_identify(shard_id or 0)
        if self.starts is not None:
            await self.starts.wait_to_identify()

    async def launch_shard(self, url: yarl.URL, shard_id: int, *, initial: bool = False) -> None:
        """Connect a shard. Raises `discord.GatewayNotFound` when that has failed often, one after the other.

        discord.py 2.7.1 calls this method from within itself for each further try: after some hours without
        Discord's gateway it would end in a RecursionError.
        """
        self._launches[shard_id] += 1
        if self._launches[shard_id] > self.most_launches:
            raise discord.GatewayNotFound
        await super().launch_shard(url, shard_id, initial=initial)
        del self._launches[shard_id]

    async def on_message(self, message: discord.Message, /) -> None:
        """Do nothing: no command of ours is a message; what is written is read by a cog."""

    async def setup_hook(self) -> None:
        """Build what the cogs need, load them, and register the commands if they changed."""
        if reads_messages(self):  # known since the login, and asked for when the bot connects
            self._intents.guild_messages = self._intents.message_content = True
        # discord.py 2.7.1 says who calls, but not in what it answers to interactions and through webhooks.
        session: aiohttp.ClientSession = self.http._HTTPClient__session  # type: ignore[attr-defined]
        session.headers["User-Agent"] = self.http.user_agent
        url = self.settings.database_url
        limit = data_limit(self.settings)
        limits = OperatorLimits(
            member_seconds=self.settings.daily_seconds_per_member,
            server_seconds=self.settings.daily_seconds_per_server,
            seconds=self.settings.daily_seconds,
            calls_an_hour=self.settings.max_calls_per_hour,
        )
        self.library = await self._parts.enter_async_context(
            Library(
                url.reveal() if url else None,
                self.settings.data_dir,
                limit=limit,
                speech_limits=limits,
            )
        )
        assert self.application_id is not None, "it has logged in"  # noqa: S101
        await self.library.processes.claim(self.application_id)
        own = self._own_tts_gateway()
        tts = self.tts = await self._parts.enter_async_context(
            TTSClient(
                await own.start() if own else self.settings.tts_base_url or HOSTED_TTS_BASE_URL,
                self.settings.tts_api_key,
                own=own,
                guidance=self.settings.tts_guidance,
                steps=self.settings.tts_steps,
                proxy=self.settings.proxy,
                queue=self._call_queue(),
                is_preview=self.settings.has_preview_voice,
            )
        )
        self.tts_health = TTSHealth() if self.settings.hosted_tts_gateway else await tts.health()
        kept = self.library.settings
        self.volumes = Volumes(kept.volumes(), remember=kept.remember_volume)
        self.players = GuildPlayers(
            idle_timeouts=IdleTimeouts(idle_seconds=60.0 * self.settings.idle_minutes),
            targets=TargetChannels(await self._channels_before(kept), remember=kept.remember_channel),
        )
        self._parts.push_async_callback(self.players.aclose)
        maker = await build_maker(self.settings.sound_process, self.settings.data_dir)
        self._parts.push_async_callback(maker.aclose)
        cache = SpeechCache(
            self.library.cached_speeches,
            CacheFolder(self.settings.data_dir / CACHE_FOLDER),
            maker,
            max_bytes=self.settings.cache_megabytes * 1024**2,
        )
        await self._parts.enter_async_context(cache)
        speed = Speed.of_our_own() if self.settings.own_tts_gateway else None
        synthesizer = self.synthesizer = SpeechSynthesizer(
            *(tts, cache, maker),
            source=self.settings.tts_source,
            speed=speed,
            usage=self.library.usage,
        )
        self._parts.push_async_callback(synthesizer.aclose)
        fetching = aiohttp.ClientSession(connector=self.http.connector, connector_owner=False)
        session = await self._parts.enter_async_context(fetching)
        self.voice_creation = VoiceCreation(self.library, session, maker)
        self.voice_designer = VoiceDesigner(synthesizer, self.voice_creation)
        self._parts.push_async_callback(self.voice_designer.aclose)
        self.starters = StarterMaker(self.library, synthesizer, maker, source=self.settings.tts_source)
        self._parts.push_async_callback(self.starters.aclose)
        self.reference_posts = ReferencePosts(
            self,
            self.library.posts,
            self.library.recordings,
            place=self.settings.recording_place,
            storage_channel_id=self.settings.storage_channel_id,
        )
        await self._build_delivery(synthesizer, maker)
        await self.load_extension(EXTENSIONS_PACKAGE)
        tried = asyncio.Event()
        registering = asyncio.create_task(self._register_commands(tried), name="commands")
        self._parts.callback(registering.cancel)
        with suppress(TimeoutError):
            await asyncio.wait_for(tried.wait(), _FIRST_TRY_SECONDS)
        leads = self.library.processes.leads
        tidying = asyncio.create_task(self.reference_posts.keep_tidy(leads), name="reference-posts")
        self._parts.callback(tidying.cancel)
        posting = asyncio.create_task(
            self.reference_posts.post_ahead(self.library.voices.new_voices(), self.library.consents),
            name="new-voices",
        )
        self._parts.callback(posting.cancel)
        notices = OperatorNotices(self, self.library.usage, self.settings.refill_page)
        telling = asyncio.create_task(notices.follow(tts.outages()), name="operator-notices")
        self._parts.callback(telling.cancel)
        service = "my own" if own else str(yarl.URL(self.settings.tts_base_url or HOSTED_TTS_BASE_URL).host)
        storage = self.settings.storage_channel_id
        place = "your direct messages" if storage is None else f"the channel <#{storage}>"
        self.conditions = Conditions(
            *(self.library.usage, tts, self.reference_posts, limit), service=service, place=place
        )
        attending = asyncio.create_task(notices.attend(self.conditions.watch()), name="conditions")
        self._parts.callback(attending.cancel)
        heartbeat = asyncio.create_task(self._beat(), name="heartbeat")
        self._parts.callback(heartbeat.cancel)

    async def _register_commands(self, tried: asyncio.Event) -> None:
        """Have the commands registered, however often Discord must be asked; set ``tried`` after once."""
        pause = self.registration_pause
        while True:
            try:
                record = self.settings.data_dir / COMMANDS_FILE
                async with self.library.processes.registering(record):
                    if await self.tree.register(record):
                        log.info("commands registered with Discord")
                return
            except Exception as error:  # also an answer without sense: the bot can do without this
                told = (
                    seconds_to_wait(error.response.headers)
                    if isinstance(error, discord.HTTPException)
                    else None
                )
                wait = max(pause, told or 0.0) * random.uniform(1.0, 1.25)
                log.warning(
                    "The commands were not registered: %s The bot works with those that Discord has, and "
                    "tries again in %.0f minutes.",
                    *(refusal_of(error), wait / 60),
                )
            finally:
                tried.set()
            await asyncio.sleep(wait)
            pause = min(pause * 4, _LONGEST_PAUSE_SECONDS)

    async def _build_delivery(self, synthesizer: SpeechSynthesizer, maker: Maker) -> None:
        membership = Membership(self.library)
        self.accesses = VoiceAccesses(self.library.consents, membership, self.reference_posts)
        self.resolver = RequestResolver(self.library, clones=self.tts_health.clones)
        slots, in_hand = PlaybackSlots(self.players, self.volumes), GenerationsInHand()
        self.history = GenerationHistory(
            self.library, self.voice_creation, synthesizer, maker, slots, membership, in_hand
        )
        self.deliveries = Deliveries(
            *(synthesizer, maker, slots, self.history, self.accesses),
            settings=self.library.settings,
            starters=self.starters,
        )
        voices = ReadingVoices(self.library, self.accesses, self.starters, self.history)
        parts = ReadingParts(self.players, slots, synthesizer, voices)
        self.readers = Readers(self, self.library, parts, sees_messages=reads_messages(self))
        self._parts.push_async_callback(self.readers.aclose)
        await self.readers.open()
        process_id: str | None = None
        if not self.library.database.is_sqlite and self._shards is None:
            guild_parts = GuildParts(self.library.settings, self.players, self.volumes, self.readers)
            leases = ShardLeases(
                self.library.database, await asyncio.to_thread(process_id_of, self.settings.data_dir)
            )
            self._leased = LeasedShards(self, leases, guild_parts, self.library.processes.stirred)
            self._parts.push_async_callback(self._leased.aclose)
            process_id = leases.process_id
        self.replies = ReplyWatch(
            self, OpenReplies(self.library.database, process_id), has_others=process_id is not None
        )
        self._parts.push_async_callback(self.replies.aclose)
        await self.replies.open()
        silencer = VoiceSilencer(self.players, synthesizer, self.reference_posts)
        self.library.withdrawals.subscribe(silencer.on_voice_withdrawn)
        self.library.withdrawals.subscribe(in_hand.on_voice_withdrawn)

    async def _channels_before(self, kept: GuildSettings) -> dict[int, int]:
        """Return the target channels from before the restart; none if that was long ago."""
        if not self.library.database.is_sqlite and self._shards is None:
            return {}  # they are learnt with the shards
        age = await asyncio.to_thread(_heartbeat_age, self.settings.data_dir, time.time())
        ours = {guild_id: at for guild_id, at in kept.channels().items() if self.shards_held.hold(guild_id)}
        if age <= RETURN_SECONDS:
            return ours
        for guild_id in ours:
            kept.remember_channel(guild_id, None)
        return {}

    async def on_ready(self) -> None:
        """Log that the bot is at work; may happen more than once."""
        count = len(self.guilds)
        log.info("logged in as %s, in %d server%s", self.user, count, "" if count == 1 else "s")
        if not self.guilds and self.application_id is not None:
            log.info("To add it to your server, open: %s", invitation(self.application_id))

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Watch over what is answered to somebody."""
        self.replies.watch(interaction)

    async def on_shard_connect(self, shard_id: int) -> None:
        """Take in that a shard has a session."""
        if self._leased is not None:
            await self._leased.on_connect(shard_id)

    async def on_shard_ready(self, shard_id: int) -> None:
        """Take in which servers of a shard the bot is in; of others nothing is known here."""
        if shard_id not in self.shards_held.ids and self._leased is not None:
            return
        here = [guild.id for guild in self.guilds if guild.shard_id == shard_id]
        shards = Shards(frozenset({shard_id}), self.shard_count or 1)
        try:
            await self.library.settings.present(here, shards)
        except LibraryError as error:
            log.warning("which servers the bot has left is not known yet: %s", error)

    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Keep what is kept of this server."""
        await self.library.settings.returned(guild.id)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Count the days until everything of this server is deleted."""
        await self.library.settings.left(guild.id)

    async def shut_down(self) -> None:
        """Take no more commands, finish the open replies, leave every voice channel, log out: under 10 s."""
        if self._shutting_down:
            return
        self._shutting_down = True
        if self._leased is not None:
            await self._leased.hand_over()
        self.tree.accepting = False
        if hasattr(self, "deliveries"):
            await self.deliveries.aclose(wait=SHUTDOWN_SECONDS / 2)
        await self.close()

    async def close(self) -> None:
        """Close every part, newest first, then the connection to Discord."""
        parts = self._parts.pop_all()
        try:
            await parts.aclose()
        finally:
            await super().close()

    def _own_tts_gateway(self) -> OwnTTSGateway | None:
        if not self.settings.own_tts_gateway:
            return None
        own = OwnTTSGateway(
            engine=self.settings.own_engine,
            extra_arguments=self._own_tts_gateway_arguments,
            module=self._own_tts_gateway_module,
        )
        self._parts.push_async_callback(own.aclose)
        return own

    def _call_queue(self) -> CallQueue:
        settings = self.settings
        address, start = settings.tts_base_url or HOSTED_TTS_BASE_URL, settings.tts_concurrency_start
        if settings.own_tts_gateway:
            engine = self.settings.own_engine
            address = "own" if engine == PREVIEW else f"own {engine}"
            start = min(start, _OWN_CALLS_AT_FIRST)
        memory = LimitMemory(settings.data_dir / LIMITS_FILE, address)
        limit = memory.limit(start, settings.tts_concurrency_max)
        return CallQueue(limit, memory=memory)

    async def _beat(self) -> None:
        path = self.settings.data_dir / HEARTBEAT_FILE
        await self.wait_until_ready()
        while True:
            if self.is_ready() and not self.is_closed():
                try:
                    await asyncio.to_thread(_touch, path)
                except OSError as error:
                    log.warning(
                        "%s cannot be written: %s. Check its disk and its owner.", path, error.strerror
                    )
                self.heart_has_beaten.set()
            await asyncio.sleep(HEARTBEAT_SECONDS)


def _asked_for(shards: Shards | None) -> dict[str, Any]:
    """Return what discord.py is told of the shards; without it, it has all that Discord recommends."""
    return {"shard_ids": sorted(shards.ids), "shard_count": shards.count} if shards else {}


_OF_MESSAGES: Final = ("MESSAGE_CREATE", "MESSAGE_UPDATE")


def _forgiving(event: str, parser: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return ``parser`` so that a message which discord.py cannot read is left out.

    An error there would end the bot's connection for good (2.7.1, gateway.py, `received_message`), and what
    people write has many shapes: a poll that never ends is enough.
    """

    def parse(data: Any) -> None:
        try:
            parser(data)
        except Exception as error:
            log.warning("a message could not be read (%s): %s", event, type(error).__name__)

    return parse


def is_healthy(data_dir: Path, *, now: float | None = None) -> bool:
    """Return whether a bot with this data directory was connected within the last minute.

    Of several processes on this machine one is enough: who has ended is started again.
    """
    folders = [data_dir, *data_dir.glob(PROCESS_FOLDER.format("*"))]
    now = time.time() if now is None else now
    return min(_heartbeat_age(folder, now) for folder in folders) < 3 * HEARTBEAT_SECONDS


def _heartbeat_age(data_dir: Path, now: float) -> float:
    """Return the seconds since a bot with this data directory was last connected."""
    try:
        return now - (data_dir / HEARTBEAT_FILE).stat().st_mtime
    except OSError:
        return math.inf


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()

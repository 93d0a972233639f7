"""Every stage of the tests, set in one way: a server with people in it, then a bot, a client, or a caller.

`Stage` has the server alone, `Scene` Myna in it, `VoiceScene` a client of discord.py that joins voice.
`Studio` has no Discord: it is what makes speech, and a TTS gateway.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import discord

from bot import models
from bot.audio.maker import Maker
from bot.audio.wav import SUBJECT, write_wav
from bot.library.cached_speeches import CachedSpeeches
from bot.library.consent_rules import POLICY_VERSION
from bot.library.starters import DEFAULT_STARTER, Starter, StarterRecording
from bot.library.voice import Scope
from bot.models import Asker, Progress, Speech, SpeechRequest, VoiceAccess
from bot.playback.permissions import VoiceChannelLike
from bot.playback.player import GuildPlayer
from bot.playback.players import GuildPlayers
from bot.playback.voice_client import SpeechVoiceClient
from bot.settings import Settings
from bot.speech.cache import CacheFolder, SpeechCache
from bot.speech.synthesizer import SpeechJob, SpeechSynthesizer
from bot.speech_bot import SpeechBot
from bot.tts.call_queue import AdaptiveLimit, CallQueue
from bot.tts.client import TTSClient
from bot.tts.http import DownloadLimits, RetryPolicy
from rehearsal.answers import Answer, AnswerState
from rehearsal.cdn import ShownFile
from rehearsal.faulty_tts_gateway.script import FaultScript
from rehearsal.faulty_tts_gateway.server import create_faulty_app
from rehearsal.people import Person
from rehearsal.permissions import Permission
from rehearsal.records import Channel
from rehearsal.server import Rehearsal
from rehearsal.voice.connection import BotConnection
from tests.fakes.babble_engine import BabbleEngine, babble
from tests.running_bot import attending
from tts_gateway.engines.base import Engine, EngineDescription
from tts_gateway.fetch import Endpoint, FetchOptions
from tts_gateway.server import ServerOptions, serving

DEADLINE = 30.0
"""Seconds that are far more than anything here takes, even on a busy machine."""

CACHE_BYTES = 50_000_000
"""More than all speech of a test."""

_AGENT = re.compile(r"DiscordBot \(https://\S+, \d+\.\d+\.\d+\)")

ClientT = TypeVar("ClientT", bound=discord.VoiceClient)


class Stage:
    """Alice in The Aviary, with #general and the voice channel Perch."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self.rehearsal = rehearsal
        self.guild = rehearsal.world.add_guild("The Aviary")
        self.general = self.guild.add_text_channel("general")
        self.perch = self.guild.add_voice_channel("Perch")
        self.alice = self.add_member("Alice")

    def add_member(self, name: str) -> Person:
        """Let somebody come who is of this name."""
        person = self.rehearsal.world.add_person(name)
        self.guild.add_member(person)
        return person


class Scene(Stage):
    """Bob is there too, and Myna, with a TTS gateway that follows ``faults``."""

    bot: SpeechBot
    settings: Settings

    def __init__(self, rehearsal: Rehearsal, faults: FaultScript) -> None:
        super().__init__(rehearsal)
        self.faults = faults
        self.made_before: set[str] = set()
        """The SHA-256 of the recordings of starters that were there from the beginning."""
        self.bob = self.add_member("Bob")

    async def speak(self, text: str = "Hello there", **options: Any) -> Answer:
        """Let Alice type /speak in #general."""
        return await self.alice.slash(self.general, "speak", text=text, **options)

    def make_moderator(self, person: Person) -> None:
        """Let ``person`` manage the server."""
        self.guild.add_role("Moderators", Permission.MANAGE_GUILD, person)

    async def let_clone(self, *people: Person) -> None:
        """Turn cloning on, and let ``people`` have said that they clone their own voice."""
        library = self.bot.library
        moderator = Scope(self.guild.id, self.alice.id, is_moderator=True)
        await library.settings.set_cloning(moderator, True, policy=POLICY_VERSION)
        for person in people:
            await library.consents.attest(Scope(self.guild.id, person.id))

    @property
    def recordings(self) -> list[str]:
        """Return the SHA-256 of the recordings that are kept, but for those that were there before."""
        kept = [path.stem for path in (self.settings.data_dir / "recordings").glob("*")]
        return [sha256 for sha256 in kept if sha256 not in self.made_before]

    @property
    def asked(self) -> list[dict[str, Any]]:
        """Return what the TTS gateway was asked, in order."""
        return [request.json for request in self.faults.requests]

    def say_no_more(self) -> None:
        """Drop what is still to be said: a bot that is shut down lets it end for some seconds."""
        player = self.bot.players.get(self.guild.id)
        if player is not None:
            player.stop()

    def assert_nobody_was_pinged(self) -> None:
        """Assert that no message of the bot could ping anybody, but one person whom it is about, or two."""
        for request in self.rehearsal.requests:
            for body in _messages_in(request.json):
                allowed = body.get("allowed_mentions")
                is_quiet = allowed == {"parse": []}
                assert is_quiet or _pings_few(allowed), f"{request.method} {request.path}: {allowed}"


@asynccontextmanager
async def tts_gateway_for(
    rehearsal: Rehearsal,
    engine: Engine,
    faults: FaultScript,
    *,
    stand_in: Engine | None = None,
    about: EngineDescription | None = None,
) -> AsyncIterator[str]:
    """Yield the address of a TTS gateway that finds the files of ``rehearsal``."""
    cdn = Endpoint("127.0.0.1", rehearsal.port)
    fetch = FetchOptions(resolve={"cdn.discordapp.com": cdn}, ca_file=rehearsal.ca_file)
    options = ServerOptions(fetch=fetch) if about is None else ServerOptions(fetch=fetch, about=about)
    async with serving(create_faulty_app(engine, faults, options=options, stand_in=stand_in)) as base_url:
        yield base_url


@asynccontextmanager
async def open_scene(
    data_dir: Path,
    engine: Engine | None = None,
    *,
    privileged_intents: int = 0,
    starters: Sequence[Starter] = (DEFAULT_STARTER,),
    stand_in: Engine | None = None,
    about: EngineDescription | None = None,
) -> AsyncIterator[Scene]:
    """Yield a scene whose bot is logged in; without an ``engine`` the bot starts its own TTS gateway.

    ``privileged_intents`` are those that the application has, ``starters`` the ones it has made before;
    ``stand_in`` and ``about`` are the engine's preview and what is said of it. At the end nothing may have
    been asked of Discord that it does not know, or without saying who asks, and nobody pinged.
    """
    async with AsyncExitStack() as parts:
        rehearsal = await parts.enter_async_context(Rehearsal())
        rehearsal.directory.privileged_intents = privileged_intents
        scene = Scene(rehearsal, FaultScript())
        scene.settings = Settings(data_dir=data_dir)
        options: dict[str, Any] = {"own_tts_gateway_arguments": rehearsal.tts_gateway_arguments()}
        if engine is not None:
            base_url = await parts.enter_async_context(
                tts_gateway_for(rehearsal, engine, scene.faults, stand_in=stand_in, about=about)
            )
            scene.settings, options = Settings(tts_base_url=base_url, data_dir=data_dir), {}
        bot = SpeechBot(scene.settings, connector=rehearsal.connector(), **options)
        bot._connection.guild_ready_timeout = 0.05  # the only server comes with the login: half of the set-up
        scene.bot = await parts.enter_async_context(attending(bot, rehearsal))
        scene.made_before = await record_starters(scene.bot, scene.settings, *starters)
        yield scene
        scene.say_no_more()
        assert rehearsal.router.unknown_requests == []
        strangers = [request.path for request in rehearsal.requests if not _AGENT.match(request.user_agent)]
        assert strangers == []
        scene.assert_nobody_was_pinged()


async def record_starters(bot: SpeechBot, settings: Settings, *starters: Starter) -> set[str]:
    """Let these starter voices have been made before, by the TTS gateway of these ``settings``.

    Returns the SHA-256 of their recordings.
    """
    recordings = set()
    for starter in starters:
        pcm = babble(starter.sample)
        sha256 = await bot.library.recordings.keep(write_wav(pcm, tags={SUBJECT: starter.style}))
        made = StarterRecording(sha256, len(pcm) / 96_000)
        await bot.library.starters.keep(starter, settings.tts_source, made)
        recordings.add(sha256)
    return recordings


async def file_of(answer: Answer) -> ShownFile:
    """Return the one file under ``answer``, once it is there."""
    await answer.until(lambda shown: bool(shown.files), timeout=DEADLINE)
    assert len(answer.files) == 1
    return answer.files[0]


async def words_of(answer: Answer) -> str:
    """Return the final words of an answer that has no file; never Discord's own sentence for a failure."""
    await answer.until(
        lambda shown: (
            shown.state in (AnswerState.REPLIED, AnswerState.FAILED) and not shown.content.endswith(" …")
        ),
        timeout=DEADLINE,
    )
    assert answer.failure is None, answer.failure
    assert not answer.files
    return answer.content


async def typed(who: Person, channel: Channel, command: str, /, **options: object) -> Answer:
    """Type a command and return its final answer, which nobody else sees."""
    answer = await who.slash(channel, command, **options)
    ended = (AnswerState.REPLIED, AnswerState.FAILED)
    await answer.until(lambda shown: shown.state in ended, timeout=DEADLINE)
    assert answer.failure is None, answer.failure
    assert answer.ephemeral
    return answer


async def refusal_of(press: Answer) -> str:
    """Return what only the presser sees, while the message with the button stays as it was."""
    await press.until(lambda shown: bool(shown.followups), timeout=DEADLINE)
    (told,) = press.followups
    assert told.ephemeral
    return told.content


def _messages_in(body: Any) -> list[dict[str, Any]]:
    """Return the parts of a request's body that are messages with words."""
    if not isinstance(body, dict):
        return []
    data = body.get("data") if "type" in body else body
    return [data] if isinstance(data, dict) and data.get("content") else []


def _pings_few(allowed: Any) -> bool:
    return isinstance(allowed, dict) and not allowed.get("parse") and len(allowed.get("users", [])) in (1, 2)


class Listens(discord.AutoShardedClient):
    """Passes on what a cog passes on."""

    players: GuildPlayers | None = None

    async def on_voice_state_update(
        self, member: discord.Member, before: discord.VoiceState, after: discord.VoiceState
    ) -> None:
        if self.players is not None:
            await self.players.voice_state_changed(member, before, after)

    async def on_ready(self) -> None:
        if self.players is not None:
            await self.players.reconcile(self.guilds)

    async def on_shard_resumed(self, shard_id: int) -> None:
        if self.players is not None:
            await self.players.reconcile(self.guilds)

    async def on_guild_channel_update(
        self, before: discord.abc.GuildChannel, after: discord.abc.GuildChannel
    ) -> None:
        if self.players is not None:
            self.players.permissions_changed(after.guild.id)


class VoiceScene(Stage):
    """Bob is there too, two more voice channels, a stage, and a client that may have `GuildPlayers`."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        super().__init__(rehearsal)
        self.cellar = self.guild.add_voice_channel("cellar")
        self.stage = self.guild.add_stage_channel("stage")
        self.bob = self.add_member("Bob")
        self.client = Listens(
            intents=discord.Intents(guilds=True, voice_states=True),
            connector=rehearsal.connector(),
            max_messages=None,
            guild_ready_timeout=0.1,
        )

    def channel(self, channel: Channel) -> VoiceChannelLike:
        """Return a channel of the rehearsal as the bot knows it."""
        found = self.client.get_channel(channel.id)
        assert isinstance(found, discord.VoiceChannel | discord.StageChannel)
        return found

    async def member(self, person: Person) -> discord.Member:
        """Return a person of the guild, who is in voice, as the bot knows them."""
        guild = self.client.get_guild(self.guild.id)
        assert guild is not None
        await until(lambda: guild.get_member(person.id) is not None)
        member = guild.get_member(person.id)
        assert member is not None
        return member

    async def connect(self, channel: Channel, *, timeout: float = DEADLINE) -> SpeechVoiceClient:
        """Connect the bot."""
        return await self.connect_as(SpeechVoiceClient, channel, timeout=timeout)

    async def connect_as(self, cls: type[ClientT], channel: Channel, *, timeout: float = DEADLINE) -> ClientT:
        """Connect the bot by another voice client than ours."""
        return await self.channel(channel).connect(cls=cls, timeout=timeout, reconnect=True, self_deaf=True)

    def bot_is_in(self, channel: Channel | None) -> bool:
        """Return whether Discord sees the bot in ``channel``."""
        return self.guild.bot_channel is channel

    def bot_is_deafened(self) -> bool:
        """Return whether Discord sees the bot as deafened by itself."""
        return self.guild.voice_states[self.rehearsal.parts.bot.id].self_deaf

    def server_side(self) -> BotConnection:
        """Return the voice server's end of the bot's connection."""
        connection = self.rehearsal.voice.connection(self.guild.id)
        assert connection is not None
        return connection

    async def other_server_side(self, old: BotConnection, *, within: float) -> None:
        """Wait until the bot has another connection than ``old``."""
        voice = self.rehearsal.voice
        await until(lambda: voice.connection(self.guild.id) not in (old, None), within=within)

    def slow_discord(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Let Discord answer no request to join or leave meanwhile."""
        return self.rehearsal.parts.voice_desk._one_at_a_time


@asynccontextmanager
async def open_voice_scene() -> AsyncIterator[VoiceScene]:
    """Open the rehearsal, log the bot in, and close both at the end."""
    async with Rehearsal() as rehearsal:
        scene = VoiceScene(rehearsal)
        running = asyncio.create_task(scene.client.start(rehearsal.token))
        ready = asyncio.create_task(scene.client.wait_until_ready())
        await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED, timeout=DEADLINE)
        assert ready.done(), "the bot is not logged in"
        try:
            yield scene
        finally:
            if scene.client.players is not None:
                await scene.client.players.aclose()
            await scene.client.close()
            await running


async def join(scene: VoiceScene, channel: Channel, person: Person) -> GuildPlayer:
    """Join as a command of ``person``, who is in the channel, would."""
    players = scene.client.players
    assert players is not None
    member = await scene.member(person)
    return await asyncio.wait_for(players.join(scene.channel(channel), requested_by=member), DEADLINE)


async def until(predicate: Callable[[], bool], *, within: float = DEADLINE) -> None:
    """Return as soon as ``predicate`` holds; for what the library gives no event for."""
    async with asyncio.timeout(within):
        while not predicate():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


GUILD = 7

TWO_PARTS = (
    "The bird sat on the wire above the yard, and nobody had seen it come. "
    "It listened to the people below, to the bell of the school and to the radio in the kitchen."
)
SENTENCES = (
    f"{TWO_PARTS} In the evening it began to speak, first with one voice, and then with all it had heard. "
    "The children laughed when they knew their own, but the old man at the corner did not laugh at all."
)


class Hearing:
    """One member who waits for speech: the frames and the progress they got, and the speech in the end."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.progress: list[Progress] = []
        self._news = asyncio.Event()

    def hear(self, frames: Sequence[bytes]) -> None:
        self.frames += frames
        self._news.set()

    async def wait_for(self, job: SpeechJob) -> Speech:
        """Hear ``job`` to its end, and ask it often how far it is."""
        watching = asyncio.create_task(self._watch(job))
        try:
            async for frames in job:
                self.hear(frames)
            speech = await job.result()
            self.progress.append(job.progress)
            return speech
        finally:
            watching.cancel()

    async def told(self, stage: models.Stage) -> None:
        """Return as soon as the progress was at this stage."""
        await self._until(lambda: any(progress.stage is stage for progress in self.progress))

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def _watch(self, job: SpeechJob) -> None:
        while True:
            self.progress.append(job.progress)
            self._news.set()
            await asyncio.sleep(0.01)

    async def heard(self, frames: int) -> None:
        await self._until(lambda: len(self.frames) >= frames)


class Studio:
    """A speech maker, its TTS gateway, and its cache."""

    def __init__(self, base_url: str, faults: FaultScript, cache: SpeechCache, folder: Path) -> None:
        self.faults = faults
        self.cache = cache
        self.folder = folder
        self.base_url = base_url
        self._clients: list[TTSClient] = []
        self.tts = self._client(CallQueue())
        self.synthesizer = SpeechSynthesizer(self.tts, cache, Maker())
        self._members = count(1)

    def call_one_by_one(self) -> None:
        """Have calls arrive in the order of their parts from now on, each after the answer to the last."""
        self.tts = self._client(CallQueue(AdaptiveLimit(most=1)))
        self.synthesizer = SpeechSynthesizer(self.tts, self.cache, Maker())

    async def aclose(self) -> None:
        await self.synthesizer.aclose()
        for client in self._clients:
            await client.aclose()

    def _client(self, queue: CallQueue) -> TTSClient:
        self._clients.append(
            TTSClient(
                self.base_url,
                retry=RetryPolicy(base_delay=0),
                downloads=DownloadLimits(base_delay=0, tries=2),
                queue=queue,
            )
        )
        return self._clients[-1]

    async def make(
        self,
        text: str = SENTENCES,
        *,
        hearing: Hearing | None = None,
        aloud: bool = True,
        seconds_before: float = 0.0,
        access: VoiceAccess | None = None,
        **request: Any,
    ) -> Speech:
        """Return the speech that a new member asked for in one server."""
        asker = Asker(next(self._members), GUILD)
        before = seconds_before if aloud else None
        async with asyncio.timeout(DEADLINE):
            with self.synthesizer.submit(
                SpeechRequest(text, **request), asker, seconds_before=before, access=access
            ) as job:
                return await (hearing or Hearing()).wait_for(job) if aloud else await job.result()

    def making(self, text: str = SENTENCES, **options: Any) -> asyncio.Task[Speech]:
        """Begin `make`, and return the task."""
        return asyncio.create_task(self.make(text, **options))

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what the TTS gateway was asked, in order: the endpoint and the fields."""
        return [(request.path.rpartition("/")[2], request.json) for request in self.faults.requests]

    @property
    def texts(self) -> list[str]:
        """Return the texts of all calls."""
        return [fields["text"] for _, fields in self.calls]

    async def called(self, times: int) -> None:
        """Return as soon as so many calls have arrived."""
        async with asyncio.timeout(DEADLINE):
            await self.faults.received(posts=times)


@asynccontextmanager
async def open_studio(folder: Path, speeches: CachedSpeeches) -> AsyncIterator[Studio]:
    """Yield a studio whose cache is in ``folder``, as ``speeches`` knows it; its TTS gateway babbles."""
    faults = FaultScript()
    async with AsyncExitStack() as parts:
        options = ServerOptions(fetch=FetchOptions(allow_loopback=True))
        app = create_faulty_app(BabbleEngine(), faults, options=options)
        base_url = await parts.enter_async_context(serving(app))
        cache = SpeechCache(speeches, CacheFolder(folder), Maker(), max_bytes=CACHE_BYTES)
        await parts.enter_async_context(cache)
        studio = Studio(base_url, faults, cache, folder)
        parts.push_async_callback(studio.aclose)
        yield studio

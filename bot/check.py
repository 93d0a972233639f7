"""`python -m bot check`: what works, what is missing, and the line that mends it."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from time import monotonic

import aiohttp
import discord

from bot import typed
from bot.audio.maker import Maker
from bot.audio.sound import SpeechSound
from bot.command_tree import reads_messages, refused
from bot.conditions import owner_of, storage_problem
from bot.data_folder import COMMANDS_FILE, DataFolder, data_limit
from bot.errors import AudioError, DataFolderError, LibraryError, TTSCreditError, TTSDeniedError, TTSError
from bot.interaction import invitation
from bot.library.backups import RESTORE
from bot.library.database import Database
from bot.library.withdrawal import RecordingPosts, Undeleted
from bot.models import RecordingPlace, SpeechRequest
from bot.playback.transmitter import native_calls
from bot.settings import HOSTED_TTS_BASE_URL, PREVIEW, Settings, files_others_can_read
from bot.speech_bot import DISCORD_HOST, USER_AGENT
from bot.start import obstacle_of
from bot.tts.client import TTSCall, TTSClient
from bot.tts.local_tts_gateway import OwnTTSGateway
from untrusted.decoder import DecodingError, open_ways

_INSTALL = f"{typed('pip')} install --require-hashes -r requirements.txt"
_WALLS = "this needs Linux with seccomp, on x86-64 or ARM64; a container may have to allow it"
_DISCORD_PY = "2.7.1"
_RECORDINGS = "recordings of saved voices"
_LOGIN_SECONDS = 20.0
_SENTENCE = "Hello. This is a test of the voice."
_SENDING = {
    True: "sent without a wait for other threads",
    False: "each may wait for other threads; a hundred channels at once can stutter on this system",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the check-up: ``cure`` is what to type if it is not ``fine``."""

    fine: bool
    what: str
    cure: str = ""


async def check(settings: Settings, *, speaks: bool = False) -> int:
    """Print every finding as it is made; return 0 if the bot can run, else 1.

    ``speaks``: the TTS gateway is asked for a sentence, which it may bill.
    """
    fine = True
    async for finding in findings(settings, speaks=speaks):
        fine &= finding.fine
        print("ok     " if finding.fine else "MISSING", finding.what)
        if finding.cure:
            print("        ->", finding.cure)
    print(
        "\nEverything is there." if fine else "\nSomething is missing; the lines with -> say how to mend it."
    )
    return 0 if fine else 1


async def findings(
    settings: Settings, *, connector: aiohttp.BaseConnector | None = None, speaks: bool = False
) -> AsyncIterator[Finding]:
    """Yield the findings, cheapest first. ``connector`` carries what is said to Discord; see `check`."""
    yield Finding(sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}", "")
    yield _package("discord.py", "discord", "talks to Discord", exactly=_DISCORD_PY)
    yield _package("davey", "davey", "end-to-end encryption; without it Discord refuses voice")
    yield _package("PyNaCl", "nacl.secret", "encrypts the voice connection")
    yield Finding(True, f"voice packets: {_SENDING[native_calls() is not None]}")
    yield await _opus()
    yield await _decoder()
    yield await _data_dir(settings)
    async for finding in _database(settings):
        yield finding
    for path in files_others_can_read():
        yield Finding(
            False, f"{path} holds a secret, and other users of this machine can read it", f"chmod 600 {path}"
        )
    yield await (
        _own_tts_gateway(settings) if settings.own_tts_gateway else _tts_gateway(settings, speaks=speaks)
    )
    if settings.recording_place is RecordingPlace.THIS_MACHINE:
        yield Finding(True, f"{_RECORDINGS} go to our own TTS gateway on this machine; nothing is posted")
    async for finding in _discord(settings, connector):
        yield finding


def _package(name: str, module: str, purpose: str, *, exactly: str | None = None) -> Finding:
    try:
        import_module(module)
        found = version(name)
    except (ImportError, PackageNotFoundError):
        return Finding(False, f"{name}: {purpose}", _INSTALL)
    if exactly and found != exactly:
        return Finding(False, f"{name} {found}: this bot needs exactly {exactly}", _INSTALL)
    return Finding(True, f"{name} {found}: {purpose}")


async def _opus() -> Finding:
    try:
        from bot.audio.opus import opus_frames

        frames = await opus_frames(SpeechSound(bytes(2 * 4_800)))
    except ImportError:
        return Finding(False, "PyAV: makes Opus for voice channels", _INSTALL)
    return Finding(len(frames) >= 5, f"PyAV {version('av')}: makes Opus for voice channels")


async def _decoder() -> Finding:
    what = "the decoder of recordings"
    try:
        ways = await open_ways()
    except DecodingError as error:
        return Finding(False, f"{what} does not start: {error}", _INSTALL)
    if not ways:
        return Finding(True, f"{what}: it can open no file and reach nothing else")
    could = f"{', '.join(ways[:-1])} and {ways[-1]}" if len(ways) > 1 else ways[0]
    return Finding(True, f"{what}: works, but a recording that takes it over could {could}", _WALLS)


async def _data_dir(settings: Settings) -> Finding:
    try:
        await asyncio.to_thread(DataFolder(settings).check)
    except (DataFolderError, LibraryError) as error:
        return Finding(False, str(error), "check DATA_DIR and DATABASE_URL")
    limit = data_limit(settings)
    megabytes = await asyncio.to_thread(limit.used) / 1024**2
    if not limit.max_bytes:
        return Finding(True, f"the folder {settings.data_dir} can be written and holds {megabytes:,.0f} MB")
    holds = f"the folder {settings.data_dir} holds {megabytes:,.0f} of {settings.data_megabytes:,} MB"
    if megabytes < settings.data_megabytes:
        return Finding(True, f"{holds}, and can be written")
    return Finding(
        False, f"{holds}: no new recordings are kept", "set DATA_MEGABYTES higher, or delete voices"
    )


async def _database(settings: Settings) -> AsyncIterator[Finding]:
    url = settings.database_url
    what = "the database at DATABASE_URL" if url else f"the database in {settings.data_dir}"
    try:
        async with await Database.open(settings.database_address, settings.data_dir) as database:
            problem = await database.problem()
            age = await database.backup_age()
            left = await RecordingPosts(database).undeleted() if problem is None else Undeleted(0, 0)
    except LibraryError as error:
        yield Finding(False, f"{what}: {error}", "check DATABASE_URL and DATA_DIR")
        return
    if problem is not None:
        yield Finding(False, f"{what} is damaged: {problem}", f"stop the bot; {RESTORE}")
        return
    yield Finding(True, f"{what}: {'SQLite' if database.is_sqlite else 'PostgreSQL'}, in order")
    if database.is_sqlite:
        yield _backup(age)
    if left.waiting:
        yield Finding(True, f"messages with recordings still to be deleted: {left.waiting}")
    if left.given_up:
        yield Finding(
            True,
            f"messages with recordings that could not be deleted for a week: {left.given_up}",
            "delete the bot's messages with voice.wav in places it can no longer reach",
        )


def _backup(age: float | None) -> Finding:
    if age is None:
        return Finding(True, "there is no backup of it yet; the bot makes one a day while it runs")
    hours = round(age / 3_600)
    old = "less than an hour" if not hours else f"{hours} hours" if hours < 48 else f"{hours // 24} days"
    return Finding(True, f"its newest backup is {old} old; one is made a day while anything changes")


async def _own_tts_gateway(settings: Settings) -> Finding:
    engine = settings.own_engine
    voice = "the offline preview voice" if engine == PREVIEW else f"the engine {engine}"
    what = f"our own TTS gateway with {voice} (no TTS_API_KEY is set)"
    own = OwnTTSGateway(engine=engine)
    try:
        async with TTSClient(await own.start()) as tts:
            return await _speak(tts, what)
    except TTSError as error:
        return Finding(False, f"{what}: {error}", _INSTALL)
    finally:
        await own.aclose()


async def _speak(tts: TTSClient, what: str) -> Finding:
    """Have a sentence made as for a member, and say how soon it was heard. Raises `TTSError`."""
    maker, began, first = Maker(), monotonic(), math.nan
    try:
        download = await tts.open(TTSCall(SpeechRequest(_SENTENCE)))
        async with aclosing(maker.start(download, text=_SENTENCE, is_live=True)) as speech:
            async for _ in speech:
                first = monotonic() - began if math.isnan(first) else first
            took = monotonic() - began
    except AudioError as error:
        return Finding(
            False, f"{what}: what it sent can't be played: {error}", "look at its log and its model"
        )
    finally:
        await maker.aclose()
    made = speech.checked
    if made.defect is not None:
        again = "type the same again; if it stays so, look at the TTS gateway and its model"
        return Finding(False, f"{what}: what it made is no good take: {made.defect}", again)
    heard = f"first sound after {first:.1f} s, {made.seconds:.1f} s of speech in {took:.1f} s"
    return Finding(True, f"{what}: speaks ({heard})")


async def _tts_gateway(settings: Settings, *, speaks: bool) -> Finding:
    address = settings.tts_base_url or HOSTED_TTS_BASE_URL
    try:
        async with TTSClient(
            address,
            settings.tts_api_key,
            proxy=settings.proxy,
            guidance=settings.tts_guidance,
            steps=settings.tts_steps,
        ) as tts:
            if speaks:
                return await _speak(tts, f"the TTS gateway at {address}")
            await tts.probe()
    except TTSCreditError as error:
        what = f"the TTS gateway at {address} has no credit left: {error}"
        return Finding(False, what, f"top it up: {settings.refill_page}")
    except TTSDeniedError as error:
        what = f"the TTS gateway at {address} does not let this bot in: {error}"
        return Finding(False, what, f"check TTS_API_KEY; your key stands at {settings.refill_page}")
    except TTSError as error:
        what = f"the TTS gateway at {address} does not answer: {error}"
        return Finding(False, what, "check TTS_BASE_URL and TTS_API_KEY, and this machine's network")
    key = "with a key" if settings.tts_api_key else "without a key"
    return Finding(
        True,
        f"the TTS gateway at {address}: answers ({key}; the key is used only when speech is made)",
        f"to hear whether it speaks, which may cost a call: {typed('bot check --speak')}",
    )


@asynccontextmanager
async def logged_in(
    settings: Settings, connector: aiohttp.BaseConnector | None
) -> AsyncIterator[discord.Client]:
    """Yield a client that has logged in with DISCORD_TOKEN and asks Discord, but is told nothing by it.

    Raises what keeps it from logging in; see `bot.start.obstacle_of`.
    """
    proxy = settings.proxy.for_host(DISCORD_HOST) if settings.proxy and connector is None else None
    client = discord.Client(intents=discord.Intents.none(), connector=connector, proxy=proxy)
    client.http.user_agent = USER_AGENT
    try:
        await client.login(settings.discord_token.reveal() if settings.discord_token else "")
        yield client
    finally:
        await client.close()


async def _discord(settings: Settings, connector: aiohttp.BaseConnector | None) -> AsyncIterator[Finding]:
    if settings.discord_token is None:
        yield Finding(
            False,
            "DISCORD_TOKEN is not set",
            f"put the token of your bot into .env, or try without an account: {typed('rehearsal')}",
        )
        return
    proxy = None if connector else settings.proxy
    try:
        async with asyncio.timeout(_LOGIN_SECONDS), logged_in(settings, connector) as client:
            found = [Finding(True, f"Discord knows this bot as {client.user}")]
            found.append(await _commands(client, settings))
            found.append(_intent(client))
            found.append(_policies(client, settings))
            if client.application_id is not None:
                found.append(
                    Finding(True, f"to add it to a server, open: {invitation(client.application_id)}")
                )
            if settings.recording_place is not RecordingPlace.THIS_MACHINE:
                found.append(await _recordings(client, settings.storage_channel_id))
    except Exception as error:  # also for an answer that is none of Discord's
        what = obstacle_of(error, proxy).sentence
        found = [Finding(False, what, "check DISCORD_TOKEN and this machine's network")]
    for finding in found:
        yield finding


def _intent(client: discord.Client) -> Finding:
    """Say whether channels can be read aloud."""
    if reads_messages(client):
        return Finding(True, "the bot sees what people write, so channels can be read aloud")
    return Finding(
        True,
        "channels can't be read aloud: Discord doesn't show the bot what people write",
        "turn on Message Content Intent in the developer portal (Bot, Privileged Gateway Intents)",
    )


def _policies(client: discord.Client, settings: Settings) -> Finding:
    """Say whether members of a bot that anybody can add to a server find what they may ask for."""
    if client.application is None or not client.application.bot_public:
        return Finding(True, "nobody but you can add this bot to a server")
    pages = {
        "PRIVACY_URL": settings.privacy_url,
        "TERMS_URL": settings.terms_url,
        "REPORT_URL": settings.report_url,
    }
    missing = [name for name, page in pages.items() if page is None]
    if not missing:
        return Finding(True, "anybody can add this bot to a server, and /about shows the pages for that")
    return Finding(
        False,
        f"anybody can add this bot to a server, and /about lacks {' and '.join(missing)}",
        "set them (docs/*-template.md has texts), or in the developer portal choose Installation, Install "
        "Link, None, and then turn Public Bot off under Bot",
    )


async def _recordings(client: discord.Client, storage_channel_id: int | None) -> Finding:
    if storage_channel_id is None:
        owner = owner_of(client)
        if owner is None:
            what = f"{_RECORDINGS} have nowhere to go: nobody owns this application"
            return Finding(False, what, "set STORAGE_CHANNEL_ID to a private channel")
        return Finding(True, f"{_RECORDINGS} go to the owner of this bot, {owner}, as silent direct messages")
    problem = await storage_problem(client, storage_channel_id)
    if problem is not None:
        cure = "let the bot see it, send messages and attach files there, and @everyone not see it"
        return Finding(False, f"{_RECORDINGS}: {problem}", cure)
    return Finding(True, f"{_RECORDINGS} go into the channel STORAGE_CHANNEL_ID, which members cannot read")


async def _commands(client: discord.Client, settings: Settings) -> Finding:
    """Say which commands Discord has, and why it has not taken those of the last start."""
    application_id = client.application_id or 0
    there = await client.http.get_global_commands(application_id)
    reason = await asyncio.to_thread(refused, settings.data_dir / COMMANDS_FILE)
    if reason is not None:
        return Finding(
            False,
            f"Discord has {len(there)} commands of this bot, but refused the newest: {reason}",
            "check Installation in the developer portal; a running bot tries again by itself",
        )
    application = client.application
    closed = [
        name
        for name, config in (
            ("Guild Install", application and application.guild_integration_config),
            ("User Install", application and application.user_integration_config),
        )
        if config is None
    ]
    only = f"; without {closed[0]}, which is off in the developer portal" if len(closed) == 1 else ""
    return Finding(True, f"Discord has {len(there)} commands of this bot (a start registers the rest){only}")

"""A real client of discord.py in the rehearsal's guild, with a lounge, a cellar and a stage."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import discord

from bot.playback.permissions import VoiceChannelLike
from bot.playback.player import GuildPlayer
from bot.playback.players import GuildPlayers
from bot.playback.voice_client import SpeechVoiceClient
from rehearsal.people import Person
from rehearsal.records import Channel
from rehearsal.server import Rehearsal
from rehearsal.voice.connection import BotConnection
from tests.playback.speaking import DEADLINE, soon

VOICE_CLIENT = SpeechVoiceClient
"""What joins. With discord.py's own class, every regression test must fail in the way it names."""


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


class Scene:
    """One guild, one person called Alice, and the bot, logged in."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self.rehearsal = rehearsal
        self.guild = rehearsal.world.add_guild("Theatre")
        self.lounge = self.guild.add_voice_channel("lounge")
        self.cellar = self.guild.add_voice_channel("cellar")
        self.stage = self.guild.add_stage_channel("stage")
        self.alice = rehearsal.world.add_person("alice")
        self.boris = rehearsal.world.add_person("boris")
        self.guild.add_member(self.alice)
        self.guild.add_member(self.boris)
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

    async def join(self, channel: Channel, *, timeout: float = 20.0) -> SpeechVoiceClient:
        """Connect the bot."""
        return await self.channel(channel).connect(
            cls=VOICE_CLIENT, timeout=timeout, reconnect=True, self_deaf=True
        )

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


@contextlib.asynccontextmanager
async def open_scene() -> AsyncIterator[Scene]:
    """Open the rehearsal, log the bot in, and close both at the end."""
    async with Rehearsal() as rehearsal:
        scene = Scene(rehearsal)
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


async def join(scene: Scene, channel: Channel, person: Person) -> GuildPlayer:
    """Join as a command of ``person``, who is in the channel, would."""
    players = scene.client.players
    assert players is not None
    member = await scene.member(person)
    return await soon(players.join(scene.channel(channel), requested_by=member))


async def until(predicate: Callable[[], bool], *, within: float = DEADLINE) -> None:
    """Return as soon as ``predicate`` holds; for what the library gives no event for."""
    async with asyncio.timeout(within):
        while not predicate():  # noqa: ASYNC110
            await asyncio.sleep(0.01)

"""Fixtures of the playback tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.playback.player import GuildPlayer
from bot.playback.players import GuildPlayers
from tests.fakes.guild import ALICE, GuildOfTests
from tests.fakes.voice_client import FakeVoice
from tests.playback.speaking import MendLog
from tests.scenes import VoiceScene, open_voice_scene


@pytest.fixture
async def guild() -> GuildOfTests:
    return GuildOfTests()


@pytest.fixture
async def voice() -> FakeVoice:
    return FakeVoice()


@pytest.fixture
async def mended() -> MendLog:
    return MendLog()


@pytest.fixture
async def player(guild: GuildOfTests, voice: FakeVoice, mended: MendLog) -> AsyncIterator[GuildPlayer]:
    player = GuildPlayer(await voice(guild.lounge, 1.0), stalled=mended, stalled_seconds=1.0)
    yield player
    player.close()
    await player.wait_closed()


@pytest.fixture
async def players(guild: GuildOfTests, voice: FakeVoice) -> AsyncIterator[GuildPlayers]:
    guild.enter(ALICE, guild.lounge)
    players = GuildPlayers(connect=voice, stalled_seconds=1.0, mend_seconds=5.0)
    yield players
    await players.aclose()


@pytest.fixture
async def scene() -> AsyncIterator[VoiceScene]:
    async with open_voice_scene() as scene:
        yield scene

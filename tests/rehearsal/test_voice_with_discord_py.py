"""discord.py's own voice client in the rehearsal: the voice server is one that the library believes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import discord
import pytest

from rehearsal.voice.dave import SILENCE_FRAME, Unheard
from rehearsal.voice.listener import Listener
from tests.fakes.voice_server_client import DEADLINE, opus_of, opus_tone
from tests.scenes import VoiceScene, open_voice_scene, until


class Sound(discord.AudioSource):
    """Frames that are Opus already."""

    def __init__(self, frames: list[bytes]) -> None:
        self._frames = iter(frames)

    def read(self) -> bytes:
        return next(self._frames, b"")

    def is_opus(self) -> bool:
        return True


@pytest.fixture
async def scene() -> AsyncIterator[VoiceScene]:
    async with open_voice_scene() as scene:
        yield scene


async def secured(listener: Listener, voice_client: discord.VoiceClient) -> None:
    """Return when both have the keys of the call: a new group waits for nobody to say so."""
    await listener.wait_until_ready(timeout=DEADLINE)
    await until(lambda: voice_client._connection.can_encrypt)


async def hears(listener: Listener, voice_client: discord.VoiceClient, *, first: int) -> None:
    """Play ten frames that nobody played before, and hold the listener to each of them."""
    frames = [opus_of(first + number) for number in range(10)]
    before = len(listener.packets)
    voice_client.play(Sound(frames))
    await listener.wait_for_silence(seconds=0.2, timeout=DEADLINE, after=before)
    assert [packet.opus for packet in listener.speech(after=before)] == frames


async def test_discord_py_is_heard_frame_by_frame(scene: VoiceScene) -> None:
    listener = await scene.alice.join(scene.perch)

    voice_client = await scene.connect_as(discord.VoiceClient, scene.perch)
    await secured(listener, voice_client)

    await hears(listener, voice_client, first=0)
    assert listener.undecryptable == 0
    assert voice_client.voice_privacy_code == listener.privacy_code


async def test_discord_py_may_be_there_first_and_loses_and_finds_its_audience(scene: VoiceScene) -> None:
    voice_client = await scene.connect_as(discord.VoiceClient, scene.perch)
    listener = await scene.alice.join(scene.perch)
    await secured(listener, voice_client)
    await hears(listener, voice_client, first=0)

    await scene.alice.leave()
    again = await scene.alice.join(scene.perch)
    await secured(again, voice_client)

    await hears(again, voice_client, first=100)
    assert again.undecryptable == 0


async def test_discord_py_loses_what_it_sends_before_the_encryption_is_ready(scene: VoiceScene) -> None:
    scene.rehearsal.voice.faults.mls_delay = 0.4
    listener = await scene.alice.join(scene.perch)

    voice_client = await scene.connect_as(discord.VoiceClient, scene.perch)
    frames = [opus_of(number) for number in range(50)]
    voice_client.play(Sound(frames))
    await listener.wait_for_silence(seconds=0.2, timeout=DEADLINE)

    assert listener.undecryptable >= 1
    assert [packet.opus for packet in listener.speech()] == frames[listener.undecryptable :]


async def test_a_human_who_joins_while_discord_py_plays_hears_the_rest(scene: VoiceScene) -> None:
    anna = await scene.alice.join(scene.perch)
    voice_client = await scene.connect_as(discord.VoiceClient, scene.perch)
    await secured(anna, voice_client)
    frames = [opus_of(number) for number in range(40)]

    voice_client.play(Sound(frames))
    await anna.wait_for_packets(5, timeout=DEADLINE)
    ben = await scene.bob.join(scene.perch)
    await anna.wait_for_silence(seconds=0.2, timeout=DEADLINE)

    assert [packet.opus for packet in anna.speech()] == frames
    assert [packet.opus for packet in ben.speech()] == frames[40 - len(ben.speech()) :]
    assert anna.undecryptable == ben.undecryptable == 0
    await hears(ben, voice_client, first=100)


async def test_discord_py_recovers_from_a_welcome_that_makes_no_sense(scene: VoiceScene) -> None:
    scene.rehearsal.voice.faults.invalid_commits = 1
    listener = await scene.alice.join(scene.perch)

    voice_client = await scene.connect_as(discord.VoiceClient, scene.perch)
    await secured(listener, voice_client)

    await hears(listener, voice_client, first=0)
    assert scene.rehearsal.voice.faults.invalid_commits == 0


async def test_discord_py_ignores_the_upgrade_from_version_zero(scene: VoiceScene) -> None:
    faults = scene.rehearsal.voice.faults
    faults.op4_version_zero_first, faults.transition_seconds = True, 0.05
    listener = await scene.alice.join(scene.perch)

    voice_client = await scene.connect_as(discord.VoiceClient, scene.perch)
    voice_client.play(Sound([opus_of(number) for number in range(20)]))
    await listener.wait_for_packets(20, timeout=DEADLINE)
    lost = [packet.why is Unheard.PLAINTEXT for packet in listener.packets if packet.opus != SILENCE_FRAME]

    assert not voice_client._connection.can_encrypt
    assert lost.count(True) >= 1
    assert lost == sorted(lost)


async def test_discord_py_is_heard_on_a_stage_once_it_may_speak(scene: VoiceScene) -> None:
    listener = await scene.alice.join(scene.stage)
    voice_client = await scene.connect_as(discord.VoiceClient, scene.stage)
    scene.guild.set_bot_permissions(discord.Permissions(view_channel=True, mute_members=True).value)
    me = voice_client.guild.me

    await me.edit(suppress=False)
    async with asyncio.timeout(DEADLINE):
        while me.voice is None or me.voice.suppress:
            await scene.client.wait_for("voice_state_update")

    await hears(listener, voice_client, first=0)
    assert listener.undecryptable == 0
    assert listener.privacy_code is None


async def test_a_discovery_that_is_not_answered_ends_in_a_timeout(scene: VoiceScene) -> None:
    scene.rehearsal.voice.faults.no_udp_answer = True
    channel = scene.client.get_channel(scene.perch.id)
    assert isinstance(channel, discord.VoiceChannel)

    with pytest.raises(TimeoutError):
        await channel.connect(timeout=0.5, reconnect=False)


async def test_a_new_voice_server_in_mid_utterance_is_heard_as_a_new_connection(scene: VoiceScene) -> None:
    listener = await scene.alice.join(scene.perch)
    voice_client = await scene.connect(scene.perch)
    await secured(listener, voice_client)
    voice_client.play(Sound(opus_tone(seconds=5, hertz=440)))
    first = await listener.wait_for_speech(timeout=DEADLINE)

    await scene.guild.change_voice_server()
    async with asyncio.timeout(DEADLINE):
        while listener.packets[-1].ssrc == first.ssrc or not listener.packets[-1].is_speech:
            await listener.wait_for_packets(len(listener.packets) + 1, timeout=DEADLINE)
    voice_client.stop()

    assert [packet.ssrc for packet in listener.packets].index(listener.packets[-1].ssrc) > 0
    assert len(listener.pcm()) >= 2 * 960 * len(listener.speech())

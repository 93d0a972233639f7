"""What one connection sends, between the event loop and the thread that sends; without a Discord."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from typing import Any

import discord
import pytest
from discord.voice_state import ConnectionFlowState

from benchmarks.voice_channels import connect, disconnect, sink
from bot.playback.scheduler import FrameScheduler
from bot.playback.voice_client import SpeechVoiceClient
from tests.playback.sources import Play, Said
from tests.playback.speaking import DEADLINE, frames
from tests.scenes import until


class ShortLived(SpeechVoiceClient):
    """A voice client whose scheduler's thread ends as soon as nothing is sent."""

    scheduler = FrameScheduler(idle_seconds=0.01)


class Flags:
    """Keeps the speaking flags; ``broken``: the websocket is closed."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.broken = False

    async def speak(self, speaking: discord.SpeakingState) -> None:
        if self.broken:
            raise ConnectionResetError
        self.sent.append(int(speaking))


@pytest.fixture
async def client() -> AsyncIterator[Any]:
    with sink() as address:
        client: Any
        (client,) = await connect(1, ShortLived, address)
        client._connection.ws = Flags()
        yield client
        disconnect([client])
        sending = thread_that_sends()
        if sending is not None:
            await asyncio.to_thread(sending.join, DEADLINE)


def thread_that_sends() -> threading.Thread | None:
    scheduler = ShortLived.scheduler
    return scheduler._thread


@pytest.mark.slow
async def test_another_session_between_two_frames_is_told_that_we_speak(client: Any) -> None:
    play = Play(client, Said(frames("long", 100)))
    await until(lambda: client.sequence > 3)

    client._connection.secret_key = list(os.urandom(32))

    assert await play.end() is None
    await until(lambda: len(client.ws.sent) == 3)
    assert client.ws.sent == [1, 1, 0]
    assert client.sequence >= 100


async def test_a_flag_that_comes_late_does_not_silence_what_follows(client: Any) -> None:
    await Play(client, Said(frames("one"))).end()
    sending = thread_that_sends()
    if sending is not None:
        sending.join(DEADLINE)  # the event loop is held up meanwhile: the flag waits to be sent

    play = Play(client, Said(frames("long", 10_000)))
    await until(lambda: client.sequence > 20)

    assert client.ws.sent == [1, 1]
    client.stop()
    await play.end()


async def test_a_closed_websocket_does_not_keep_the_sound_back(client: Any) -> None:
    client.ws.broken = True

    assert await Play(client, Said(frames("one"))).end() is None

    assert client.sequence >= 3


async def test_a_loop_that_is_closed_ends_what_is_played(client: Any) -> None:
    other = asyncio.new_event_loop()
    play = Play(client, Said(frames("long", 10_000)))
    await until(lambda: client.sequence > 3)
    other.close()

    client.loop, loop = other, client.loop
    client._connection.secret_key = list(os.urandom(32))

    assert await play.end() is None
    client.loop = loop


async def test_without_a_connection_nobody_is_told_that_we_are_silent(client: Any) -> None:
    transmitter = client._transmitter
    transmitter._stop_speaking()
    assert len(transmitter._tasks) == 1, "that is how it is told"
    await asyncio.gather(*transmitter._tasks)

    client._connection.state = ConnectionFlowState.disconnected
    transmitter._stop_speaking()

    assert not transmitter._tasks
    assert client._connection.ws.sent == [0]

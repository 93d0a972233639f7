"""Playing without a player: sources, their end, and what a listener of the rehearsal hears of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import discord

from bot.playback.transmitter import CLOSING_FRAMES
from bot.playback.voice_client import SpeechVoiceClient
from rehearsal.voice.listener import Listener
from tests.playback.speaking import DEADLINE, soon
from tests.scenes import VoiceScene, until

QUIET = 0.2


class Play:
    """One source that is played, and how it ended."""

    def __init__(self, client: SpeechVoiceClient, source: discord.AudioSource) -> None:
        self.ends: list[Exception | None] = []
        self.thread: threading.Thread | None = None
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        client.play(source, after=self._after)

    def _after(self, error: Exception | None) -> None:
        self.thread = threading.current_thread()
        self.ends.append(error)
        self._loop.call_soon_threadsafe(self._over.set)

    async def end(self) -> Exception | None:
        """Wait for the end; return the error it came with."""
        await soon(self._over.wait())
        return self.ends[0]


class Said(discord.AudioSource):
    """Hands out frames."""

    def __init__(self, said: Sequence[bytes]) -> None:
        self._left = iter(said)

    def is_opus(self) -> bool:
        return True

    def read(self) -> bytes:
        return next(self._left, b"")


class Broken(Said):
    """Hands out one frame and fails."""

    def read(self) -> bytes:
        frame = super().read()
        if frame.endswith(b"1"):
            raise ZeroDivisionError
        return frame


def heard(listener: Listener) -> list[bytes | None]:
    return [packet.opus for packet in listener.speech()]


async def secure(scene: VoiceScene) -> SpeechVoiceClient:
    """Join the lounge and wait until those in it can hear us."""
    client = await scene.connect(scene.perch)
    assert await client.wait_until_secure(DEADLINE)
    return client


async def all_heard(listener: Listener, last: bytes) -> None:
    """Wait until the closing silence after the frame ``last`` has come."""

    def came() -> bool:
        after = [packet.opus for packet in listener.packets]
        return last in after and len(after) - after.index(last) > CLOSING_FRAMES

    await until(came)
    await listener.wait_for_silence(seconds=QUIET, timeout=DEADLINE)


async def flags(scene: VoiceScene, expected: list[int]) -> None:
    """Wait until the voice server was told these speaking flags, the first one of the handshake's."""
    side = scene.server_side()
    await until(lambda: len(side.speaking_flags) >= len(expected))
    assert side.speaking_flags == expected

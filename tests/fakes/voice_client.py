"""A voice connection that hears every frame at once, in a thread of its own, as the real one does."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

import discord

from bot.errors import PlaybackError
from bot.playback.permissions import VoiceChannelLike
from bot.playback.queue import SILENCE


class FakeVoiceClient:
    """Drains the source in its own thread and calls `after` from there, late.

    ``moving`` cleared: it takes no frames; `pause` is that as well. It clears that itself when it has taken
    ``hold_after`` frames. ``error``: raised in its thread instead of sending.
    """

    def __init__(self, channel: VoiceChannelLike) -> None:
        self.channel = channel
        self.hold_after: int | None = None
        self.heard: list[bytes] = []
        self.connected = True
        self.secure = asyncio.Event()
        self.secure.set()
        self.started = asyncio.Event()
        self.asked_for_keys = asyncio.Event()
        self.moving = threading.Event()
        self.moving.set()
        self.unpaused = threading.Event()
        self.unpaused.set()
        self.was_removed = False
        self.is_limited = False
        self.error: Exception | None = None
        self.left = False
        self._ended: list[Callable[[], None]] = []
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._played = threading.Event()
        self._played.set()

    def play(self, source: discord.AudioSource, *, after: Callable[[Exception | None], Any]) -> None:
        if not self.connected:
            raise discord.ClientException("Not connected to voice.")
        if not self._played.is_set():
            raise discord.ClientException("Already playing audio.")
        self._stop, self._played = threading.Event(), threading.Event()
        run = (source, after, self._stop, self._played)
        self._thread = threading.Thread(target=self._drain, args=run, daemon=True)
        self._thread.start()
        self.started.set()

    def _drain(
        self,
        source: discord.AudioSource,
        after: Callable[[Exception | None], Any],
        stop: threading.Event,
        played: threading.Event,
    ) -> None:
        while not stop.is_set() and self.error is None:
            if not self.moving.wait(0.005) or not self.unpaused.wait(0.005):
                continue
            frame = source.read()
            if not frame:
                break
            self.heard.append(frame)
            if len(self.heard) == self.hold_after:
                self.moving.clear()
            if frame == SILENCE:
                time.sleep(0.001)  # not as fast as it can: more of it may come for a while
        time.sleep(0.01)
        played.set()  # before it is told: whoever hears of it may play the next while this thread still ends
        after(self.error)

    def stop(self) -> None:
        self._stop.set()

    def pause(self) -> None:
        if not self._played.is_set():
            self.unpaused.clear()

    def resume(self) -> None:
        self.unpaused.set()

    def is_connected(self) -> bool:
        return self.connected

    async def wait_until_open(self, timeout: float) -> bool:
        return self.connected

    async def wait_until_secure(self, timeout: float) -> bool:
        self.asked_for_keys.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.secure.wait(), timeout)
        return self.secure.is_set()

    async def stopped(self) -> int:
        """Wait until its thread has ended; return how many frames it took."""
        assert self._thread is not None
        await asyncio.to_thread(self._thread.join)
        return len(self.heard)

    async def silence_after(self, speech_frames: int) -> None:
        """Wait until silence was heard behind so many frames of speech."""
        while not self._is_silent_after(list(self.heard), speech_frames):  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    @staticmethod
    def _is_silent_after(heard: list[bytes], speech_frames: int) -> bool:
        places = [place for place, frame in enumerate(heard) if frame != SILENCE]
        return len(places) >= speech_frames and places[speech_frames - 1] + 1 < len(heard)

    def on_ended(self, callback: Callable[[], None]) -> None:
        self._ended.append(callback)

    def end(self, *, was_removed: bool = True) -> None:
        """Be thrown out, or be lost."""
        self.connected = False
        self.was_removed = was_removed
        self.stop()
        for callback in self._ended:
            callback()

    async def disconnect(self, *, force: bool = False) -> None:
        self.left = True
        self.end(was_removed=False)


class FakeVoice:
    """Joins voice channels: every connection it made is kept in ``clients``.

    ``refuse`` makes it fail; ``admit`` cleared makes it wait.
    """

    def __init__(self) -> None:
        self.clients: list[FakeVoiceClient] = []
        self.refuse = False
        self.admit = asyncio.Event()
        self.admit.set()
        self.asked = asyncio.Event()

    @property
    def client(self) -> FakeVoiceClient:
        return self.clients[-1]

    async def __call__(self, channel: VoiceChannelLike, timeout: float) -> FakeVoiceClient:
        self.asked.set()
        await self.admit.wait()
        if self.refuse:
            raise PlaybackError("no voice connection")
        self.clients.append(FakeVoiceClient(channel))
        return self.client

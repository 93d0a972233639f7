"""What a player needs of a voice connection; `SpeechVoiceClient` is the real one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import discord

from bot.playback.audience import VoiceRoom


class VoiceConnection(Protocol):
    """One connection to one voice channel; it follows when Discord moves us."""

    channel: VoiceRoom

    def play(self, source: discord.AudioSource, *, after: Callable[[Exception | None], Any]) -> None:
        """Start taking frames from ``source``; ``after`` is called from another thread at its end.

        Raises `discord.ClientException` when it is not connected or already playing.
        """

    def stop(self) -> None:
        """Stop playing; ``after`` is still called."""

    def pause(self) -> None:
        """Take no frames until `resume`; nothing happens when nothing is played."""

    def resume(self) -> None:
        """Go on with what is paused."""

    @property
    def was_removed(self) -> bool:
        """Whether somebody else took us out of voice: a kick, or the end of the channel."""

    @property
    def is_limited(self) -> bool:
        """Whether it ended because Discord limits our voice connections."""

    def is_connected(self) -> bool:
        """Return whether frames reach Discord now."""

    async def wait_until_open(self, timeout: float) -> bool:
        """Wait until it is connected, ``timeout`` seconds at most; return whether it is."""

    async def wait_until_secure(self, timeout: float) -> bool:
        """Wait until listeners can decrypt us, ``timeout`` seconds at most; return whether they can."""

    def on_ended(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` in the event loop when the connection is gone for good."""

    async def disconnect(self, *, force: bool = False) -> None:
        """Leave the voice channel; bounded in time, raises nothing."""


Connect = Callable[[VoiceRoom, float], Awaitable[VoiceConnection]]
"""Joins a voice channel within so many seconds. Raises `PlaybackError`."""

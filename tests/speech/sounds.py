"""Sound as the tests of this folder give and look at it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from bot.audio.maker import Part
from bot.audio.sound import SpeechSound
from bot.models import Speech


def pcm_of(speech: Speech | Part) -> bytes:
    """Return the samples of a speech that was made in a thread of this process."""
    assert isinstance(speech.sound, SpeechSound)
    return speech.sound.pcm


@dataclass(frozen=True)
class WavInPieces:
    """A WAV that comes in pieces."""

    wav: bytes
    fraction: float | None = None

    async def chunks(self) -> AsyncGenerator[bytes]:
        for start in range(0, len(self.wav), 10_000):
            yield self.wav[start : start + 10_000]

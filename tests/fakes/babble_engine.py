"""An engine that is quick and sounds like talking, so that what was made can be told apart and counted."""

from __future__ import annotations

import asyncio
import hashlib

import numpy as np
from numpy.typing import NDArray

from bot.audio.wav import write_wav
from bot.text.speaking_time import speaking_seconds

RATE = 48_000
_SYLLABLES_PER_SECOND = 4.5


def babble(text: str, *, pace: float = 1.0, loudness: float = 0.2) -> bytes:
    """Return PCM as long as ``text`` is about spoken, with silence around; another sound for another text."""
    seconds = max(0.4, speaking_seconds(text)) * pace
    time = np.arange(round(seconds * RATE)) / RATE
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")
    rng = np.random.default_rng(seed)
    pitch = rng.uniform(90, 240)
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.1 * np.sin(2 * np.pi * rng.uniform(0.5, 2) * time))) / RATE
    voice = sum((np.sin(number * phase + rng.uniform(0, 6)) / number for number in range(1, 12)), 0 * time)
    syllables = np.abs(np.sin(np.pi * _SYLLABLES_PER_SECOND * time)) ** 0.7
    sound = loudness * voice * syllables
    silence = np.zeros(RATE // 10)
    return _pcm(np.concatenate([silence, sound, silence]))


def howl(seconds: float) -> bytes:
    """Return a WAV of one steady tone: a generation gone wrong."""
    time = np.arange(round(seconds * RATE)) / RATE
    return write_wav(_pcm(0.3 * np.sin(2 * np.pi * 330 * time)))


def _pcm(sound: NDArray[np.float64]) -> bytes:
    return bytes((np.clip(sound, -1, 1) * 32_000).astype("<i2").tobytes())


def _words(text: str) -> str:
    return text.rpartition(")")[2]  # without the style


class BabbleEngine:
    """Speaks by `babble`; cloned generations are quieter, as generations of the model differ."""

    async def speak(self, text: str, *, cfg_value: float, dit_steps: int) -> bytes:
        return write_wav(await asyncio.to_thread(babble, _words(text)))

    async def clone(self, text: str, reference: bytes, *, prompt_text: str | None) -> bytes:
        return write_wav(await asyncio.to_thread(babble, _words(text), loudness=0.08))

    async def aclose(self) -> None:
        return

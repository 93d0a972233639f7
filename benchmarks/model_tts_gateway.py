"""`python -m benchmarks.model_tts_gateway OVERHEAD PER_SECOND`: our own TTS gateway, as slow as a model.

A take is there after OVERHEAD seconds and PER_SECOND for every second of sound. It is as long as the estimate
of its text, times the pace of its voice (0.75 to 1.25), times what differs from take to take (12 %). What it
says are pieces of one minute of speech: to speak each text would take time that is not the model's.
"""

from __future__ import annotations

import asyncio
import math
import random
import sys
from typing import Final

from benchmarks.child import say_ready, stdin_closed
from benchmarks.sounds import speech_wav
from bot.audio.wav import write_wav
from bot.text.speaking_time import speaking_seconds
from tts_gateway.server import ServerOptions, create_app, serving

_PLACES: Final = 64  # it never lets anybody wait for somebody else
_HEADER_BYTES: Final = 44
_SLOWEST: Final = 1.25
_FASTEST: Final = 0.75
_SPREAD: Final = 0.12


class ModelEngine:
    """Gives pieces of ``speech``, a WAV of a minute, as late as a model would; equal calls are equal."""

    def __init__(self, speech: bytes, overhead: float, per_second: float) -> None:
        self._pcm = speech[_HEADER_BYTES:]
        self._overhead, self._per_second = overhead, per_second

    async def speak(self, text: str, *, cfg_value: float, dit_steps: int) -> bytes:
        """Return what ``text`` could sound like, in a voice that is new for every text, in its time."""
        return await self._take(text, voice=text)

    async def clone(self, text: str, reference: bytes, *, prompt_text: str | None) -> bytes:
        """Return what ``text`` could sound like in the voice that said ``prompt_text``, in its time."""
        return await self._take(text, voice=prompt_text or text)

    async def aclose(self) -> None:
        """Do nothing; there is nothing to give back."""

    async def _take(self, text: str, *, voice: str) -> bytes:
        pace, rng = random.Random(voice).uniform(_FASTEST, _SLOWEST), random.Random(text)
        seconds = speaking_seconds(text) * pace * math.exp(rng.gauss(0, _SPREAD))
        await asyncio.sleep(self._overhead + self._per_second * seconds)
        start, length = 2 * rng.randrange(len(self._pcm) // 2), 2 * round(48_000 * seconds)
        return write_wav((self._pcm * 4)[start : start + length])


async def _serve(overhead: float, per_second: float) -> None:
    options = ServerOptions(engine_places=_PLACES, waiting_places=_PLACES)
    engine = ModelEngine(await speech_wav(60.0), overhead, per_second)
    async with serving(create_app(engine, options=options)) as base_url:
        say_ready(base_url=base_url)
        await stdin_closed()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]), float(sys.argv[2])))

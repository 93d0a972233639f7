"""A minute of speech from WAV to what is sent: Opus frames for a voice channel, an Ogg file for an answer.

How many times faster than real time is reckoned by the CPU that it takes, for which it makes little
difference what else the machine does. The Ogg file is what comes of a WAV and a FLAC that were too large: all
three are made. How long the event loop was held up meanwhile is measured by the clock, beside an event loop
that has nothing to do: that is the machine's own share.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from benchmarks.figures import Benchmark, Figure, Goal
from benchmarks.loop_watch import lags_of_loop
from benchmarks.machine_state import load
from benchmarks.percentiles import percentile_99
from benchmarks.sounds import MINUTE_TEXT, speech_wav
from bot.audio.formats import export
from bot.audio.opus import opus_frames
from bot.audio.stream import SpeechStream, frames_of, speech_from_wav

ROUNDS: Final = 5
SECONDS: Final = 60.0

_CHUNK_BYTES: Final = 65_536  # the largest that a download hands on
_OGG_BYTES: Final = 1_000_000  # a minute does not fit as WAV or FLAC
_FASTER: Final = Goal(100.0, at_least=True)
_LAG: Final = Goal(5.0)


@dataclass(frozen=True, slots=True)
class _Round:
    cpu: float
    wall: float
    lags: list[float]


def run() -> Benchmark:
    """Measure all ways; in about ten seconds."""
    figures = asyncio.run(_measure())
    return Benchmark("Encoding: a minute of speech", figures, [f"load while measuring: {load()}"])


async def _measure() -> list[Figure]:
    wav = await speech_wav(SECONDS)
    speech = await speech_from_wav(wav, text=MINUTE_TEXT)

    async def frames() -> None:
        await opus_frames(await speech_from_wav(wav, text=MINUTE_TEXT))

    async def streamed() -> None:
        async for _frames in frames_of(_chunks(wav), SpeechStream(text=MINUTE_TEXT)):
            pass

    async def ogg() -> None:
        file = await export(speech, max_bytes=_OGG_BYTES)
        assert file.extension == "ogg"

    async def encoder() -> None:
        await opus_frames(speech)

    figures = await _figures("WAV → frames", frames, _FASTER)
    figures.append((await _figures("the encoder alone", encoder, None))[0])
    figures += await _figures("WAV → frames while it comes in", streamed, _FASTER)
    figures += await _figures("speech → Ogg file", ogg, _FASTER)
    idle = await _round(lambda: asyncio.sleep(2.0))
    return [*figures, Figure("nothing to do: event loop held up at most", [1000 * max(idle.lags)], "ms")]


async def _figures(name: str, work: Callable[[], Awaitable[None]], goal: Goal | None) -> list[Figure]:
    rounds = [await _round(work) for _ in range(1 + ROUNDS)][1:]
    return [
        Figure(f"{name}: × real time, by CPU", [SECONDS / one.cpu for one in rounds], "times", goal),
        Figure(f"{name}: × real time, by the clock", [SECONDS / one.wall for one in rounds], "times"),
        Figure(f"{name}: event loop held up, p99", [1000 * percentile_99(one.lags) for one in rounds], "ms"),
        Figure(f"{name}: event loop held up at most", [1000 * max(one.lags) for one in rounds], "ms", _LAG),
    ]


async def _round(work: Callable[[], Awaitable[None]]) -> _Round:
    async with lags_of_loop() as lags:
        cpu, wall = time.process_time(), time.perf_counter()
        await work()
        return _Round(time.process_time() - cpu, time.perf_counter() - wall, lags)


async def _chunks(wav: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(wav), _CHUNK_BYTES):
        yield wav[start : start + _CHUNK_BYTES]

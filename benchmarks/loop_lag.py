"""How late the event loop comes while 500 voice channels play and 20 utterances are being made.

As they come: each utterance is ten seconds of speech, waited for as long as a TTS gateway takes (0.3 s, and
0.3 s for every second of sound), fetched over a line of 10 Mbit/s, levelled, encoded. Then the worst that can
be: all 20 come in at once, without a pause, as fast as they can be taken. A loop of its own with nothing to
do shows the machine's share.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.far_line import far_line
from benchmarks.figures import Benchmark, Figure, Goal
from benchmarks.loop_watch import lags_of_loop
from benchmarks.machine_state import load
from benchmarks.percentiles import percentile_99
from benchmarks.sounds import MINUTE_TEXT, speech_wav
from benchmarks.voice_channels import connect, disconnect, sink
from benchmarks.ways_to_play import OURS, MeasuredVoiceClient
from bot.audio.maker import Maker
from bot.audio.maker_process import build_maker
from bot.models import SpeechRequest
from bot.tts.client import TTSCall, TTSClient

CHANNELS: Final = 500
MAKINGS: Final = 20
ROUNDS: Final = 4
ROUND_SECONDS: Final = 2.0

_SECONDS: Final = 10.0
_MODEL_SECONDS: Final = 0.3 + 0.3 * _SECONDS
_SOUND: Final = "speech"
_LINE, _FAST = 10, 1000  # Mbit/s
_REQUEST: Final = SpeechRequest(MINUTE_TEXT[: round(len(MINUTE_TEXT) * _SECONDS / 60)])


@dataclass(slots=True)
class Made:
    """How many utterances were made."""

    utterances: int = 0


def run() -> Benchmark:
    """Measure; in about 45 seconds."""
    figures = asyncio.run(_measure())
    title = f"Event loop with {CHANNELS} channels playing and {MAKINGS} utterances being made"
    return Benchmark(title, figures, [f"load while measuring: {load()}"])


async def _measure() -> list[Figure]:
    figures = await _rounds("nothing to do", None)
    with tempfile.TemporaryDirectory(prefix="benchmark-sounds-") as folder, sink() as address:
        await asyncio.to_thread((Path(folder) / f"{_SOUND}.wav").write_bytes, await speech_wav(_SECONDS))
        clients = await connect(CHANNELS, OURS.kind, address)
        for client in clients:
            client.play(OURS.source())
        async with far_line(Path(folder)) as line:
            figures += await _rounds("only playing", None)
            async with making(line.base_url(_LINE, _SOUND), pause=_MODEL_SECONDS) as made:
                figures += await _rounds("making as they come", Goal(20.0))
            figures.append(_amount("making as they come", made))
            async with making(line.base_url(_FAST, _SOUND), pause=0.0) as made:
                figures += await _rounds("making all at once", None)
            figures.append(_amount("making all at once", made))
        disconnect(clients)
    return figures


async def _rounds(name: str, goal: Goal | None) -> list[Figure]:
    lateness, lags, late, worst = MeasuredVoiceClient.scheduler.lateness, [], [], []
    for _ in range(ROUNDS):
        lateness.clear()
        async with lags_of_loop() as round_lags:
            await asyncio.sleep(ROUND_SECONDS)
        lags.append(1000 * percentile_99(round_lags))
        worst.append(1000 * max(round_lags))
        if sent := lateness.recent():
            late.append(1000 * percentile_99(sent))
    figures = [Figure(f"{name}: lag of the loop, p99", lags, "ms", goal)]
    figures.append(Figure(f"{name}: lag of the loop at most", worst, "ms"))
    return [*figures, Figure(f"{name}: lateness of packets, p99", late, "ms")] if late else figures


def _amount(name: str, made: Made) -> Figure:
    rate = made.utterances * _SECONDS / (ROUNDS * ROUND_SECONDS)
    return Figure(f"{name}: sound made in a second", [rate], "s")


@asynccontextmanager
async def making(base_url: str, *, pause: float) -> AsyncIterator[Made]:
    """Make utterances, `MAKINGS` at a time, each after a pause for the TTS gateway, while the block runs."""
    made, maker = Made(), await build_maker("auto")
    async with TTSClient(base_url) as tts:
        tasks = [
            asyncio.create_task(_make_for_ever(tts, maker, made, pause, pause * number / MAKINGS))
            for number in range(MAKINGS)
        ]
        try:
            await asyncio.sleep(pause)
            made.utterances = 0
            yield made
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await maker.aclose()


async def _make_for_ever(tts: TTSClient, maker: Maker, made: Made, pause: float, begin: float) -> None:
    await asyncio.sleep(begin)
    while True:
        await asyncio.sleep(pause)
        download = await tts.open(TTSCall(_REQUEST))
        async with aclosing(maker.start(download, text=_REQUEST.text, is_live=True)) as live:
            async for _frames in live:
                pass
        made.utterances += 1

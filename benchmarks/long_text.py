"""A text of a minute's speech: how soon it is heard, and whether it runs dry, for real and by the clock.

The TTS gateway is our own, made as slow as a model: 0.3 s, and 0.3 s for every second of sound. Each text has
a voice channel and a synthesizer of its own, and none waits for another. Measured is from the order to the
first packet with sound at the voice server, and until all of the text is made: nothing can run dry later.
The tutorial way asks once for the whole text. `benchmarks.pacing` simulates the same for two hundred texts.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

import discord

from benchmarks import tutorial
from benchmarks.child import running
from benchmarks.far_line import FarLine, far_line
from benchmarks.figures import Benchmark, Figure, Goal
from benchmarks.machine_state import load
from benchmarks.pacing import OVERHEAD, PER_SECOND, texts
from benchmarks.voice_channels import connect, disconnect
from bot.audio.maker import Maker
from bot.audio.maker_process import build_maker
from bot.library.cached_speeches import CachedSpeeches
from bot.library.database import Database
from bot.models import Asker, SpeechRequest
from bot.playback.player import GuildPlayer
from bot.playback.queue import FRAME_SECONDS, LEAD_FRAMES, Utterance
from bot.playback.voice_client import SpeechVoiceClient
from bot.speech.cache import CacheFolder, SpeechCache
from bot.speech.synthesizer import SpeechSynthesizer
from bot.tts.client import TTSClient

TEXTS: Final = 10
TUTORIALS: Final = 3
HEARD_GAP_SECONDS: Final = FRAME_SECONDS

_APART_SECONDS: Final = 1.0  # between two orders
_MOST_SECONDS: Final = 60.0


@dataclass(slots=True)
class Supply:
    """How the sound of one text came in: appends to ``utterance``, and reckons when playing runs dry."""

    utterance: Utterance
    gaps: list[float] = field(default_factory=list)
    seconds: float = 0.0
    clock: Callable[[], float] = time.monotonic
    _heard_until: float | None = None

    def take(self, frames: Sequence[bytes]) -> None:
        """Hand on the next frames."""
        now, length = self.clock(), len(frames) * FRAME_SECONDS
        self.utterance.append(frames)
        self.seconds += length
        if self._heard_until is None:
            self._heard_until = now + LEAD_FRAMES * FRAME_SECONDS
        self.gaps.append(max(0.0, now - self._heard_until))
        self._heard_until = max(now, self._heard_until) + length


@dataclass(frozen=True, slots=True)
class _Heard:
    first_sound: float
    made: float
    worst_gap: float
    seconds: float


@dataclass(frozen=True, slots=True)
class _Shared:
    cache: SpeechCache
    maker: Maker


def run() -> Benchmark:
    """Measure; in about 40 seconds."""
    skipped = tutorial.why_not()
    heard, theirs = asyncio.run(_measure(with_tutorial=skipped is None))
    with_gap = [one.worst_gap for one in heard if one.worst_gap > HEARD_GAP_SECONDS]
    share = 100 * len(with_gap) / len(heard)
    figures = [
        Figure("order → first sound", [one.first_sound for one in heard], "s", Goal(2.2)),
        Figure("texts with a gap", [share], "%", Goal(7.0)),
        Figure("worst gap of a text", [one.worst_gap for one in heard], "s"),
        Figure("order → all of it is made", [one.made for one in heard], "s"),
        Figure("length", [one.seconds for one in heard], "s"),
    ]
    if theirs:
        figures.append(Figure("tutorial way, one request: first packet", theirs, "s"))
    notes = [f"load while measuring: {load()}", *([skipped] if skipped else [])]
    return Benchmark(f"Long text: {TEXTS} texts of 60 s, a TTS gateway as slow as a model", figures, notes)


async def _measure(*, with_tutorial: bool) -> tuple[list[_Heard], list[float]]:
    count = TUTORIALS if with_tutorial else 0
    model = running("benchmarks.model_tts_gateway", [str(OVERHEAD), str(PER_SECOND)])
    with tempfile.TemporaryDirectory(prefix="benchmark-sounds-") as nothing:
        async with (
            model as tts_gateway,
            far_line(Path(nothing)) as line,
            await Database.open(None, Path(nothing) / "library") as database,
            aclosing(await build_maker("auto")) as maker,
            SpeechCache(
                CachedSpeeches(database), CacheFolder(Path(nothing) / "cache"), maker, max_bytes=0
            ) as cache,
        ):
            clients = cast(
                list[SpeechVoiceClient], await connect(TEXTS, SpeechVoiceClient, line.voice_address)
            )
            others = await _others(line, count)
            base_url = tts_gateway.hello["base_url"]
            shared = _Shared(cache, maker)
            orders = [
                _heard(line, base_url, text, client, shared, number * _APART_SECONDS)
                for number, (text, client) in enumerate(zip(texts(TEXTS), clients, strict=True))
            ]
            tutorials = [
                _tutorial(line, base_url, text, client, TEXTS * _APART_SECONDS)
                for text, client in zip(texts(count), others, strict=True)
            ]
            heard, theirs = await asyncio.gather(asyncio.gather(*orders), asyncio.gather(*tutorials))
            disconnect([*clients, *others])
    return heard, theirs


async def _others(line: FarLine, count: int) -> list[discord.VoiceClient]:
    """Return clients of discord.py's own kind, with numbers that ours do not have."""
    return (await connect(TEXTS + count, discord.VoiceClient, line.voice_address))[TEXTS:]


async def _heard(
    line: FarLine, base_url: str, text: str, client: SpeechVoiceClient, shared: _Shared, delay: float
) -> _Heard:
    await asyncio.sleep(delay)
    player = GuildPlayer(client, stalled=_nothing)
    async with TTSClient(base_url) as tts, asyncio.timeout(_MOST_SECONDS):
        supply = Supply(player.reserve(member_id=1, title="a minute"))
        synthesizer, began = SpeechSynthesizer(tts, shared.cache, shared.maker), time.monotonic()
        arriving = asyncio.create_task(line.arrival(client.ssrc))
        with synthesizer.submit(SpeechRequest(text), Asker(1, 1), seconds_before=0.0) as job:
            async for frames in job:
                supply.take(frames)
        made = time.monotonic() - began
        arrival = await arriving
        await synthesizer.aclose()
    player.close()
    return _Heard(arrival.first_sound - began, made, max(supply.gaps), supply.seconds)


async def _tutorial(
    line: FarLine, base_url: str, text: str, client: discord.VoiceClient, delay: float
) -> float:
    await asyncio.sleep(delay)
    began = time.monotonic()
    await tutorial.speak(base_url, text, client)
    arrival = await line.arrival(client.ssrc)
    await tutorial.stop(client)
    return arrival.first_packet - began


async def _nothing(_player: GuildPlayer) -> None:
    raise RuntimeError("the connection stands still")

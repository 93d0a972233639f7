"""From the TTS gateway's answer to the first voice packet at the voice server, ours and the tutorial way.

The TTS gateway and the voice server are one process of their own (`benchmarks.far_end`); the recording comes
over a line of 10 or 100 Mbit/s without delay. End-to-end encryption is on. The floor is what nobody can
beat: the first bytes of the recording are here. Ours sends 200 ms of silence first, in which a listener's
jitter buffer opens; the tutorial way does not, and lets it open over the first words.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

import aiohttp
import discord

from benchmarks import tutorial
from benchmarks.far_line import Arrival, FarLine, far_line
from benchmarks.figures import Benchmark, Figure, Goal
from benchmarks.machine_state import load
from benchmarks.sounds import MINUTE_TEXT, speech_wav
from benchmarks.voice_channels import connect, disconnect
from bot.audio.maker import Maker
from bot.audio.maker_process import build_maker
from bot.models import SpeechRequest
from bot.playback.player import GuildPlayer
from bot.playback.queue import Utterance
from bot.playback.voice_client import SpeechVoiceClient
from bot.tts.client import TTSCall, TTSClient

ROUNDS: Final = 3
OURS: Final = 5  # in a round, to one of the tutorial way


@dataclass(frozen=True, slots=True)
class Case:
    """A recording over a line, and the goals: so soon, and so many times sooner than the tutorial way."""

    seconds: int
    mbits: int
    milliseconds: float
    sooner: float

    @property
    def name(self) -> str:
        """What it is called in the table."""
        return f"{self.seconds} s WAV at {self.mbits} Mbit/s"

    @property
    def request(self) -> SpeechRequest:
        """Words that last about as long."""
        return SpeechRequest(MINUTE_TEXT[: len(MINUTE_TEXT) * self.seconds // 60])

    @property
    def sound(self) -> str:
        """The name of its recording at the far end."""
        return f"speech-{self.seconds}"


CASES: Final = (Case(60, 10, 20.0, 200.0), Case(10, 100, 15.0, 20.0))


@dataclass(slots=True)
class _Measured:
    ours: list[Arrival] = field(default_factory=list)
    tutorial: list[Arrival] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    sooner: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Way:
    tts: TTSClient
    maker: Maker
    player: GuildPlayer
    request: SpeechRequest

    async def make(self, utterance: Utterance) -> None:
        """Have the request made, and put into ``utterance`` what comes of it."""
        download = await self.tts.open(TTSCall(self.request))
        async with aclosing(self.maker.start(download, text=self.request.text, is_live=True)) as speech:
            async for frames in speech:
                utterance.append(frames)
        utterance.complete()


def run() -> Benchmark:
    """Measure both cases; in about 45 seconds."""
    skipped = tutorial.why_not()
    figures = asyncio.run(_measure(with_tutorial=skipped is None))
    notes = [f"load while measuring: {load()}", *([skipped] if skipped else [])]
    return Benchmark("First sound: TTS gateway has answered → packet at the voice server", figures, notes)


async def _measure(*, with_tutorial: bool) -> list[Figure]:
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="benchmark-sounds-") as folder:
        for case in CASES:
            await asyncio.to_thread(
                _write, Path(folder) / f"{case.sound}.wav", await speech_wav(case.seconds)
            )
        async with far_line(Path(folder)) as line:
            ours = cast(list[SpeechVoiceClient], await connect(1, SpeechVoiceClient, line.voice_address))
            theirs = await connect(1, discord.VoiceClient, line.voice_address)
            for case in CASES:
                figures += _figures(case, await _case(line, case, ours[0], theirs[0], with_tutorial))
            disconnect([*ours, *theirs])
    return figures


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


async def _case(
    line: FarLine,
    case: Case,
    ours: SpeechVoiceClient,
    theirs: discord.VoiceClient,
    with_tutorial: bool,
) -> _Measured:
    base_url, measured = line.base_url(case.mbits, case.sound), _Measured()
    player = GuildPlayer(ours, stalled=_nothing)
    async with (
        TTSClient(base_url) as tts,
        aclosing(await build_maker("auto")) as maker,
    ):
        for number in range(1 + ROUNDS):  # in turn, so that both ways have the machine as it is
            if number == 1:  # the first is not counted: imports, the connection, the encoder
                measured = _Measured()
            mine = [
                await _our_arrival(line, _Way(tts, maker, player, case.request), ours) for _ in range(OURS)
            ]
            measured.ours += mine
            measured.floor += [await _floor(line, base_url) for _ in range(OURS)]
            if with_tutorial:
                other = await _tutorial_arrival(line, base_url, case.request.text, theirs)
                measured.tutorial.append(other)
                middle = statistics.median(arrival.first_packet for arrival in mine)
                measured.sooner.append(other.first_packet / middle)
    player.close()
    return measured


async def _nothing(_player: GuildPlayer) -> None:
    raise RuntimeError("the connection stands still")


async def _our_arrival(line: FarLine, way: _Way, client: discord.VoiceClient) -> Arrival:
    await line.quiet(client.ssrc)
    utterance = way.player.reserve(member_id=1, title="a minute")
    making = asyncio.create_task(way.make(utterance))
    try:
        return await _after_answer(line, client)
    finally:
        way.player.skip()
        making.cancel()
        await asyncio.gather(making, return_exceptions=True)


async def _after_answer(line: FarLine, client: discord.VoiceClient) -> Arrival:
    """Return when sound came, in seconds after the answer of the TTS gateway."""
    arrival, answered = await line.arrival(client.ssrc), await line.answered()
    return Arrival(arrival.first_packet - answered, arrival.first_sound - answered)


async def _tutorial_arrival(line: FarLine, base_url: str, text: str, client: discord.VoiceClient) -> Arrival:
    await line.quiet(client.ssrc)
    await tutorial.speak(base_url, text, client)
    arrival = await _after_answer(line, client)
    await tutorial.stop(client)
    return arrival


async def _floor(line: FarLine, base_url: str) -> float:
    """Return how long after the answer the first bytes of the recording are here, in seconds."""
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{base_url}/text-to-speech", json={"text": "x"}) as response:
            address = (await response.json())["output"]
        async with session.get(address) as response:
            await response.content.readany()
            came = time.monotonic()
    return came - await line.answered()


def _figures(case: Case, measured: _Measured) -> list[Figure]:
    packets = [1000 * arrival.first_packet for arrival in measured.ours]
    figures = [
        Figure(f"{case.name}: first packet", packets, "ms", Goal(case.milliseconds)),
        Figure(f"{case.name}: first bytes, the floor", [1000 * seconds for seconds in measured.floor], "ms"),
        Figure(
            f"{case.name}: first packet with sound",
            [1000 * arrival.first_sound for arrival in measured.ours],
            "ms",
        ),
    ]
    if measured.tutorial:
        theirs = [1000 * arrival.first_packet for arrival in measured.tutorial]
        figures += [
            Figure(f"{case.name}: tutorial way", theirs, "ms"),
            Figure(f"{case.name}: sooner", measured.sooner, "times", Goal(case.sooner, at_least=True)),
        ]
    return figures

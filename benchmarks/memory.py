"""What a connected voice channel that is silent, and a minute of speech that waits, cost the bot in memory.

The bot is a process of its own, whose resident memory is read from outside; the rehearsal is in this one.
Every channel has a person in it, so that its end-to-end encryption is at work, and was known to the bot
before it was joined. What waits was ordered with /speak, so that everything counts that the bot keeps for it.
"""

from __future__ import annotations

import asyncio
import asyncio.sslproto
import re
import sys
import tempfile
import tracemalloc
import zlib
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from benchmarks.bot_child import bot_in
from benchmarks.child import Child
from benchmarks.counted_tts_gateway import counted_tts_gateway
from benchmarks.figures import Benchmark, Figure, Goal
from benchmarks.machine_state import load, resident_megabytes
from benchmarks.pacing import texts
from benchmarks.sounds import MINUTE_TEXT, speech_wav
from bot.allocator import TLS_BUFFER_BYTES, keep_read_buffers_small
from bot.audio.opus import opus_frames
from bot.audio.stream import speech_from_wav
from bot.limits import MAX_UTTERANCES_PER_MEMBER
from rehearsal.answers import Answer
from rehearsal.guilds import Guild
from rehearsal.people import Person
from rehearsal.records import Channel
from rehearsal.server import Rehearsal

BATCH: Final = 10
BATCHES: Final = 4
"""Few enough for the 110 messages a minute that discord.py lets a bot send to Discord. The first batch is not
counted: it pays for what is loaded with the first connection."""

BEFORE = WAITING = 9
"""Utterances of a minute: so many are ordered elsewhere first, which pay for what is loaded and for the room
to work in, and so many wait then."""

_PATIENCE: Final = 60.0
_SETTLE_SECONDS: Final = 1.0
_END_SECONDS: Final = 1.0  # leaving so many channels in order would only take time


@dataclass(frozen=True, slots=True)
class _Place:
    guild: Guild
    text_channel: Channel
    voice_channel: Channel
    people: list[Person] = field(default_factory=list)


@dataclass(slots=True)
class _Measured:
    channels: list[float] = field(default_factory=list)
    threads: list[float] = field(default_factory=list)
    minute: float = 0.0
    at_last: float = 0.0


def run() -> Benchmark:
    """Measure; in about 75 seconds."""
    measured, frames = asyncio.run(_measure())
    figures = [
        Figure("one idle connected channel", measured.channels, "kB", Goal(150.0)),
        Figure("one idle connected channel: threads", measured.threads),
        Figure("a minute that waits, ordered with /speak", [measured.minute], "kB", Goal(700.0)),
        Figure("a minute that waits, its frames alone", [frames], "kB", Goal(700.0)),
        Figure("the whole process at last", [measured.at_last], "MB"),
    ]
    notes = [_what_we_do_without(), f"load while measuring: {load()}"]
    return Benchmark("Memory of the bot's process", figures, notes)


def _what_we_do_without() -> str:
    """Return what a voice websocket holds as the libraries make it, and ours does not."""
    tracemalloc.start()
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    compressor.compress(b"{}")
    compressing = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    reading = 256 * 1024  # asyncio's own, in Python 3.11 to 3.13
    return (
        f"not among it: {(reading - TLS_BUFFER_BYTES) / 1000:.0f} kB of the buffer of asyncio's TLS, "
        f"and {compressing / 1000:.0f} kB to compress, as discord.py's voice websocket does"
    )


async def _measure() -> tuple[_Measured, float]:
    keep_read_buffers_small()
    measured = _Measured()
    async with AsyncExitStack() as parts:
        rehearsal = await parts.enter_async_context(Rehearsal())
        places = [await _place(rehearsal, number) for number in range(BATCH * BATCHES)]
        tts_gateway = await parts.enter_async_context(counted_tts_gateway("takes all"))
        data_dir = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-bot-")))
        at_work = bot_in(rehearsal, data_dir, tts_gateway.base_url, end_seconds=_END_SECONDS)
        bot = await parts.enter_async_context(at_work)
        for number in range(BATCHES):
            await _join(places[number * BATCH : (number + 1) * BATCH], bot, measured)
        del measured.channels[0], measured.threads[0]
        await _order(places[:2], bot, measured)
    return measured, await _frames_alone()


async def _place(rehearsal: Rehearsal, number: int) -> _Place:
    """Return a guild whose people are in its voice channel already: the bot is told nothing later."""
    guild = rehearsal.world.add_guild(f"Guild {number}")
    place = _Place(guild, guild.add_text_channel("general"), guild.add_voice_channel("Perch"))
    for name in ("Alice", "Bob", "Carol") if number < 2 else ("Alice",):
        place.people.append(rehearsal.world.add_person(name))
        guild.add_member(place.people[-1])
        await place.people[-1].join(place.voice_channel)
    return place


async def _join(places: list[_Place], bot: Child, measured: _Measured) -> None:
    process = psutil.Process(bot.pid)
    before, threads = await _settled(bot), process.num_threads()
    for place in places:
        await _answered(await place.people[0].slash(place.text_channel, "join"))
    measured.channels.append(1000 * (await _settled(bot) - before) / len(places))
    measured.threads.append((process.num_threads() - threads) / len(places))


async def _order(places: list[_Place], bot: Child, measured: _Measured) -> None:
    """Order more than can be said meanwhile, and find out what each minute that waits has cost."""
    people = [
        (place, person)
        for place in places
        for person in place.people
        for _ in range(MAX_UTTERANCES_PER_MEMBER)
    ]
    orders = [(*asker, text) for asker, text in zip(people, texts(BEFORE + WAITING, seed=7), strict=True)]
    for order in orders[:BEFORE]:
        await _ordered(*order)
    before = await _settled(bot)
    seconds = [await _ordered(*order) for order in orders[BEFORE:]]
    measured.at_last = await _settled(bot)
    measured.minute = 1000 * (measured.at_last - before) / (sum(seconds) / 60)


async def _ordered(place: _Place, person: Person, text: str) -> float:
    """Let ``person`` order ``text`` for the voice channel; return its seconds once it is made."""
    answer = await person.slash(place.text_channel, "speak", text=text, output="voice channel")
    await answer.until(lambda shown: "AI voice" in shown.content, timeout=_PATIENCE)
    seconds = re.search(r"([0-9.]+) s", answer.content.partition("AI voice")[2])
    assert seconds is not None, answer.content
    return float(seconds[1])


async def _answered(answer: Answer) -> None:
    await answer.settled(timeout=_PATIENCE)
    if answer.failure or "<#" not in answer.content:
        raise RuntimeError(f"not joined: {answer.failure or answer.content}")


async def _settled(bot: Child) -> float:
    await asyncio.sleep(_SETTLE_SECONDS)
    return resident_megabytes(bot.pid)


async def _frames_alone() -> float:
    """Return what the frames of a minute of speech take in Python's memory, in kB."""
    frames = await opus_frames(await speech_from_wav(await speech_wav(60.0), text=MINUTE_TEXT))
    return (sum(map(sys.getsizeof, frames)) + sys.getsizeof(list(frames))) / 1000

"""`python -m tests.monitor_picture [MINUTES]`: a load of the rehearsal, and the page of its hour in docs/.

The bot is a process of its own, in many servers whose members talk now and then; a TTS gateway that is as
slow as a model makes what they say. In the third quarter more talk, and for a while the TTS gateway takes
nothing more.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from benchmarks.many_servers import openings, text_after
from benchmarks.model_tts_gateway import ModelEngine
from benchmarks.sounds import speech_wav
from rehearsal.faulty_tts_gateway.faults import Respond
from rehearsal.faulty_tts_gateway.script import FaultScript
from rehearsal.people import Person
from rehearsal.records import Channel
from rehearsal.server import Rehearsal
from tests.bot_process import LOGGED_IN, BotProcess, bot_process, discord_for
from tests.rehearsal.room.browser import browser_for_tests
from tests.scenes import tts_gateway_for

PICTURE: Final = Path(__file__).parents[1] / "docs" / "last-hour.png"
SERVERS: Final = 24
PAUSE_SECONDS: Final = 45.0
"""About so long between two texts in a server."""

OUTAGE: Final = (0.62, 0.65)
RUSH: Final = (0.5, 0.75)
"""Parts of the time: of the outage, and of that in which four times as much is said."""


async def main(minutes: float) -> None:
    faults, end = FaultScript(), time.monotonic() + 60 * minutes
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    async with AsyncExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory()))
        rehearsal = await parts.enter_async_context(Rehearsal())
        rooms = [await _room(rehearsal, number) for number in range(SERVERS)]
        engine = ModelEngine(await speech_wav(60.0), 0.35, 0.22)
        base_url = await parts.enter_async_context(tts_gateway_for(rehearsal, engine, faults))
        settings = {**await parts.enter_async_context(discord_for(rehearsal)), "TTS_BASE_URL": base_url}
        settings |= {"METRICS_ADDRESS": str(port), "DAILY_SECONDS": "20000", "SOUND_PROCESS": "on"}
        bot = await parts.enter_async_context(bot_process(folder, **settings))
        await bot.until(LOGGED_IN)
        reading = asyncio.create_task(_read(bot))
        words = _openings()
        talking = [
            asyncio.create_task(_talk(*room, words, end, minutes, random.Random(number)))
            for number, room in enumerate(rooms)
        ]
        await _until(end - 60 * minutes * (1 - OUTAGE[0]))
        faults.every_post = Respond(503, {"error": "no capacity"})
        await _until(end - 60 * minutes * (1 - OUTAGE[1]))
        faults.every_post = None
        await asyncio.gather(*talking)
        print(*bot.said.splitlines()[-20:], sep="\n")
        await _take_picture(f"http://127.0.0.1:{port}")
        reading.cancel()


def _openings() -> Iterator[str]:
    """Yield beginnings of texts without end; no two are alike."""
    for number in itertools.count(1):
        yield from (f"Number {number}, {opening}" for opening in openings())


async def _read(bot: BotProcess) -> None:
    while await bot._read_line():
        bot.said = bot.said[-40_000:]


async def _room(rehearsal: Rehearsal, number: int) -> tuple[Person, Channel]:
    guild = rehearsal.world.add_guild(f"Server {number}")
    text, voice = guild.add_text_channel("general"), guild.add_voice_channel("Perch")
    person = rehearsal.world.add_person(f"Member {number}")
    guild.add_member(person)
    await person.join(voice)
    return person, text


async def _talk(
    person: Person, channel: Channel, words: Iterator[str], end: float, minutes: float, rng: random.Random
) -> None:
    usual = ["Good morning, everybody.", "Who wants to play?", "I am back.", "That was close!"]
    while True:
        done = 1 - (end - time.monotonic()) / (60 * minutes)
        pause = PAUSE_SECONDS / (4 if RUSH[0] < done < RUSH[1] else 1)
        left = end - time.monotonic()
        if left <= 0:
            return
        await asyncio.sleep(min(rng.expovariate(1 / pause), 4 * pause, left))
        is_new = rng.random() < 0.8
        text = text_after(next(words), rng.uniform(2.0, 12.0), rng) if is_new else rng.choice(usual)
        await person.slash(channel, "speak", text=text)


async def _until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.monotonic()))


async def _take_picture(url: str) -> None:
    async with browser_for_tests() as browser:
        page = await browser.new_page(
            viewport={"width": 1200, "height": 800}, color_scheme="light", reduced_motion="reduce"
        )
        await page.goto(url)
        await page.get_by_role("img").first.wait_for()
        await page.screenshot(path=PICTURE, full_page=True, animations="disabled")


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0))

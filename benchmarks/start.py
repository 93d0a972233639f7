"""From starting the bot's process to being logged in, and what it holds in memory then.

The rehearsal is the Discord, in this process. Every start is the first on this machine for the bot: its data
directory is empty, so it registers its commands. Python's own compiled files are there, as they are after the
first start of all.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from benchmarks.bot_child import bot_in
from benchmarks.figures import Benchmark, Figure, Goal
from benchmarks.machine_state import load, of_children, resident_megabytes
from rehearsal.server import Rehearsal

STARTS: Final = 5
OWN_STARTS: Final = 3
NOWHERE: Final = "http://127.0.0.1:9/voxcpm/v1"
"""A TTS gateway that is not asked for anything."""


@dataclass(frozen=True, slots=True)
class _Start:
    seconds: float
    cpu: float
    megabytes: float
    children_megabytes: float


def run() -> Benchmark:
    """Measure; in about 20 seconds."""
    plain, own = asyncio.run(_measure())
    figures = [
        Figure("start → logged in", [one.seconds for one in plain], "s", Goal(2.0)),
        Figure("CPU for that", [one.cpu for one in plain], "s"),
        Figure("resident memory when logged in", [one.megabytes for one in plain], "MB", Goal(120.0)),
        Figure("with its own TTS gateway: start → logged in", [one.seconds for one in own], "s"),
        Figure("with its own TTS gateway: memory of that", [one.children_megabytes for one in own], "MB"),
    ]
    return Benchmark("Start: the process of the bot", figures, [f"load while measuring: {load()}"])


async def _measure() -> tuple[list[_Start], list[_Start]]:
    async with Rehearsal() as rehearsal:
        rehearsal.world.add_guild("The Aviary").add_voice_channel("Perch")
        plain = [await _start(rehearsal, NOWHERE) for _ in range(1 + STARTS)][1:]
        own = [await _start(rehearsal, None) for _ in range(OWN_STARTS)]
    return plain, own


async def _start(rehearsal: Rehearsal, tts_base_url: str | None) -> _Start:
    with tempfile.TemporaryDirectory(prefix="benchmark-bot-") as data_dir:
        began = time.perf_counter()
        async with bot_in(rehearsal, Path(data_dir), tts_base_url) as bot:
            seconds = time.perf_counter() - began
            process = psutil.Process(bot.pid)
            times = process.cpu_times()
            children = of_children(process, lambda child: resident_megabytes(child.pid))
            return _Start(seconds, times.user + times.system, resident_megabytes(bot.pid), sum(children))

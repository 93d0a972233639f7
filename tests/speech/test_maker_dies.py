"""The process that makes sound dies while many listen: they hear the rest, and nothing is asked for again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator

import pytest

from bot.audio.maker import Maker
from bot.audio.maker_process import MakerProcess
from bot.speech.synthesizer import SpeechSynthesizer
from rehearsal.faulty_tts_gateway.faults import Drip
from tests.scenes import Hearing, Studio

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")

MANY = 20


@pytest.fixture
async def process() -> AsyncIterator[MakerProcess]:
    process = MakerProcess(modules=("bot.tts.download",))
    await process.start()
    yield process
    await process.aclose()


@pytest.mark.slow
async def test_many_are_heard_to_their_end_and_no_generation_is_asked_for_twice(
    studio: Studio, process: MakerProcess
):
    studio.synthesizer = SpeechSynthesizer(studio.tts, studio.cache, Maker(process))
    studio.faults.every_download = Drip(size=16_000, every=0.05)
    hearings = [Hearing() for _ in range(MANY)]
    making = [
        studio.making(f"Number {number} sat on the wire above the yard.", hearing=hearing)
        for number, hearing in enumerate(hearings)
    ]
    await asyncio.gather(*(hearing.heard(10) for hearing in hearings[:5]))
    dead = process.process_id
    assert dead is not None

    os.kill(dead, signal.SIGKILL)
    speeches = await asyncio.gather(*making)

    assert [list(speech.frames) for speech in speeches] == [hearing.frames for hearing in hearings]
    assert len(studio.calls) == MANY
    assert process.process_id != dead

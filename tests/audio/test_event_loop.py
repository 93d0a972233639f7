"""The bot goes on while sound is worked on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from bot.audio.formats import export, soundboard_clip, speech_from_file, voice_message
from bot.audio.opus import opus_frames
from bot.audio.sound import SpeechSound
from bot.audio.stream import speech_from_wav
from tests.audio.handmade import pcm16, speechlike, wav

WAVE = speechlike(0.5)
SPEECH = SpeechSound(pcm16(WAVE))
WORK: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
    "speech": lambda: speech_from_wav(wav(WAVE), text="a word"),
    "frames": lambda: opus_frames(SPEECH),
    "file": lambda: export(SPEECH, max_bytes=10**6),
    "voice message": lambda: voice_message(SPEECH),
    "soundboard sound": lambda: soundboard_clip(SPEECH),
    "file read again": lambda: speech_from_file(wav(WAVE), name="speech.wav"),
}


@pytest.mark.parametrize("kind", WORK)
async def test_the_work_itself_is_not_done_in_the_event_loop(kind: str):
    task = asyncio.create_task(WORK[kind]())

    await asyncio.sleep(0)  # one turn of the loop: enough for the whole work, were it done there

    assert not task.done()
    assert await task


@pytest.mark.slow
async def test_the_loop_turns_while_a_minute_of_speech_is_prepared():
    asyncio.get_running_loop().set_debug(False)
    data = wav(speechlike(60.0))
    await prepared(wav(speechlike(0.5)))  # what is loaded on first use is not the subject

    start = time.perf_counter()
    work = asyncio.create_task(prepared(data))
    gaps = []
    while not work.done():
        before = time.perf_counter()
        await asyncio.sleep(0.001)
        gaps.append(time.perf_counter() - before)
    took = time.perf_counter() - start

    assert len(work.result()) in (3_000, 3_001)
    assert len(gaps) >= 10
    assert max(gaps) < took / 2  # were it done in the loop, one gap would be the whole time


async def prepared(data: bytes) -> tuple[bytes, ...]:
    return await opus_frames(await speech_from_wav(data, text="x" * 500))

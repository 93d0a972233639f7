"""Megabytes go when nobody needs them, not when cycles are looked for, which seldom happens."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from io import BytesIO

import pytest

from bot.audio.sound import SpeechSound
from tests.scenes import DEADLINE, SENTENCES, Scene, file_of, until, words_of


@pytest.fixture
def _no_cycles_are_looked_for() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def sounds() -> list[SpeechSound]:
    return [one for one in gc.get_objects() if isinstance(one, SpeechSound)]


def files() -> list[int]:
    """Return the sizes of the files in memory that are no trifles."""
    buffers = [one for one in gc.get_objects() if isinstance(one, BytesIO) and not one.closed]
    return [size for buffer in buffers if (size := buffer.getbuffer().nbytes) > 10_000]


@pytest.mark.slow
@pytest.mark.usefixtures("fast_playback", "_no_cycles_are_looked_for")
@pytest.mark.parametrize("to", ["both", "here", "voice channel", "voice message"])
async def test_behind_an_utterance_of_several_parts_nothing_is_left(scene: Scene, to: str):
    listener = await scene.alice.join(scene.perch)
    before, others = len(files()), {id(one) for one in sounds()}  # of other tests

    answer = await scene.speak(SENTENCES, output=to)
    if to in ("both", "here"):
        await file_of(answer)
    elif to == "voice message":
        await words_of(answer)
    if to in ("both", "voice channel"):
        await listener.wait_for_speech(timeout=DEADLINE)
        await listener.wait_for_silence(seconds=1.0, timeout=DEADLINE)
    await scene.bot.synthesizer.aclose()

    assert len(scene.asked) > 1
    await until(lambda: all(id(one) in others for one in sounds()))
    await until(lambda: len(files()) == before)

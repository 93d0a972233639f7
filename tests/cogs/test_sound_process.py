"""The whole bot with sound made in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from rehearsal.likeness import likeness
from rehearsal.stage import pcm_of_wav
from tests.scenes import DEADLINE, Scene, file_of, open_scene
from tts_gateway.engines.base import Engine

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")

TEXT = "The quick brown fox jumps over the lazy dog."


@pytest.fixture
async def scene(tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr("bot.audio.maker_process.MIN_CORES", 0)
    monkeypatch.setattr("bot.audio.maker_process.MIN_MEMORY_BYTES", 0)
    async with open_scene(tmp_path / "data", engine) as scene:
        yield scene
    assert children() == []


def children() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "bot.audio.maker_child" in one.cmdline()]


@pytest.mark.slow
@pytest.mark.usefixtures("fast_playback")
async def test_what_is_heard_is_what_is_given_and_kept(scene: Scene):
    listener = await scene.alice.join(scene.perch)

    made = pcm_of_wav(await (await file_of(await scene.speak(TEXT))).read())
    await listener.wait_for_silence(seconds=1.0, timeout=DEADLINE)
    again = pcm_of_wav(await (await file_of(await scene.speak(TEXT))).read())

    assert len(children()) == 1
    assert likeness(made, listener.pcm()).correlation >= 0.95
    assert again == made
    assert len(scene.asked) == 1


async def test_after_its_death_members_are_served_as_before(scene: Scene):
    first = pcm_of_wav(await (await file_of(await scene.speak(TEXT))).read())
    (child,) = children()

    child.kill()
    again = pcm_of_wav(await (await file_of(await scene.speak(TEXT))).read())
    other = pcm_of_wav(await (await file_of(await scene.speak("And a dog that was not lazy."))).read())

    assert likeness(first, again).correlation >= 0.95  # of its frames, if it was not kept yet
    assert len(other) > 48_000
    assert len(scene.asked) == 2

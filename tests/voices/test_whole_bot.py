"""The whole bot before a real voice: what members hear of it in a voice channel, and what they read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from benchmarks.recogniser import SENTENCES, Recogniser, word_errors
from rehearsal.cdn import SentFile
from rehearsal.voice.listener import wav_of
from tests.cogs.sounds import HIGH, recording
from tests.scenes import DEADLINE, Scene, file_of, open_scene
from tts_gateway.engines.registry import StartedEngine

TEXT = " ".join(SENTENCES[2:4])
PREVIEW_VOICE = "offline preview voice"


@pytest.fixture
async def scene(tmp_path: Path, started: StartedEngine) -> AsyncIterator[Scene]:
    async with open_scene(
        tmp_path / "data", started.engine, stand_in=started.stand_in, about=started.about
    ) as scene:
        yield scene


async def test_speak_is_understood_in_the_voice_channel_and_in_its_file(scene: Scene, recogniser: Recogniser):
    listener = await scene.alice.join(scene.perch)

    answer = await scene.speak(TEXT)
    file = await (await file_of(answer)).read()
    await listener.wait_for_speech(timeout=DEADLINE)
    await listener.wait_for_silence(seconds=1.0, timeout=DEADLINE)

    assert "preview" not in answer.content
    for sound in (wav_of(listener.pcm()), file):
        wrong, words = word_errors(TEXT, await asyncio.to_thread(recogniser.heard, sound))
        assert wrong <= 0.15 * words


async def test_only_what_the_voice_cannot_do_is_made_by_the_preview_and_says_so(scene: Scene):
    await scene.let_clone(scene.alice)
    sent = SentFile("her voice.wav", recording("wav", HIGH))

    plain = await scene.speak(TEXT, output="here")
    russian = await scene.speak("Доброе утро, как у вас дела сегодня?", output="here")
    clone = await scene.alice.slash(scene.general, "clone", text=TEXT, recording=sent)
    for answer in (plain, russian, clone):
        await file_of(answer)

    assert "preview" not in plain.content
    assert PREVIEW_VOICE in russian.content
    assert PREVIEW_VOICE in clone.content

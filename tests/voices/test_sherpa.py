"""The engine sherpa with a real Piper voice: what is heard of it, and what becomes of its process."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
import wave

import numpy as np
import psutil
import pytest

from benchmarks.recogniser import SENTENCES, Recogniser, word_errors
from tests.scenes import until
from tts_gateway.engines.base import EngineError, NotOffered, TextRefused
from tts_gateway.engines.guards import estimated_seconds, longest_seconds
from tts_gateway.engines.registry import StartedEngine
from tts_gateway.engines.sherpa import SherpaEngine

DEADLINE = 120.0
LONG = " ".join(SENTENCES)
MOST_WRONG = 0.06
"""Of all words: what `python -m benchmarks voices` wants of a voice too."""


def _sound_of(wav: bytes) -> np.ndarray:
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (48_000, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32_768


async def _working(sherpa: SherpaEngine) -> tuple[asyncio.Task[bytes], int]:
    """Let a long text be said, and return once its process is at it, with the process's id."""
    (process_id,) = sherpa.process_ids
    process = psutil.Process(process_id)
    before = process.cpu_times().user
    saying = asyncio.create_task(sherpa.speak(LONG))
    await until(lambda: process.cpu_times().user > before or saying.done(), within=DEADLINE)
    assert not saying.done()
    return saying, process_id


async def test_twenty_sentences_of_the_voice_are_understood(sherpa: SherpaEngine, recogniser: Recogniser):
    wrong = words = 0
    for sentence in SENTENCES:
        heard = await asyncio.to_thread(recogniser.heard, await sherpa.speak(sentence))
        missed, count = word_errors(sentence, heard)
        wrong, words = wrong + missed, words + count

    assert words > 150
    assert wrong <= MOST_WRONG * words


async def test_the_recogniser_hears_when_another_sentence_was_said(
    sherpa: SherpaEngine, recogniser: Recogniser
):
    heard = await asyncio.to_thread(recogniser.heard, await sherpa.speak(SENTENCES[0]))
    wrong, words = word_errors(SENTENCES[1], heard)

    assert wrong > words / 2


async def test_a_sound_is_as_long_as_its_text_and_as_loud_as_speech(sherpa: SherpaEngine):
    short, long = [_sound_of(await sherpa.speak(text)) for text in (SENTENCES[4], " ".join(SENTENCES[4:8]))]

    for sound, text in ((short, SENTENCES[4]), (long, " ".join(SENTENCES[4:8]))):
        assert 0.5 * estimated_seconds(text) < len(sound) / 48_000 < longest_seconds(text)
        assert -32 < 20 * np.log10(np.sqrt(np.mean(sound**2))) < -12
        assert np.abs(sound).max() < 1
        assert abs(sound.mean()) < 0.01
    assert len(long) > 2 * len(short)


async def test_the_voice_says_of_itself_what_it_is(started: StartedEngine):
    about = started.about

    assert (about.engine, about.model) == ("sherpa", "piper-en-joe")
    assert (about.languages, about.cloning, about.places) == (("en",), (), 1)
    assert "CC0" in about.credit


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
async def test_a_killed_process_costs_one_request_and_the_next_is_understood(
    sherpa: SherpaEngine, recogniser: Recogniser
):
    saying, before = await _working(sherpa)

    os.kill(before, signal.SIGKILL)
    with pytest.raises(EngineError) as failed:
        await saying
    wav = await asyncio.wait_for(sherpa.speak(SENTENCES[1]), DEADLINE)

    assert not isinstance(failed.value, TextRefused)
    assert sherpa.process_ids != [before]
    wrong, words = word_errors(SENTENCES[1], await asyncio.to_thread(recogniser.heard, wav))
    assert wrong < words / 2


async def test_cancelling_ends_the_work_and_the_next_request_is_answered(sherpa: SherpaEngine):
    saying, before = await _working(sherpa)

    saying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saying
    wav = await asyncio.wait_for(sherpa.speak(SENTENCES[1]), DEADLINE)

    assert not psutil.pid_exists(before)
    assert len(_sound_of(wav)) / 48_000 < longest_seconds(SENTENCES[1])


@pytest.mark.parametrize(
    "text",
    [
        "Доброе утро, как у вас дела сегодня?",
        "今日はとても良い天気ですね。",
        "(an old man)Good morning to you",
    ],
)
async def test_a_language_or_a_description_it_has_not_is_not_offered(sherpa: SherpaEngine, text: str):
    (before,) = sherpa.process_ids

    with pytest.raises(NotOffered) as refused:
        await sherpa.speak(text)

    assert text not in str(refused.value)
    assert sherpa.process_ids == [before]


async def test_cloning_without_its_model_is_not_offered(sherpa: SherpaEngine):
    wav = await sherpa.speak(SENTENCES[1])
    strange = wav[:-2] + b"\1\0"

    with pytest.raises(NotOffered):
        await sherpa.clone(SENTENCES[2], strange)

    assert len(_sound_of(await sherpa.clone(SENTENCES[2], wav)))


@pytest.mark.parametrize("text", ["", " \n", "…", "..."])
async def test_a_text_without_words_is_refused(sherpa: SherpaEngine, text: str):
    with pytest.raises(TextRefused) as refused:
        await sherpa.speak(text)

    assert not isinstance(refused.value, NotOffered)

from __future__ import annotations

import time

import pytest

from benchmarks.model_tts_gateway import ModelEngine
from benchmarks.sounds import speech_wav
from bot.audio.quality import find_defect
from bot.audio.stream import speech_from_wav
from bot.text.speaking_time import speaking_seconds

TEXT = "The library closes early on Fridays, so please bring your books back before noon."


@pytest.fixture
async def speech() -> bytes:
    return await speech_wav(60.0)


async def speak(engine: ModelEngine, text: str = TEXT) -> bytes:
    return await engine.speak(text, cfg_value=2.0, dit_steps=10)


async def test_equal_calls_give_equal_generations_and_other_texts_others(speech):
    engine = ModelEngine(speech, 0.0, 0.0)

    generations = [await speak(engine), await speak(engine), await speak(engine, TEXT + " Thank you.")]

    assert generations[0] == generations[1] != generations[2]


async def test_a_generation_needs_the_time_of_the_model(speech):
    engine = ModelEngine(speech, 0.1, 0.02)
    began = time.monotonic()

    generation = await speak(engine)

    assert time.monotonic() - began >= 0.1 + 0.02 * (len(generation) - 44) / 96_000


async def test_a_generation_is_as_long_as_its_text_and_passes_for_speech(speech):
    engine = ModelEngine(speech, 0.0, 0.0)

    generation = await speech_from_wav(await speak(engine), text=TEXT)

    assert 0.5 < generation.seconds / speaking_seconds(TEXT) < 2.0
    assert await find_defect(generation, TEXT) is None


async def test_a_voice_keeps_its_pace(speech):
    engine = ModelEngine(speech, 0.0, 0.0)
    voices = [f"Somebody says number {number}." for number in range(6)]

    lengths = {len(await engine.clone(TEXT, b"", prompt_text=voice)) for voice in voices}
    again = len(await engine.clone(TEXT, b"", prompt_text=voices[0]))

    assert len(lengths) == len(voices)
    assert again in lengths


async def test_speech_is_as_long_as_it_is_asked_for():
    wav = await speech_wav(2.5)

    assert (await speech_from_wav(wav, text=TEXT)).seconds == 2.5

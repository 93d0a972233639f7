"""Speech at another tempo: live, as a file, in many parts, in a dialogue, kept and shared."""

from __future__ import annotations

import pytest

from bot.models import Line, SpeechRequest
from bot.speech.cache import speech_key
from tests.fakes.voice_access import Shelf, voice
from tests.scenes import SENTENCES, TWO_PARTS, Hearing, Studio

TEMPI = [0.5, 1.37, 2.0]


@pytest.mark.parametrize("aloud", [True, False], ids=["aloud", "file"])
@pytest.mark.parametrize("tempo", TEMPI)
async def test_a_long_text_at_another_tempo_is_as_long_as_that_says(
    studio: Studio, tempo: float, aloud: bool
):
    plain = await studio.make(SENTENCES, aloud=aloud)
    hearing = Hearing()

    speech = await studio.make(SENTENCES, aloud=aloud, tempo=tempo, hearing=hearing)

    assert speech.seconds == pytest.approx(plain.seconds / tempo, rel=0.05)
    assert not aloud or tuple(hearing.frames) == speech.frames


async def test_another_tempo_asks_the_tts_gateway_for_the_same(studio: Studio):
    await studio.make(TWO_PARTS, aloud=False)
    asked = list(studio.texts)

    await studio.make(TWO_PARTS, aloud=False, tempo=2.0)

    assert studio.texts == asked * 2


async def test_a_dialogue_has_its_tempo_in_every_voice_and_pause(studio: Studio, shelf: Shelf):
    lines = (Line(voice("Alice"), "Good morning, did you sleep well?"), Line(voice("Bob"), "Not at all."))
    plain = await studio.make("a play", lines=lines, access=shelf.access)

    slow = await studio.make("a play", lines=lines, access=shelf.access, tempo=0.5)

    assert slow.seconds == pytest.approx(plain.seconds * 2, rel=0.05)


async def test_the_same_words_at_the_same_tempo_cost_nothing_again_and_at_another_they_do(studio: Studio):
    first = await studio.make("Good morning.", aloud=False, tempo=1.5)
    calls = len(studio.calls)

    again = await studio.make("Good morning.", aloud=False, tempo=1.5)

    assert again.frames == first.frames
    assert len(studio.calls) == calls
    await studio.make("Good morning.", aloud=False, tempo=1.25)
    assert len(studio.calls) == calls + 1


def test_every_tempo_has_a_key_of_its_own():
    keys = {speech_key(SpeechRequest("Hello", tempo=tempo), "") for tempo in (0.5, 1.0, 1.37, 2.0)}

    assert len(keys) == 4

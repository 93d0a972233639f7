"""Paragraphs and lines, from what a member types to the silence that is heard in the joined sound."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.sentences import SENTENCES
from bot.text.speakable import check_text, speakable
from rehearsal.faulty_tts_gateway.faults import SoundItself
from tests.scenes import TWO_PARTS, Hearing, Studio
from tests.speech.sounds import pcm_of
from tests.speech.test_long_texts import decoded

SCRIPTS = ("en", "ru", "ar", "hi", "zh", "ja", "th", "ko")
LONG_SECONDS = 0.15  # between syllables it is never silent for so long


def silences(pcm: bytes) -> list[float]:
    """Return the lengths of all silences inside that last, in seconds."""
    samples = np.frombuffer(pcm, "<i2")
    loud = np.flatnonzero(np.abs(samples[: len(samples) // 240 * 240].reshape(-1, 240)).max(axis=1) > 100)
    steps = (np.diff(loud) - 1) * 240 / 48_000
    return [float(step) for step in steps if step > LONG_SECONDS]


def two_paragraphs(language: str) -> str:
    """Return some twelve seconds of this language, as a member types them."""
    space = "" if language in ("zh", "ja") else " "
    sentences = SENTENCES[language]
    return f"{space.join(sentences[:2])}\r\n \r\n{space.join(sentences[2:4])}"


@pytest.mark.parametrize("language", SCRIPTS)
async def test_a_paragraph_is_heard_as_four_tenths_of_a_second(studio: Studio, language: str):
    text = check_text(speakable(two_paragraphs(language)))

    speech = await studio.make(text, seconds_before=60.0)

    assert studio.texts == [" ".join(part.split()) for part in text.split("\n\n")]
    assert silences(pcm_of(speech)) == [pytest.approx(0.4, abs=0.03)]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_between_sentences_it_is_shorter(studio: Studio, language: str):
    space = "" if language in ("zh", "ja") else " "

    speech = await studio.make(space.join(SENTENCES[language] * 2), seconds_before=4.0)

    assert len(studio.calls) > 1
    assert all(seconds < 0.29 for seconds in silences(pcm_of(speech)))


async def test_what_is_played_has_the_same_pauses(studio: Studio):
    hearing = Hearing()
    text = check_text(speakable("\n\n".join([TWO_PARTS, TWO_PARTS.replace("bird", "crow")])))

    await studio.make(text, hearing=hearing)

    pauses = silences(decoded(hearing.frames))
    assert sum(pause == pytest.approx(0.4, abs=0.03) for pause in pauses) == 1
    assert all(0.15 <= pause <= 0.28 for pause in pauses if pause < 0.35)


async def test_the_lines_of_a_list_are_sentences(studio: Studio):
    items = "\n".join(f"- {item} from the shop at the corner" for item in ("Bread", "Milk", "Apples", "Tea"))
    text = check_text(
        speakable(f"Please bring these things with you tonight:\n{items}\n\nThank you very much, all of you.")
    )

    speech = await studio.make(text)

    assert "\n" not in "".join(studio.texts)
    assert "Bread from the shop at the corner. Milk" in " ".join(studio.texts)
    assert len(studio.calls) <= 5
    assert all(0.15 <= pause <= 0.43 for pause in silences(pcm_of(speech)))


async def test_short_paragraphs_are_said_together(studio: Studio):
    text = check_text(speakable("\n\n".join(f"Word {number}." for number in range(30))))

    await studio.make(text)

    assert len(studio.calls) <= 10
    assert " ".join(studio.texts) == " ".join(text.split())


async def test_no_line_end_is_sent_where_a_text_is_made_in_one_call(studio: Studio):
    studio.faults.every_post = SoundItself()

    await studio.make(check_text(speakable(f"{TWO_PARTS}\n\n{TWO_PARTS}")))

    assert all("\n" not in text for text in studio.texts)

"""Bad generations are told from good ones: every fault made by hand is noticed, no real speech is accused."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from benchmarks.sentences import SENTENCES
from bot.audio.loudness import speech_at
from bot.audio.quality import clipped_share, defect_in, find_defect
from bot.audio.sound import SpeechSound
from bot.audio.stream import speech_from_wav
from bot.errors import AudioError
from tests.audio.handmade import Wave, pcm16, sine, speechlike, wav
from tests.text.offline_speech import offline_speech

TEXT = "Nobody expected the old bicycle to survive the winter, but there it was."  # about five seconds
SPOKEN = speechlike(5.0)
FADING = np.linspace(0.6, 0.1, 96_000)


def generation(*waves: Wave) -> SpeechSound:
    return SpeechSound(pcm16(np.concatenate(waves)))


def noise(seconds: float, *, rms: float = 0.1, seed: int = 4) -> Wave:
    return np.random.default_rng(seed).normal(0, rms, round(seconds * 48_000))


def howl(seconds: float) -> Wave:
    """Return a feedback tone that swells and glides."""
    times = np.arange(round(seconds * 48_000)) / 48_000
    return (0.1 + 0.15 * times / seconds) * np.sin(2 * np.pi * (900 * times + 60 * times**2))


def buzz(seconds: float) -> Wave:
    return np.sign(sine(110, seconds=seconds)) * 0.1 + noise(seconds, rms=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("language", SENTENCES)
def test_no_generation_of_the_offline_engine_is_accused(language: str):
    generations = {text: wav for (other, text), wav in offline_speech().items() if other == language}

    for text, data in generations.items():
        speech = asyncio.run(speech_from_wav(data, text=text))
        assert defect_in(speech, text) is None
        assert defect_in(speech_at(speech, -14.0), text) is None


def test_there_are_enough_generations_to_say_so():
    assert len(offline_speech()) >= 60
    assert len(SENTENCES) >= 12


@pytest.mark.parametrize("seed", range(5))
async def test_a_generation_of_the_right_length_is_good(seed: int):
    assert await find_defect(generation(speechlike(5.0, seed=seed)), TEXT) is None


@pytest.mark.parametrize(
    ("name", "speech", "reason"),
    [
        ("stopped after two words", generation(speechlike(0.9)), "too short"),
        ("three times too long", generation(speechlike(17.0)), "too long"),
        ("nothing", generation(np.zeros(0)), "silent"),
        ("silence", generation(np.zeros(240_000)), "silent"),
        ("a hole", generation(SPOKEN[:96_000], noise(3.0, rms=0.0001), SPOKEN[96_000:]), "silence inside"),
        ("a noise after the words", generation(SPOKEN, noise(2.0)), "steady"),
        ("hiss after a pause", generation(SPOKEN, np.zeros(24_000), noise(1.8, rms=0.03)), "steady"),
        ("dull noise", generation(SPOKEN, np.convolve(noise(2.0), 0.95 ** np.arange(100), "same")), "steady"),
        ("a howl", generation(SPOKEN, howl(2.5)), "steady"),
        ("a tone", generation(SPOKEN, sine(1_000, level=0.1, seconds=1.6)), "steady"),
        ("a buzz", generation(SPOKEN, buzz(2.0)), "steady"),
        ("a fading tone", generation(SPOKEN, sine(300, seconds=2.0) * FADING), "steady"),
        ("a noise in front", generation(noise(2.0), SPOKEN), "steady"),
        ("overdriven", generation(np.clip(speechlike(5.0, rms=0.5), -0.8, 0.8)), "clipped"),
    ],
)  # fmt: skip
def test_each_fault_is_noticed(name: str, speech: SpeechSound, reason: str):
    assert reason in (defect_in(speech, TEXT) or ""), name


async def test_clipping_is_still_seen_after_levelling():
    overdriven = wav(np.clip(speechlike(5.0, rms=0.8), -1, 32_767 / 32_768))

    speech = await speech_from_wav(overdriven, text=TEXT)

    assert "clipped" in (await find_defect(speech, TEXT) or "")


@pytest.mark.parametrize(("text", "seconds"), [("Yes.", 0.2), ("Yes.", 1.6), ("好", 0.15), ("7", 1.0)])
def test_short_texts_have_room(text: str, seconds: float):
    assert defect_in(generation(speechlike(seconds)), text) is None


def test_a_single_word_that_goes_on_for_seconds_is_noticed():
    assert "too long" in (defect_in(generation(speechlike(3.5)), "Yes.") or "")


def test_silence_around_the_words_does_not_count_as_length():
    around = np.zeros(10 * 48_000)

    assert defect_in(generation(around, SPOKEN, around), TEXT) is None
    assert "too short" in (defect_in(generation(around, speechlike(0.8), around), TEXT) or "")


def test_a_natural_pause_is_no_fault():
    assert defect_in(generation(SPOKEN[:96_000], np.zeros(48_000), SPOKEN[96_000:]), TEXT) is None


def test_a_long_vowel_is_no_fault():
    vowel = np.asarray(sum(np.sin(np.arange(38_400) * 0.0157 * n) / n for n in range(1, 15)) * 0.1)

    assert defect_in(generation(SPOKEN, vowel), TEXT) is None


def test_one_reason_is_short_enough_for_a_log_line_and_holds_no_text():
    reason = defect_in(generation(speechlike(30.0)), TEXT) or ""

    assert 0 < len(reason) < 60
    assert "bicycle" not in reason


def test_clipping_is_measured_on_floats_before_levelling():
    clean = speechlike(2.0, rms=0.2)

    assert clipped_share(clean.astype(np.float32)) < 0.0005
    assert clipped_share(np.clip(clean, -0.3, 0.3).astype(np.float32)) > 0.02
    assert clipped_share(np.zeros(0, np.float32)) == 0


async def test_a_silent_wav_never_becomes_a_generation():
    with pytest.raises(AudioError):
        await speech_from_wav(wav(np.zeros(48_000)), text=TEXT)

"""Levels of speech whose end is not known yet: one loudness, no peaks, no offset, no clicks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bot.audio.live_gain import REMEMBERED_TAKES, STEP_SAMPLES, GainMemory, KnownGain, Leveller, Limiter
from bot.audio.loudness import SPEECH_LUFS, loudness
from bot.errors import AudioError
from tests.audio.handmade import Wave, sine, speechlike, tone_level, wav
from tests.audio.streaming import samples_of, streamed

LEVELS = (-40, -30, -20, -10, -5)
PEAK_LIMIT = 10 ** (-1 / 20)


def at_lufs(wave: Wave, lufs: float) -> Wave:
    """Return ``wave`` at this loudness, cut off at full scale as a file must be."""
    loud = wave * 10 ** ((lufs - loudness(wave.astype(np.float32), full_scale=1.0)) / 20)
    return np.clip(loud, -1, 1)


async def levelled(wave: Wave, gains: GainMemory | None = None) -> Wave:
    result, _ = await streamed(wav(wave), gains=gains or GainMemory())
    return samples_of(result.speech)


def error_of(heard: Wave) -> float:
    return loudness(heard.astype(np.float32), full_scale=1.0) - SPEECH_LUFS


@pytest.mark.parametrize("lufs", LEVELS)
@pytest.mark.parametrize("seconds", [1.0, 3.0, 12.0])
async def test_the_very_first_generation_comes_near_the_loudness_of_all(lufs: float, seconds: float):
    heard = await levelled(at_lufs(speechlike(seconds), lufs))

    assert abs(error_of(heard)) <= 2
    assert np.abs(heard).max() <= PEAK_LIMIT


@pytest.mark.parametrize("lufs", LEVELS)
@pytest.mark.parametrize("seconds", [0.5, 1.0, 3.0, 12.0])
async def test_the_next_generation_has_it_from_its_first_word(lufs: float, seconds: float):
    first, _ = await streamed(wav(at_lufs(speechlike(3.0, seed=1), lufs)))

    heard = await levelled(at_lufs(speechlike(seconds, seed=2), lufs), first.gains)

    assert abs(error_of(heard)) <= 1
    assert abs(error_of(heard[: len(heard) // 2])) <= 2.5


async def test_a_voice_that_is_suddenly_much_louder_startles_nobody():
    quiet = GainMemory((20.0,) * REMEMBERED_TAKES)

    heard = await levelled(at_lufs(speechlike(3.0), -5), quiet)

    loudest = max(error_of(heard[start : start + 4_800]) for start in range(0, len(heard), 4_800))
    assert loudest <= 12
    assert abs(error_of(heard[48_000:])) <= 2


async def test_a_whisper_before_the_words_is_not_blown_up():
    breath = np.random.default_rng(3).normal(0, 0.0015, 24_000)

    heard = await levelled(np.concatenate([breath, at_lufs(speechlike(3.0), -20)]))

    assert error_of(heard[:24_000]) <= -10
    assert abs(error_of(heard)) <= 2


async def test_a_constant_offset_is_removed():
    heard = await levelled(sine(440, level=0.2, seconds=1.0) + 0.5)

    assert abs(heard.mean()) < 0.001
    assert np.abs(heard).max() <= PEAK_LIMIT


async def test_a_constant_alone_is_silence():
    with pytest.raises(AudioError, match="silent"):
        await levelled(np.full(48_000, 0.5))


async def test_both_ends_are_faded():
    heard = await levelled(np.sign(sine(440, seconds=1.0)))
    loud = np.abs(heard[24_000:26_400]).max()

    assert np.abs(heard[:24]).max() < 0.01 * loud
    assert np.abs(heard[-24:]).max() < 0.01 * loud
    assert np.abs(heard[480:960]).max() > 0.5 * loud


async def test_a_gain_that_is_known_leaves_the_sound_as_it_is():
    wave = at_lufs(sine(440, level=0.1, seconds=2.0), SPEECH_LUFS)

    heard = await levelled(wave, GainMemory((0.0,) * REMEMBERED_TAKES))

    level = tone_level(heard[4_800:-4_800], 440, 48_000)
    assert level == pytest.approx(tone_level(wave[4_800:-4_800], 440, 48_000), rel=0.02)
    assert np.square(heard[4_800:-4_800]).mean() - level**2 / 2 < 1e-6


def test_the_limiter_lowers_a_peak_before_it_comes_and_lets_go_slowly():
    wave = np.full(9_600, 0.5, np.float32)
    wave[4_800] = 2.0

    limiter = Limiter(0.9)
    heard = np.concatenate([limiter.feed(wave), limiter.finish()])

    assert len(heard) == len(wave)
    assert heard.max() == pytest.approx(0.9, rel=0.06)
    assert heard.max() <= 0.9
    assert np.array_equal(heard[:4_500], wave[:4_500])
    assert np.abs(np.diff(heard[:4_799])).max() < 0.01
    assert heard[5_500] < 0.5


def test_nothing_passes_the_limiter_however_it_comes():
    random = np.random.default_rng(5)
    wave = (
        random.normal(0, 0.5, STEP_SAMPLES * 2_000) * np.repeat(random.choice([0.1, 1, 6], 200), 240)
    ).astype(np.float32)
    limiter, parts, start = Limiter(0.9), [], 0
    while start < len(wave):
        size = STEP_SAMPLES * int(random.integers(0, 100))
        parts.append(limiter.feed(wave[start : start + size]))
        start += size

    heard = np.concatenate([*parts, limiter.finish()])

    assert len(heard) == len(wave)
    assert np.abs(heard).max() <= 0.9001
    whole = Limiter(0.9)
    assert np.allclose(heard, np.concatenate([whole.feed(wave), whole.finish()]), atol=1e-6)


@pytest.mark.parametrize("length", [0, 1, 479, 480, 481, 1_000, 4_801])
def test_what_comes_out_is_as_long_as_what_went_in(length: int):
    leveller = Leveller(KnownGain())

    samples = [leveller.feed(np.full(length, 0.1, np.float32)), leveller.finish()]

    assert sum(map(len, samples)) == length


def test_the_memory_is_bounded_and_one_odd_generation_does_not_count():
    memory = GainMemory()
    for _ in range(50):
        memory = memory.with_generation(3.0)
    memory = memory.with_generation(-12.0)

    assert len(memory.takes) == REMEMBERED_TAKES
    assert memory.known().decibels == 3.0
    assert memory.known().seconds < GainMemory((3.0,) * REMEMBERED_TAKES).known().seconds
    assert KnownGain() == GainMemory().known()


async def test_a_generation_adds_the_gain_that_it_needed():
    result, _ = await streamed(wav(at_lufs(speechlike(3.0), -30)), gains=GainMemory((1.0,)))

    assert len(result.gains.takes) == 2
    assert result.gains.takes[-1] == pytest.approx(SPEECH_LUFS + 30, abs=0.3)
    assert not math.isnan(result.gains.known().decibels)

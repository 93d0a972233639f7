"""Speech made from a WAV: the right length and pitch, safe to hear, never silent or endless."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from numpy.typing import NDArray

from bot import limits
from bot.audio.loudness import SPEECH_LUFS, loudness
from bot.audio.sound import SpeechSound
from bot.audio.stream import plausible_seconds, speech_from_wav
from bot.errors import AudioError
from tests.audio.handmade import Wave, chunk, fmt, riff, sine, speechlike, tone_level, wav

TEXT = "A sentence of some length, as people say it."
PEAK_LIMIT = 0.891
RMS_LIMIT_DB = -16.0


def samples_of(speech: SpeechSound) -> NDArray[np.float64]:
    return np.frombuffer(speech.pcm, "<i2") / 32_768


def lufs_of(wave: NDArray[np.float64]) -> float:
    return loudness(wave.astype(np.float32), full_scale=1.0)


def decibels(wave: Wave) -> float:
    return 10 * math.log10(np.square(wave).mean())


async def levelled(wave: Wave) -> NDArray[np.float64]:
    return samples_of(await speech_from_wav(wav(wave), text=TEXT))


@pytest.mark.parametrize(
    "wave",
    [
        np.sign(sine(440, seconds=1.0)),
        sine(440, level=1.0, seconds=1.0),
        np.random.default_rng(1).uniform(-1, 1, 48_000),
        np.concatenate([sine(440, level=1.0, seconds=0.5), np.zeros(5 * 48_000)]),
        speechlike(2.0, rms=0.4),
    ],
    ids=["square", "sine", "noise", "a shout, then a long pause", "loud speech"],
)
async def test_nothing_is_louder_than_ears_can_bear(wave: Wave):
    heard = await levelled(wave)

    assert np.abs(heard).max() <= PEAK_LIMIT
    assert decibels(heard) <= RMS_LIMIT_DB


async def test_a_long_pause_does_not_hide_how_loud_the_words_are():
    shout = sine(440, level=1.0, seconds=0.5)

    heard = await levelled(np.concatenate([shout, np.zeros(5 * 48_000)]))

    assert decibels(heard[: len(shout)]) <= RMS_LIMIT_DB + 0.05


async def test_a_single_peak_does_not_make_the_rest_quiet():
    wave = sine(440, level=0.1, seconds=1.0)
    wave[24_000] = 0.999  # a click: the loudness is low, only the peak is too high

    heard = await levelled(wave)

    assert np.abs(heard).max() <= PEAK_LIMIT
    assert lufs_of(heard) == pytest.approx(SPEECH_LUFS, abs=1)


async def test_a_constant_offset_is_removed():
    heard = await levelled(sine(440, level=0.2, seconds=1.0) + 0.5)

    assert abs(heard.mean()) < 0.001


@pytest.mark.parametrize("rms", [0.006, 0.03, 0.1, 0.3])
async def test_speech_of_any_level_comes_out_at_one_loudness(rms: float):
    heard = await levelled(speechlike(2.0, rms=rms))

    assert lufs_of(heard) == pytest.approx(SPEECH_LUFS, abs=1)


async def test_noise_is_not_lifted_until_it_is_the_sound():
    heard = await levelled(np.random.default_rng(1).normal(0, 0.0012, 48_000))

    assert decibels(heard) == pytest.approx(20 * math.log10(0.0012) + 30, abs=0.5)


@pytest.mark.parametrize(
    "wave",
    [
        np.zeros(48_000),
        np.full(48_000, 0.5),
        sine(440, level=0.0005, seconds=1.0),
        np.random.default_rng(1).normal(0, 0.0005, 48_000),
    ],
    ids=["zeros", "a constant", "a tone nobody hears", "noise nobody hears"],
)
async def test_silence_is_refused(wave: Wave):
    with pytest.raises(AudioError, match="silent"):
        await speech_from_wav(wav(wave), text=TEXT)


async def test_both_ends_are_faded_in_ten_milliseconds():
    heard = await levelled(np.where(sine(440, seconds=1.0) < 0, -1.0, 1.0))
    loud = np.abs(heard[24_000])
    ramp = loud * np.arange(480) / 480

    assert np.abs(np.abs(heard[:480]) - ramp).max() < 0.01 * loud
    assert np.abs(np.abs(heard[::-1][:480]) - ramp).max() < 0.01 * loud
    assert np.abs(np.abs(heard[480:-480]) - loud).max() < 0.01 * loud


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000, 192_000])
async def test_resampling_keeps_pitch_level_and_length(rate: int):
    wave = sine(1_000, level=0.18, seconds=1.0, rate=rate)

    heard = samples_of(await speech_from_wav(wav(wave, rate=rate), text=TEXT))

    assert len(heard) == pytest.approx(48_000, abs=2)
    middle = heard[4_800:-4_800]
    level = tone_level(middle, 1_000, 48_000)
    assert 20 * math.log10(level) == pytest.approx(SPEECH_LUFS + 3.01, abs=0.1)
    rest = np.square(middle).mean() - level**2 / 2
    assert rest < 1e-5  # nothing but that tone


async def test_resampling_does_not_shift_the_sound():
    wave = np.zeros(24_000)
    wave[12_000:12_240] = sine(1_000, seconds=0.01, rate=24_000)

    heard = samples_of(await speech_from_wav(wav(wave, rate=24_000), text=TEXT))

    loud = np.flatnonzero(np.abs(heard) > 0.1 * np.abs(heard).max())
    assert loud[0] == pytest.approx(24_000, abs=24)
    assert loud[-1] == pytest.approx(24_480, abs=24)


@pytest.mark.parametrize("wave", [np.zeros(0), sine(440, seconds=1 / 48_000), sine(440, seconds=0.049)])
async def test_a_sound_too_short_for_a_word_is_refused(wave: Wave):
    with pytest.raises(AudioError, match="only"):
        await speech_from_wav(wav(wave), text="a")


async def test_the_shortest_word_is_accepted():
    speech = await speech_from_wav(wav(sine(440, seconds=0.05)), text="a")

    assert speech.seconds == pytest.approx(0.05)


async def test_a_sound_far_too_long_for_its_text_is_refused():
    data = wav(np.tile(sine(440, seconds=1.0), 8))

    accepted = await speech_from_wav(data, text="1234567")

    assert accepted.seconds == 8.0
    with pytest.raises(AudioError, match="at most"):
        await speech_from_wav(data, text="12345")


def test_no_text_is_long_enough_for_more_than_the_longest_utterance():
    assert plausible_seconds("x" * 10_000) == limits.MAX_AUDIO_SECONDS


async def test_three_hours_of_silence_are_refused_before_they_are_converted():
    data = riff(fmt(bits=8, rate=8_000), chunk(b"data", bytes(3 * 3_600 * 8_000)))

    start = time.process_time()
    with pytest.raises(AudioError, match=r"10800\.0 s"):
        await speech_from_wav(data, text="x" * 500)
    refused = time.process_time() - start

    assert refused < 0.1  # the samples alone would take longer to touch


async def test_bytes_that_are_no_wav_are_refused():
    with pytest.raises(AudioError):
        await speech_from_wav(b"<html>", text=TEXT)

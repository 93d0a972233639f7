"""Loudness against the values the recommendation gives, and speech brought to one level."""

from __future__ import annotations

import math
import time

import av
import numpy as np
import pytest

from bot.audio.loudness import SPEECH_LUFS, brought_to, loudness, speech_loudness
from bot.audio.sound import SpeechSound
from bot.errors import AudioError
from tests.audio.handmade import Wave, pcm16, sine, speechlike, tone_level

PEAK_LIMIT = 10 ** (-1 / 20)


def lufs(wave: Wave) -> float:
    return loudness(wave.astype(np.float32), full_scale=1.0)


def samples_of(speech: SpeechSound) -> Wave:
    return np.frombuffer(speech.pcm, "<i2") / 32_768


def ffmpeg_lufs(wave: Wave) -> float:
    """Return what ffmpeg's own meter says."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=48_000, format="s16", layout="mono")
    meter, sink = graph.add("ebur128", "metadata=1:framelog=quiet"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(
        np.frombuffer(pcm16(wave), "<i2").reshape(1, -1), format="s16", layout="mono"
    )
    frame.sample_rate, frame.pts = 48_000, 0
    graph.push(frame)
    graph.push(None)
    reading = math.nan
    while True:
        try:
            reading = float(graph.pull().metadata.get("lavfi.r128.I", reading))
        except av.error.EOFError:
            return reading


@pytest.mark.parametrize(("dbfs", "expected"), [(0, -3.01), (-20, -23.01), (-40, -43.01)])
def test_a_sine_of_997_hz_reads_what_the_recommendation_says(dbfs: float, expected: float):
    assert lufs(sine(997, level=10 ** (dbfs / 20), seconds=20)) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("frequency", [60, 100, 500, 2_000, 6_000, 15_000])
def test_every_frequency_weighs_as_much_as_in_ffmpegs_meter(frequency: float):
    wave = sine(frequency, level=0.3, seconds=10)

    assert lufs(wave) == pytest.approx(ffmpeg_lufs(wave), abs=0.02)


@pytest.mark.parametrize(
    "wave",
    [
        speechlike(12.0, rms=0.05),
        np.concatenate([speechlike(4.0, rms=0.2), np.zeros(240_000), speechlike(4.0, rms=0.02)]),
        np.random.default_rng(3).normal(0, 0.05, 5 * 48_000 + 1_234),
        np.concatenate([sine(997, level=0.0001, seconds=8), sine(997, level=0.5, seconds=4)]),
    ],
    ids=["speech", "loud and quiet with a pause", "noise", "mostly below the gate"],
)
def test_gating_is_that_of_ffmpegs_meter(wave: Wave):
    assert lufs(wave) == pytest.approx(ffmpeg_lufs(wave), abs=0.1)


def test_pauses_do_not_make_speech_quieter():
    spoken = speechlike(5.0)

    assert lufs(np.concatenate([spoken, np.zeros(480_000)])) == pytest.approx(lufs(spoken), abs=0.2)


@pytest.mark.parametrize("seconds", [0.05, 0.2, 0.39, 0.4, 0.41, 0.95])
def test_a_sound_shorter_than_a_gating_block_is_measured_too(seconds: float):
    assert lufs(sine(997, level=0.1, seconds=seconds)) == pytest.approx(-23.01, abs=0.3)


@pytest.mark.parametrize("wave", [np.zeros(0), np.zeros(48_000), sine(997, level=1e-5, seconds=2)])
def test_silence_has_no_loudness(wave: Wave):
    assert lufs(wave) == -math.inf


async def test_integers_and_floats_are_measured_alike():
    wave = speechlike(3.0)

    assert await speech_loudness(SpeechSound(pcm16(wave))) == pytest.approx(lufs(wave), abs=0.01)


@pytest.mark.slow
def test_a_minute_is_measured_in_a_thousandth_of_it():
    samples = np.frombuffer(pcm16(speechlike(60.0)), "<i2")
    times = []
    for _ in range(7):
        started = time.process_time()
        loudness(samples)
        times.append(time.process_time() - started)

    assert min(times) < 0.3  # 25 ms on a free core; an IIR filter in Python takes seconds


@pytest.mark.parametrize("rms", [0.003, 0.03, 0.1, 0.3])
@pytest.mark.parametrize("seconds", [0.5, 3.0])
async def test_speech_of_any_level_is_brought_to_one_loudness(rms: float, seconds: float):
    speech = await brought_to(SpeechSound(pcm16(speechlike(seconds, rms=rms))))

    assert await speech_loudness(speech) == pytest.approx(SPEECH_LUFS, abs=0.3)
    assert np.abs(samples_of(speech)).max() <= PEAK_LIMIT


def bursts() -> Wave:
    wave = speechlike(6.0, rms=0.02)
    wave[::4_800] *= 20
    return wave


@pytest.mark.parametrize(
    "wave",
    [
        bursts(),
        np.sign(sine(440, seconds=2.0)),
        np.random.default_rng(1).uniform(-1, 1, 96_000),
        np.concatenate(
            [sine(440, level=1.0, seconds=0.5), np.zeros(96_000), sine(440, level=0.1, seconds=2.0)]
        ),
    ],
    ids=["peaks far above the rest", "square", "noise", "a shout"],
)
@pytest.mark.parametrize("target", [-20.0, -14.0])
async def test_whatever_the_sound_no_peak_is_too_high_and_the_loudness_is_right(wave: Wave, target: float):
    speech = await brought_to(SpeechSound(pcm16(wave)), target)

    assert np.abs(samples_of(speech)).max() <= PEAK_LIMIT
    assert await speech_loudness(speech) == pytest.approx(target, abs=1.0)


async def test_where_no_peak_is_too_high_only_the_gain_changes():
    wave = speechlike(3.0, rms=0.03)

    heard = samples_of(await brought_to(SpeechSound(pcm16(wave))))

    gain = np.dot(heard, wave) / np.dot(wave, wave)
    assert np.abs(heard - gain * wave).max() < 1e-4 * gain


async def test_peaks_are_turned_down_and_not_cut_off():
    wave = sine(440, level=0.1, seconds=3.0)
    wave[72_000:74_400] = sine(440, level=1.0, seconds=0.05)

    heard = samples_of(await brought_to(SpeechSound(pcm16(wave)), -17.0))
    loud = heard[72_480:73_920]

    assert 0.7 < np.abs(loud).max() <= PEAK_LIMIT
    clean = tone_level(loud, 440, 48_000) ** 2 / 2
    assert np.square(loud).mean() - clean < 0.001 * clean  # a cut-off sine has overtones


async def test_far_from_a_peak_nothing_is_turned_down():
    wave = sine(440, level=0.1, seconds=3.0)
    wave[72_000] = 1.0

    heard = samples_of(await brought_to(SpeechSound(pcm16(wave)), -17.0))

    steady = [tone_level(heard[a : a + 4_800], 440, 48_000) for a in (48_000, 66_000, 73_000, 96_000)]
    assert max(steady) / min(steady) < 1.001


async def test_what_is_silent_cannot_be_brought_up():
    with pytest.raises(AudioError, match="silent"):
        await brought_to(SpeechSound(bytes(96_000)))

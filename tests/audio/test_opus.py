"""Opus frames: 20 ms each, and nothing lost at either end."""

from __future__ import annotations

import math
import os

import av
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from bot.audio.opus import (
    BITRATE,
    FRAME_SAMPLES,
    LOOKAHEAD_SAMPLES,
    SILENCE_FRAME,
    OpusEncoder,
    is_20_ms,
    opus_frames,
)
from bot.audio.sound import Resampler, SpeechSound
from bot.models import FRAME_SECONDS
from tests.audio.handmade import pcm16, sine, speechlike


def decoded(frames: tuple[bytes, ...]) -> NDArray[np.float64]:
    """Return what a listener hears, from the first packet on, full scale at 1.0."""
    decoder = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = 48_000, "mono"
    heard = [part.to_ndarray()[0] for frame in frames for part in decoder.decode(av.Packet(frame))]
    return np.concatenate(heard) / 32_768


def likeness(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.corrcoef(one, other)[0, 1])


@pytest.mark.parametrize(
    "samples", [1, 480, 647, 648, 649, 959, 960, 961, 4_800, 47_999, 48_000, 48_001, 96_100]
)
async def test_every_frame_lasts_20_ms_and_there_are_as_many_as_the_sound_needs(samples: int):
    wave = sine(440, seconds=3.0)[:samples]

    frames = await opus_frames(SpeechSound(pcm16(wave)))

    assert all(is_20_ms(frame) for frame in frames)
    assert len(frames) == math.ceil((samples + LOOKAHEAD_SAMPLES) / FRAME_SAMPLES)
    assert len(frames) - math.ceil(samples / FRAME_SAMPLES) in (0, 1)
    assert len(decoded(frames)) == len(frames) * FRAME_SAMPLES


async def test_what_is_heard_is_what_was_said():
    wave = speechlike(5.0)

    heard = decoded(await opus_frames(SpeechSound(pcm16(wave))))

    assert likeness(heard[LOOKAHEAD_SAMPLES : LOOKAHEAD_SAMPLES + len(wave)], wave) >= 0.98


async def test_the_sound_comes_a_few_milliseconds_late_and_no_more():
    wave = speechlike(2.0)
    heard = decoded(await opus_frames(SpeechSound(pcm16(wave))))

    lags = range(960)
    best = max(lags, key=lambda lag: float(heard[lag : lag + 48_000] @ wave[:48_000]))

    assert best == pytest.approx(LOOKAHEAD_SAMPLES, abs=5)


@pytest.mark.parametrize("samples", [48_000, 48_300, 48_648, 48_959])
async def test_the_first_and_the_last_20_ms_are_heard(samples: int):
    wave = sine(523, level=0.3, seconds=2.0)[:samples]

    heard = decoded(await opus_frames(SpeechSound(pcm16(wave))))

    aligned = heard[LOOKAHEAD_SAMPLES : LOOKAHEAD_SAMPLES + samples]
    for part in (slice(0, 960), slice(-960, None)):
        assert likeness(aligned[part], wave[part]) >= 0.98
        assert np.square(aligned[part]).mean() == pytest.approx(np.square(wave[part]).mean(), rel=0.2)


async def test_no_speech_is_no_frames():
    assert await opus_frames(SpeechSound(b"")) == ()


async def test_the_frames_keep_to_the_bitrate():
    speech = SpeechSound(pcm16(speechlike(5.0)))

    frames = await opus_frames(speech)

    assert sum(map(len, frames)) * 8 / (len(frames) * FRAME_SECONDS) <= BITRATE * 1.2
    assert max(map(len, frames)) <= 1_000  # one voice packet must fit into one datagram


async def test_the_silence_frame_is_20_ms_of_silence():
    assert is_20_ms(SILENCE_FRAME)
    assert not decoded((SILENCE_FRAME,) * 5).any()


@pytest.mark.parametrize("config", range(32))
def test_the_length_of_a_frame_is_read_from_its_first_byte(config: int):
    silk, hybrid, celt = [10, 20, 40, 60] * 3, [10, 20] * 2, [2.5, 5, 10, 20] * 4
    milliseconds = [*silk, *hybrid, *celt][config]

    assert is_20_ms(bytes([config << 3])) == (milliseconds == 20)
    assert is_20_ms(bytes([config << 3 | 4])) == (milliseconds == 20)  # the stereo bit
    for several_frames in (1, 2, 3):
        assert not is_20_ms(bytes([config << 3 | several_frames]))


def test_an_empty_speech_has_no_frame():
    assert not is_20_ms(b"")


async def test_loud_and_busy_sound_takes_no_more_than_the_bitrate_says():
    wave = np.clip(speechlike(10.0) * 4 + np.random.default_rng(1).normal(0, 0.1, 480_000), -1, 1)

    frames = await opus_frames(SpeechSound(pcm16(wave)))

    bits = 8 * sum(map(len, frames)) / (len(frames) * FRAME_SECONDS)
    assert bits <= 1.05 * BITRATE


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system shows all cores to everybody")
def test_encoders_and_resamplers_bring_no_threads_of_their_own():
    cores, threads = os.sched_getaffinity(0), psutil.Process().num_threads()
    samples = np.zeros(48_000, np.int16)

    encoders, resamplers = [OpusEncoder() for _ in range(5)], [Resampler(24_000) for _ in range(5)]
    for encoder in encoders:
        assert len(encoder.feed(samples)) > 40
    for resampler in resamplers:
        assert len(resampler.feed(samples)) > 90_000

    assert psutil.Process().num_threads() == threads
    assert os.sched_getaffinity(0) == cores

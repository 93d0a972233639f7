"""Every sample form we accept, decoded back to the sine that was put in."""

from __future__ import annotations

import numpy as np
import pytest

from bot.audio.wav import parse_wav
from tests.audio.handmade import FLOAT_GUID, PCM_GUID, chunk, encoded, fmt, riff, sine, tone_level

FORMS = [(8, False), (16, False), (24, False), (32, False), (32, True), (64, True)]
RATES = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000]


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 6, 8])
@pytest.mark.parametrize(("bits", "is_float"), FORMS)
def test_a_sine_comes_out_of_every_form_as_it_went_in(
    bits: int, is_float: bool, channels: int, extensible: bool
):
    wave = sine(level=0.8)
    body = encoded(np.repeat(wave, channels), bits=bits, is_float=is_float)
    guid = (FLOAT_GUID if is_float else PCM_GUID) if extensible else None
    tag = 0xFFFE if extensible else 3 if is_float else 1

    sound = parse_wav(riff(fmt(tag=tag, channels=channels, bits=bits, guid=guid), chunk(b"data", body)))

    step = 1 / 128 if bits == 8 else 1 / 32_768
    assert (sound.rate, sound.channels, len(sound.samples)) == (48_000, channels, len(wave))
    assert np.abs(sound.samples / 32_768 - wave).max() <= step


@pytest.mark.parametrize("rate", RATES)
def test_every_rate_is_read(rate: int):
    wave = sine(1_000, level=0.25, rate=rate)

    sound = parse_wav(riff(fmt(rate=rate), chunk(b"data", encoded(wave, bits=16))))

    assert sound.rate == rate
    assert sound.seconds == pytest.approx(0.1, abs=0.001)
    assert tone_level(sound.samples / 32_768, 1_000, rate) == pytest.approx(0.25, rel=0.001)


def test_channels_are_mixed_with_equal_weight():
    left, right = sine(440, level=0.6), sine(1_000, level=0.4)
    body = encoded(np.stack([left, right], axis=1).ravel(), bits=16)

    samples = parse_wav(riff(fmt(channels=2), chunk(b"data", body))).samples / 32_768

    assert tone_level(samples, 440, 48_000) == pytest.approx(0.3, abs=0.001)
    assert tone_level(samples, 1_000, 48_000) == pytest.approx(0.2, abs=0.001)


@pytest.mark.parametrize(("bits", "is_float"), FORMS)
def test_full_scale_does_not_wrap_around(bits: int, is_float: bool):
    wave = np.array([1.0, -1.0, 1.0, -1.0])
    tag = 3 if is_float else 1
    body = encoded(wave, bits=bits, is_float=is_float)

    sound = parse_wav(riff(fmt(tag=tag, bits=bits), chunk(b"data", body)))

    assert (np.sign(sound.samples) == np.sign(wave)).all()
    assert np.abs(sound.samples.astype(int)).min() >= 32_512


def test_floats_beyond_full_scale_are_cut_and_not_a_number_is_silence():
    values = np.array([1e300, -1e300, np.nan, np.inf, -np.inf, 1e-320])

    sound = parse_wav(riff(fmt(tag=3, bits=64), chunk(b"data", values.tobytes())))

    assert sound.samples.tolist() == [32_767, -32_768, 0, 0, 0, 0]


def test_a_sound_of_many_blocks_is_joined_without_a_seam():
    wave = sine(100, seconds=3.0)

    sound = parse_wav(riff(fmt(bits=24), chunk(b"data", encoded(wave, bits=24))))

    assert len(sound.samples) == len(wave)
    assert np.abs(sound.samples / 32_768 - wave).max() <= 1 / 32_768

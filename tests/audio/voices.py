"""Real speech for tests: the rehearsal's synthetic voices, and ways to spoil a recording of them."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from bot.audio.loudness import loudness
from bot.audio.sound import SpeechSound
from rehearsal.recordings import RECORDINGS
from tests.audio.reading import read

Wave = NDArray[np.float64]
RATE = 48_000


@cache
def voice(name: str) -> Wave:
    """Return what one of the rehearsal's voices says: 5 to 8 s at 48 kHz, full scale at 1."""
    (recording,) = [recording for recording in RECORDINGS if recording.name == name]
    samples = read(recording.path.read_bytes()).samples
    samples.flags.writeable = False
    return samples


MAN, CHILD, WOMAN = voice("harbour-master"), voice("little-sister"), voice("night-nurse")


def speech(wave: Wave) -> SpeechSound:
    return SpeechSound(np.rint(np.clip(wave, -1, 1) * 32_767).astype("<i2").tobytes())


def silence(seconds: float) -> Wave:
    return np.zeros(round(seconds * RATE))


def breath(seconds: float, *, dbfs: float = -70.0) -> Wave:
    """Return the soft noise of a quiet room."""
    return np.random.default_rng(5).normal(0, 10 ** (dbfs / 20), round(seconds * RATE))


def times(wave: Wave, decibels: float) -> Wave:
    return wave * 10 ** (decibels / 20)


def with_noise(wave: Wave, snr: float) -> Wave:
    """Return ``wave`` with white noise so many decibels below its own power."""
    power = np.square(wave).mean()
    return wave + np.random.default_rng(3).normal(0, np.sqrt(power) * 10 ** (-snr / 20), len(wave))


def clipped(wave: Wave, decibels: float) -> Wave:
    """Return ``wave`` turned up until its peaks are cut off by so many decibels."""
    return np.clip(times(wave / np.abs(wave).max(), decibels), -1, 1)


def stereo(left: Wave, right: Wave) -> Wave:
    length = max(len(left), len(right))
    return np.stack([np.pad(side, (0, length - len(side))) for side in (left, right)], axis=1)


def lufs(wave: Wave) -> float:
    return loudness(wave.astype(np.float32), full_scale=1.0)


def likeness(one: Wave, other: Wave) -> float:
    """Return how far the two are one recording, shifted by up to half a second: 1 for the same."""
    size = 1 << (len(one) + len(other)).bit_length()
    cross = np.fft.irfft(np.fft.rfft(one, size) * np.conj(np.fft.rfft(other, size)), size)
    near = np.concatenate([cross[: RATE // 2], cross[-RATE // 2 :]])
    return float(np.abs(near).max() / np.sqrt(np.square(one).sum() * np.square(other).sum()))

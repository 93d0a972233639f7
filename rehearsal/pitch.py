"""How high a voice is: enough to tell by ear which of two people speaks."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rehearsal.likeness import RATE

_LOWEST_HZ: Final = 60
_HIGHEST_HZ: Final = 500
"""From a deep man to a small child."""

_THINNING: Final = 6  # 8,000 samples a second are enough for a pitch
_WINDOW: Final = 400  # of those: 50 ms, three periods of the deepest voice
_VOICED: Final = 0.6  # of a frame's power comes back one period later, where there is a pitch at all
_LOUD: Final = 0.1  # of the loudest frame: between the words there is none


def pitch_of(pcm: bytes) -> float:
    """Return the median pitch of somebody speaking, in Hz; 0.0 where nobody does.

    ``pcm`` is 48 kHz mono 16-bit. Good to about a semitone, which is nothing between two people.
    """
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    thinned = samples[: len(samples) // _THINNING * _THINNING].reshape(-1, _THINNING).mean(axis=1)
    frames = thinned[: len(thinned) // _WINDOW * _WINDOW].reshape(-1, _WINDOW)
    if not len(frames):
        return 0.0
    frames = frames - frames.mean(axis=1, keepdims=True)
    loudness = np.sqrt(np.square(frames).mean(axis=1))
    found = [_pitch(frame) for frame in frames[loudness > _LOUD * loudness.max()]]
    pitches = [pitch for pitch in found if pitch]
    return float(np.median(pitches)) if pitches else 0.0


def semitones(one: float, other: float) -> float:
    """Return how far apart two pitches in Hz are; infinite where one is none."""
    return float(abs(12 * np.log2(one / other))) if one and other else float("inf")


def halves(pcm: bytes) -> tuple[bytes, bytes]:
    """Return what was said before and after the middle; ``pcm`` is 16-bit mono."""
    middle = len(pcm) // 4 * 2
    return pcm[:middle], pcm[middle:]


def _pitch(frame: NDArray[np.float64]) -> float:
    """Return the pitch of one frame; 0.0 where it has none."""
    rate = RATE // _THINNING
    shortest, longest = rate // _HIGHEST_HZ, rate // _LOWEST_HZ
    spectrum = np.abs(np.fft.rfft(frame, 2 * len(frame))) ** 2
    likeness = np.fft.irfft(spectrum)[: longest + 2]
    likeness /= (likeness[0] or 1.0) * (1 - np.arange(len(likeness)) / len(frame))
    best = likeness[shortest : longest + 1].max()
    if best < _VOICED:
        return 0.0
    peaks = [
        lag
        for lag in range(shortest, longest + 1)
        if likeness[lag] >= max(likeness[lag - 1], likeness[lag + 1], 0.85 * best)
    ]
    return rate / peaks[0] if peaks else 0.0  # a later one is the same period twice

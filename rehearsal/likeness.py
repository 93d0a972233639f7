"""Likeness of two sounds: what was made, and what a listener heard; and how high a voice is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE: Final = 48_000
"""Samples a second of every sound here: mono, 16-bit little-endian."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """``correlation`` (-1..1) of the made sound with what was heard ``delay`` seconds into the recording.

    ``complete`` is whether the recording reaches from its first to its last sample.
    """

    correlation: float
    delay: float
    complete: bool


_QUIETEST: Final = 0.01  # of the power of what was made: less is not compared with it


def likeness(made: bytes, heard: bytes) -> Likeness:
    """Return how alike ``heard`` is to ``made``, at the delay where it is most alike.

    The correlation is Pearson's over the whole length of ``made``, so that a missing piece lowers it.
    """
    wanted, found = _samples(made), _samples(heard)
    size = 1 << (len(wanted) + len(found)).bit_length()
    spectrum = np.fft.rfft(found, size) * np.conj(np.fft.rfft(wanted, size))
    lags = np.arange(1 - len(wanted), len(found))
    products = np.fft.irfft(spectrum, size)[lags]  # negative lags stand at the end
    # by itself a louder sound elsewhere has the larger product
    power = np.concatenate([[0.0], np.cumsum(found**2)])
    there = power[np.minimum(lags + len(wanted), len(found))] - power[np.maximum(lags, 0)]
    least = max(_QUIETEST * float(wanted @ wanted), np.finfo(float).tiny)
    lag = int(lags[np.argmax(products / np.sqrt(np.maximum(there, least)))])
    piece = np.zeros_like(wanted)
    start, end = max(lag, 0), min(lag + len(wanted), len(found))
    if end > start:
        piece[start - lag : end - lag] = found[start:end]
    norm = float(np.linalg.norm(wanted) * np.linalg.norm(piece))
    correlation = float(wanted @ piece) / norm if norm else 0.0
    return Likeness(correlation, lag / RATE, lag >= 0 and lag + len(wanted) <= len(found))


def _samples(pcm: bytes) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float64)
    return samples - samples.mean() if len(samples) else np.zeros(1)


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

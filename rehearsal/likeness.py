"""How alike two sounds are: what was made, and what a listener heard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

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


def likeness(made: bytes, heard: bytes) -> Likeness:
    """Return how alike ``heard`` is to ``made``, at the delay where it is most alike.

    The correlation is Pearson's over the whole length of ``made``, so that a missing piece lowers it.
    """
    wanted, found = _samples(made), _samples(heard)
    size = 1 << (len(wanted) + len(found)).bit_length()
    spectrum = np.fft.rfft(found, size) * np.conj(np.fft.rfft(wanted, size))
    products = np.fft.irfft(spectrum, size)
    lag = int(np.argmax(products))
    if lag > size - len(wanted):
        lag -= size
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

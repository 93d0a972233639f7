"""A second opinion on voices, with other means than the fit's: used to recognise a speaker.

The fit measures autocorrelation pitch and 48-band spectra at 22.05 kHz. Here it is pitch by cepstrum, and
mel-cepstral means, at 16 kHz.
"""

from __future__ import annotations

import io
import wave
from typing import Final

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

RATE: Final = 16_000
_FRAME, _HOP, _FFT = 512, 160, 1024
_FILTERS, _COEFFICIENTS = 26, 13


def wav_samples(wav: bytes, *, rate: int) -> npt.NDArray[np.float32]:
    """Return a 48 kHz mono 16-bit WAV as samples at ``rate`` (a whole number of Hz below 48 000)."""
    with wave.open(io.BytesIO(wav)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32_768
        divisor = int(np.gcd(rate, file.getframerate()))
        up, down = rate // divisor, file.getframerate() // divisor
    blocks = len(pcm) // down
    spectrum = np.fft.rfft(pcm[: blocks * down])
    narrow = np.fft.irfft(spectrum[: blocks * up // 2 + 1], blocks * up) * (up / down)
    return np.asarray(narrow, np.float32)


def voice_vector(wav: bytes) -> Vector:
    """Return what a listener would call the sound of a voice: mel-cepstral means, then log2 of the pitch."""
    sound = wav_samples(wav, rate=RATE)
    frames = np.lib.stride_tricks.sliding_window_view(sound, _FRAME)[::_HOP] * np.hamming(_FRAME)
    power = np.abs(np.fft.rfft(frames, _FFT)) ** 2
    energy = power.sum(axis=1)
    power = power[energy > np.percentile(energy, 95) * 1e-3]
    return np.append(_cepstral_means(power), np.log2(_cepstral_pitch(power)))


def ranking(probe: Vector, candidates: npt.NDArray[np.float64]) -> list[int]:
    """Return the candidates' indices, the most similar first.

    Each coefficient counts relative to how much it differs between candidates; pitch weighs as much as
    six of them.
    """
    weights = np.append(np.ones(probe.size - 1), 6.0) / np.maximum(candidates.var(axis=0), 1e-9)
    return [int(index) for index in np.argsort(((candidates - probe) ** 2 * weights).sum(axis=1))]


def _cepstral_means(power: Vector) -> Vector:
    bins = np.arange(_FFT // 2 + 1) * RATE / _FFT
    mel = 1127 * np.log1p(bins / 700)
    edges = np.linspace(mel[2], mel[-1], _FILTERS + 2)
    rising = (mel[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mel[:, None]) / (edges[2:] - edges[1:-1])
    logs = np.log(power @ np.clip(np.minimum(rising, falling), 0, None) + 1e-9)
    angles = np.outer(np.arange(_FILTERS) + 0.5, np.arange(1, _COEFFICIENTS)) * np.pi / _FILTERS
    means: Vector = (logs @ np.cos(angles)).mean(axis=0)
    return means


def _cepstral_pitch(power: Vector) -> float:
    """Return the median pitch in Hz between 60 and 450, over the clearer half of the frames."""
    cepstrum = np.fft.irfft(np.log(power + 1e-9), axis=1)[:, RATE // 450 : RATE // 60]
    peaks = cepstrum.max(axis=1)
    clear = cepstrum[peaks >= np.median(peaks)]
    return float(np.median(RATE / (RATE // 450 + clear.argmax(axis=1))))

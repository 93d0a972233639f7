"""Fitting espeak-ng to a recording: pitch, melody, vocal tract, tone colour and pace."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tts_gateway.engines.espeak import SAMPLE_RATE, Samples, VoiceSettings
from tts_gateway.engines.reference import (
    BAND_CENTRES,
    MIN_VOICED_SECONDS,
    Bands,
    Melody,
    VoiceProfile,
    measure_bands,
    measure_melody,
)
from tts_gateway.engines.sound import filtered, speak_text

_MELODY_ROUNDS: Final = 1
_MIN_SPREAD_SECONDS: Final = 1.5  # a word or two have no melody to measure
_FORMANTS_COARSE: Final = (0.90, 1.00, 1.10, 1.20)
_FORMANTS_FINE: Final = (0.85, 0.90, 0.95, 1.00, 1.05, 1.10, 1.15, 1.20)
_MAX_EQ_DB: Final = 12.0
_NOISE_MARGIN_DB: Final = 6.0  # a band this close to the recording's noise says nothing about the voice
_TAPS: Final = 511
_PLAUSIBLE_RATE: Final = (0.4, 2.5)  # a ratio outside means that the transcript is not of this recording
_RATE: Final = (0.6, 1.6)


@dataclass(frozen=True, slots=True, eq=False)
class FittedVoice:
    """The settings for espeak-ng, and the FIR that gives its sound the recording's tone colour."""

    settings: VoiceSettings
    taps: Samples


def fit_voice(target: VoiceProfile, text: str) -> FittedVoice:
    """Return the voice whose profile comes nearest to ``target``. Blocks for some tenths of a second.

    ``text`` is spoken for it: one of our own, long enough that its mean spectrum is the voice's and not the
    text's. What is said in the recording would be shorter, and measured worse.
    """
    f0 = target.melody.f0_hz
    settings = VoiceSettings(pitch_low=f0 * 0.85, pitch_high=f0 * 1.15)
    settings = fit_melody(settings, target.melody, text, rounds=_MELODY_ROUNDS)
    settings = _fit_formants(settings, target, text)
    return FittedVoice(settings, _equaliser(target, speak_text(text, settings)))


def fit_rate(spoken_seconds: float, target: VoiceProfile) -> float:
    """Return how much faster the recording is than espeak-ng, which takes ``spoken_seconds`` for its
    transcript; 1.0 when the two cannot be the same words."""
    ratio = spoken_seconds / max(target.speech_seconds, 0.1)
    if not _PLAUSIBLE_RATE[0] <= ratio <= _PLAUSIBLE_RATE[1]:
        return 1.0
    return min(max(ratio, _RATE[0]), _RATE[1])


def fit_melody(settings: VoiceSettings, target: Melody, text: str, *, rounds: int) -> VoiceSettings:
    """Return settings whose median pitch and spread come near the target's in ``text``."""
    best, best_error = settings, float("inf")
    for _ in range(rounds + 1):
        got = measure_melody(speak_text(text, settings))
        if got.voiced_seconds < MIN_VOICED_SECONDS:
            break
        error = abs(12 * np.log2(got.f0_hz / target.f0_hz)) + 0.3 * abs(got.spread - target.spread)
        if error < best_error:
            best, best_error = settings, error
        widen = min(max(target.spread / max(got.spread, 0.1), 0.5), 2.0)
        widen = widen if got.voiced_seconds > _MIN_SPREAD_SECONDS else 1.0
        shift = target.f0_hz / got.f0_hz
        middle = shift * (settings.pitch_low + settings.pitch_high) / 2
        half = min(shift * widen * (settings.pitch_high - settings.pitch_low) / 2, 0.4 * middle)
        settings = replace(settings, pitch_low=middle - half, pitch_high=middle + half)
    return best


def _fit_formants(settings: VoiceSettings, target: VoiceProfile, text: str) -> VoiceSettings:
    wanted = _shape(target.bands, target)

    def distance(scale: float) -> float:
        got = measure_bands(speak_text(text, replace(settings, formants=scale)))
        return float(np.sqrt(np.mean((_shape(got, target) - wanted) ** 2)))

    distances = {scale: distance(scale) for scale in _FORMANTS_COARSE}
    coarse = min(distances, key=lambda scale: distances[scale])
    neighbours = [scale for scale in _FORMANTS_FINE if 0.01 < abs(scale - coarse) < 0.06]
    distances |= {scale: distance(scale) for scale in neighbours}
    return replace(settings, formants=min(distances, key=lambda scale: distances[scale]))


def _shape(bands: Bands, target: VoiceProfile) -> Bands:
    """Return the spectrum without level and tilt, in the bands where the recording is above its noise."""
    trusted = target.bands > target.noise + _NOISE_MARGIN_DB
    if trusted.sum() < 8:
        trusted[:] = True
    positions = np.arange(len(bands))[trusted]
    slope, level = np.polyfit(positions, bands[trusted], 1)
    flat: Bands = bands[trusted] - (slope * positions + level)
    return flat


def _equaliser(target: VoiceProfile, spoken: Samples) -> Samples:
    """Return the linear-phase FIR that takes the spoken spectrum to the target's, within ±12 dB.

    Measured twice, as the bands overlap. Bands in the recording's noise are never raised.
    """
    gain = np.zeros(len(target.bands))
    for _ in range(2):
        got = measure_bands(filtered(spoken, _fir(gain)))
        change = target.bands - got
        change -= np.median(change)
        gain = np.clip(gain + change, -_MAX_EQ_DB, _MAX_EQ_DB)
        noisy = target.bands < target.noise + _NOISE_MARGIN_DB
        gain = np.where(noisy, np.minimum(gain, 0), gain)
        gain = np.convolve(np.pad(gain, 1, mode="edge"), (0.25, 0.5, 0.25), mode="valid")
    return _fir(gain)


def _fir(gain_db: Bands) -> Samples:
    bins = np.linspace(0, SAMPLE_RATE / 2, 1025)
    curve = 10 ** (np.interp(bins, BAND_CENTRES, gain_db) / 20)
    response = np.roll(np.fft.irfft(curve), _TAPS // 2)[:_TAPS]
    return (response * np.hanning(_TAPS)).astype(np.float32)

"""Fitting espeak-ng to a recording: pitch, melody, vocal tract, tone colour and pace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tts_gateway.engines.base import ReferenceRefused
from tts_gateway.engines.espeak import SAMPLE_RATE, Samples, VoiceSettings
from tts_gateway.engines.sound import filtered

Bands = npt.NDArray[np.float64]
"""Level in dB of each of ``BANDS`` mel-spaced bands."""

Matrix = npt.NDArray[np.floating[Any]]

BANDS: Final = 48
LOWEST_HZ, HIGHEST_HZ = 80.0, 10_500.0
"""The bands lie between these; espeak-ng's sound ends at 11 kHz."""

_FFT: Final = 1024  # 46 ms: three periods of the lowest voice
_HOP: Final = 330  # 15 ms
_SECONDS: Final = 20.0  # more of a recording changes the figures by less than a tenth of a semitone
_F0_LOW, _F0_HIGH = 60.0, 550.0
_VOICED: Final = 0.55  # height of the autocorrelation peak from which a frame may be voiced ...
_HARMONIC: Final = 0.27  # ... and of that of the square-rooted spectrum, which a mere resonance fails
_OCTAVE_COST: Final = 0.02  # per octave, in favour of the higher pitch, against subharmonics
_NEIGHBOURHOOD: Final = 2 ** (10 / 12)  # the second pass looks within this factor of the first median


@dataclass(frozen=True, slots=True)
class Melody:
    """The median pitch, and its standard deviation in semitones; both 0 when nothing is voiced."""

    f0_hz: float
    spread: float
    voiced_seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A voice in figures.

    ``bands`` is the mean spectrum of the frames with speech, ``noise`` that of the quietest frames (dB).
    """

    melody: Melody
    bands: Bands
    noise: Bands
    speech_seconds: float


def portrait(sound: Samples) -> Portrait:
    """Measure the first seconds of a recording at ``SAMPLE_RATE``. Blocks for some 5 ms per second."""
    power = _power(sound)
    speech = _speech_frames(power)
    return Portrait(
        melody=_melody(power[speech]),
        bands=_bands(power[speech]),
        noise=_bands(_quietest(power)),
        speech_seconds=int(speech.sum()) * _HOP / SAMPLE_RATE,
    )


def melody_of(sound: Samples) -> Melody:
    """Return only the melody."""
    power = _power(sound)
    return _melody(power[_speech_frames(power)])


def bands_of(sound: Samples) -> Bands:
    """Return only the mean spectrum, at a tenth of the cost."""
    power = _power(sound, hop=_FFT)
    return _bands(power[_speech_frames(power)])


def band_centres() -> Bands:
    """Return the centre of each band in Hz."""
    return _CENTRES


def _power(sound: Samples, *, hop: int = _HOP) -> Matrix:
    sound = sound[: int(_SECONDS * SAMPLE_RATE)]
    if len(sound) < _FFT:
        sound = np.pad(sound, (0, _FFT - len(sound)))
    frames = np.lib.stride_tricks.sliding_window_view(sound, _FFT)[::hop]
    spectrum = np.fft.rfft(frames * _WINDOW, 2 * _FFT, axis=1)
    power: Matrix = spectrum.real**2 + spectrum.imag**2
    return power


def _melody(power: Matrix) -> Melody:
    track = _pitch_track(power)
    if not len(track):
        return Melody(0.0, 0.0, 0.0)
    median = float(np.median(track))
    spread = float(np.std(12 * np.log2(track / median)))
    return Melody(median, spread, len(track) * _HOP / SAMPLE_RATE)


def _bands(power: Matrix) -> Bands:
    if not len(power):
        return np.full(BANDS, -120.0)
    return _decibels(_FILTERS @ power.mean(axis=0, dtype=np.float64))


def _speech_frames(power: Matrix) -> npt.NDArray[np.bool_]:
    level = _decibels(power.mean(axis=1))
    floor, top = np.percentile(level, [10, 95])
    speech: npt.NDArray[np.bool_] = level > max(top - 30.0, min(floor + 6.0, top - 10.0), -90.0)
    return speech


def _quietest(power: Matrix) -> Matrix:
    level = power.mean(axis=1)
    quiet: Matrix = power[level <= np.percentile(level, 10)]
    return quiet


def _pitch_track(power: Matrix) -> Matrix:
    """Return the pitch in Hz of each voiced frame, by windowed autocorrelation, octave errors taken out."""
    if not len(power):
        return np.zeros(0)
    plain, flattened = _correlation(power), _correlation(np.sqrt(power))
    track = _peaks(plain, flattened, _F0_LOW, _F0_HIGH)
    if not len(track):
        return track
    median = float(np.median(track))
    return _peaks(plain, flattened, median / _NEIGHBOURHOOD, median * _NEIGHBOURHOOD)


def _correlation(spectrum: Matrix) -> Matrix:
    correlation: Matrix = np.fft.irfft(spectrum, axis=1)[:, : int(SAMPLE_RATE / _F0_LOW) + 2]
    correlation /= np.maximum(correlation[:, :1], 1e-12)
    normalised: Matrix = correlation / _WINDOW_CORRELATION[: correlation.shape[1]]
    return normalised


def _peaks(plain: Matrix, flattened: Matrix, low: float, high: float) -> Matrix:
    first = max(int(SAMPLE_RATE / min(high, _F0_HIGH)), 2)
    last = min(int(SAMPLE_RATE / max(low, _F0_LOW)) + 1, plain.shape[1] - 1)
    before, here, after = (plain[:, first + shift : last + shift] for shift in (-1, 0, 1))
    cost = _OCTAVE_COST * np.log2(np.arange(first, last))
    score = np.where((here >= before) & (here >= after), here - cost, -1.0)
    best, rows = score.argmax(axis=1), np.arange(len(plain))
    left, middle, right = before[rows, best], here[rows, best], after[rows, best]
    harmonic = np.maximum.reduce([flattened[rows, first + best + shift] for shift in (-1, 0, 1)])
    voiced = (score[rows, best] > -1) & (middle > _VOICED) & (harmonic > _HARMONIC)
    bend = np.minimum(left - 2 * middle + right, -1e-9)  # a parabola through the peak and its neighbours
    offset = np.clip(0.5 * (left - right) / bend, -0.5, 0.5)
    track: Matrix = SAMPLE_RATE / (first + best + offset)[voiced]
    return track


def _decibels(power: Matrix) -> Bands:
    levels: Bands = 10 * np.log10(np.maximum(power, 1e-12)).astype(np.float64)
    return levels


def _mel(hz: npt.NDArray[np.float64] | float) -> npt.NDArray[np.float64]:
    return 2595 * np.log10(1 + np.asarray(hz) / 700)


def _filters() -> tuple[npt.NDArray[np.float64], Bands]:
    edges = 700 * (10 ** (np.linspace(_mel(LOWEST_HZ), _mel(HIGHEST_HZ), BANDS + 2) / 2595) - 1)
    bins = np.arange(_FFT + 1) * SAMPLE_RATE / (2 * _FFT)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rows = np.clip(np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)), 0, None)
    return rows / rows.sum(axis=1, keepdims=True), edges[1:-1]


def _window_correlation() -> Matrix:
    correlation = np.fft.irfft(np.abs(np.fft.rfft(_WINDOW, 2 * _FFT)) ** 2)
    normalised: Matrix = correlation / correlation[0]
    return normalised


_WINDOW: Final = np.hanning(_FFT).astype(np.float32)
_FILTERS, _CENTRES = _filters()
_WINDOW_CORRELATION: Final = _window_correlation()


Speaker = Callable[[VoiceSettings], Samples]
"""Speaks the calibration text with these settings."""

MIN_SECONDS: Final = 1.0
"""Below this the pitch is off by two semitones and the tone by five decibels; vLLM-Omni's bound as well."""

_SILENCE_DBFS: Final = -60.0
_MIN_VOICED_SECONDS: Final = 0.2
_MIN_VOICED_SHARE: Final = 0.04  # noise and whispering stay below, in the 10 ms frames that sound voiced
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


def measured(recording: Samples) -> Portrait:
    """Return the portrait of a recording at ``SAMPLE_RATE``.

    Raises ReferenceRefused when it is too short, silent, or holds no voice.
    """
    if len(recording) < MIN_SECONDS * SAMPLE_RATE:
        raise ReferenceRefused("the recording is shorter than one second; five to ten are best")
    if not len(recording) or np.max(np.abs(recording)) < 10 ** (_SILENCE_DBFS / 20):
        raise ReferenceRefused("the recording is silent")
    target = portrait(recording)
    if target.melody.voiced_seconds < max(_MIN_VOICED_SECONDS, _MIN_VOICED_SHARE * target.speech_seconds):
        raise ReferenceRefused("no voice can be heard in the recording, only noise or whispering")
    return target


def fit(target: Portrait, speak: Speaker) -> FittedVoice:
    """Return the voice whose portrait comes nearest to ``target``. Blocks for some tenths of a second.

    ``speak`` says a text of our own, long enough that its mean spectrum is the voice's and not the text's.
    What is said in the recording would be shorter, and measured worse.
    """
    f0 = target.melody.f0_hz
    settings = VoiceSettings(pitch_low=f0 * 0.85, pitch_high=f0 * 1.15)
    settings = with_melody(settings, target.melody, speak, rounds=_MELODY_ROUNDS)
    settings = _with_formants(settings, target, speak)
    return FittedVoice(settings, _equaliser(target, speak(settings)))


def fitted_rate(spoken_seconds: float, target: Portrait) -> float:
    """Return how much faster the recording is than espeak-ng, which takes ``spoken_seconds`` for its
    transcript; 1.0 when the two cannot be the same words."""
    ratio = spoken_seconds / max(target.speech_seconds, 0.1)
    if not _PLAUSIBLE_RATE[0] <= ratio <= _PLAUSIBLE_RATE[1]:
        return 1.0
    return min(max(ratio, _RATE[0]), _RATE[1])


def with_melody(settings: VoiceSettings, target: Melody, speak: Speaker, *, rounds: int) -> VoiceSettings:
    """Return settings whose median pitch and spread come near the target's when ``speak`` speaks."""
    best, best_error = settings, float("inf")
    for _ in range(rounds + 1):
        got = melody_of(speak(settings))
        if got.voiced_seconds < _MIN_VOICED_SECONDS:
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


def _with_formants(settings: VoiceSettings, target: Portrait, speak: Speaker) -> VoiceSettings:
    wanted = _shape(target.bands, target)

    def distance(scale: float) -> float:
        got = bands_of(speak(replace(settings, formants=scale)))
        return float(np.sqrt(np.mean((_shape(got, target) - wanted) ** 2)))

    distances = {scale: distance(scale) for scale in _FORMANTS_COARSE}
    coarse = min(distances, key=lambda scale: distances[scale])
    neighbours = [scale for scale in _FORMANTS_FINE if 0.01 < abs(scale - coarse) < 0.06]
    distances |= {scale: distance(scale) for scale in neighbours}
    return replace(settings, formants=min(distances, key=lambda scale: distances[scale]))


def _shape(bands: Bands, target: Portrait) -> Bands:
    """Return the spectrum without level and tilt, in the bands where the recording is above its noise."""
    trusted = target.bands > target.noise + _NOISE_MARGIN_DB
    if trusted.sum() < 8:
        trusted[:] = True
    positions = np.arange(len(bands))[trusted]
    slope, level = np.polyfit(positions, bands[trusted], 1)
    flat: Bands = bands[trusted] - (slope * positions + level)
    return flat


def _equaliser(target: Portrait, spoken: Samples) -> Samples:
    """Return the linear-phase FIR that takes the spoken spectrum to the target's, within ±12 dB.

    Measured twice, as the bands overlap. Bands in the recording's noise are never raised.
    """
    gain = np.zeros(len(target.bands))
    for _ in range(2):
        got = bands_of(filtered(spoken, _fir(gain)))
        change = target.bands - got
        change -= np.median(change)
        gain = np.clip(gain + change, -_MAX_EQ_DB, _MAX_EQ_DB)
        noisy = target.bands < target.noise + _NOISE_MARGIN_DB
        gain = np.where(noisy, np.minimum(gain, 0), gain)
        gain = np.convolve(np.pad(gain, 1, mode="edge"), (0.25, 0.5, 0.25), mode="valid")
    return _fir(gain)


def _fir(gain_db: Bands) -> Samples:
    bins = np.linspace(0, SAMPLE_RATE / 2, 1025)
    curve = 10 ** (np.interp(bins, band_centres(), gain_db) / 20)
    response = np.roll(np.fft.irfft(curve), _TAPS // 2)[:_TAPS]
    return (response * np.hanning(_TAPS)).astype(np.float32)

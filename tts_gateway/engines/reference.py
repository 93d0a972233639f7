"""Reference recordings: a stranger's file becomes samples, and the voice in them becomes figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tts_gateway.engines.base import EngineError, ReferenceRefused
from tts_gateway.engines.espeak import SAMPLE_RATE, Samples
from untrusted.decoder import DEFAULT_LIMITS, DecodeLimits, DecodingError, Refusal, decode

_NOT_READABLE: Final = "this is not a recording we can read; send WAV, MP3, Ogg, Opus, FLAC, M4A, AAC or WebM"
_REASONS: Final = {
    Refusal.UNKNOWN_KIND: _NOT_READABLE,
    Refusal.UNREADABLE: _NOT_READABLE,
    Refusal.UNKNOWN_CODEC: _NOT_READABLE,
    Refusal.UNUSABLE_FORM: _NOT_READABLE,
    Refusal.TOO_MUCH: "reading the recording takes too much memory",
    Refusal.NO_SOUND: "there is no sound in the recording",
    Refusal.TOO_LATE: "the recording did not come in time",
    Refusal.TOO_SLOW: "reading the recording took too long",
}


async def decode_recording(
    data: bytes, *, rate: int, limits: DecodeLimits = DEFAULT_LIMITS
) -> npt.NDArray[np.float32]:
    """Return the recording as mono samples at ``rate``, full scale ±1; what is over the limit is cut off.

    Raises ReferenceRefused, with a reason for people, when it is too large or cannot be read, and EngineError
    when this machine cannot look at it now.
    """
    try:
        decoded = await decode(data, rate=rate, limits=limits)
    except DecodingError as error:
        if error.refusal is Refusal.TOO_LARGE:
            raise ReferenceRefused(
                f"the recording is larger than {limits.max_bytes // 1024 // 1024} MiB"
            ) from None
        if error.refusal is Refusal.NO_PROCESS:
            raise EngineError("no process can be started that reads recordings") from error
        raise ReferenceRefused(_REASONS[error.refusal]) from None
    return decoded.samples[:, 0].astype(np.float32) / np.float32(32768)


MIN_SECONDS: Final = 1.0
"""Below this the pitch is off by two semitones and the tone by five decibels; vLLM-Omni's bound as well."""

MIN_VOICED_SECONDS: Final = 0.2
"""With less voice than this there is no melody to go by."""

_SILENCE_DBFS: Final = -60.0
_MIN_VOICED_SHARE: Final = 0.04  # noise and whispering stay below, in the 10 ms frames that sound voiced


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
class VoiceProfile:
    """A voice in figures.

    ``bands`` is the mean spectrum of the frames with speech, ``noise`` that of the quietest frames (dB).
    """

    melody: Melody
    bands: Bands
    noise: Bands
    speech_seconds: float


def measure_reference(recording: Samples) -> VoiceProfile:
    """Return the profile of the voice in a recording at ``SAMPLE_RATE``.

    Raises ReferenceRefused when it is too short, silent, or holds no voice.
    """
    if len(recording) < MIN_SECONDS * SAMPLE_RATE:
        raise ReferenceRefused("the recording is shorter than one second; five to ten are best")
    if not len(recording) or np.max(np.abs(recording)) < 10 ** (_SILENCE_DBFS / 20):
        raise ReferenceRefused("the recording is silent")
    target = measure_voice(recording)
    if target.melody.voiced_seconds < max(MIN_VOICED_SECONDS, _MIN_VOICED_SHARE * target.speech_seconds):
        raise ReferenceRefused("no voice can be heard in the recording, only noise or whispering")
    return target


def measure_voice(sound: Samples) -> VoiceProfile:
    """Measure the first seconds of a recording at ``SAMPLE_RATE``. Blocks for some 5 ms per second."""
    power = _power(sound)
    speech = _speech_frames(power)
    return VoiceProfile(
        melody=_melody(power[speech]),
        bands=_bands(power[speech]),
        noise=_bands(_quietest(power)),
        speech_seconds=int(speech.sum()) * _HOP / SAMPLE_RATE,
    )


def measure_melody(sound: Samples) -> Melody:
    """Return only the melody."""
    power = _power(sound)
    return _melody(power[_speech_frames(power)])


def measure_bands(sound: Samples) -> Bands:
    """Return only the mean spectrum, at a tenth of the cost."""
    power = _power(sound, hop=_FFT)
    return _bands(power[_speech_frames(power)])


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
_FILTERS, BAND_CENTRES = _filters()
"""What makes bands of a spectrum, and the centre of each band in Hz."""

_WINDOW_CORRELATION: Final = _window_correlation()

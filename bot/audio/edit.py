"""Edits of finished PCM: levels, fades, trims and joins."""

from __future__ import annotations

import math
import warnings
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot.audio.loudness import SPEECH_LUFS, samples_at, to_pcm
from bot.audio.sound import SpeechSound
from bot.audio.workers import run_batch
from bot.errors import AudioError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pydub misses an ffmpeg that it is never asked to run
    from pydub import AudioSegment

FADE_MS: Final = 10
"""Long enough that a cut wave does not click, too short to be heard."""


def sound_of(pcm: bytes) -> AudioSegment:
    """Return ``pcm`` (48 kHz mono 16-bit) as a sound; it is indexed in milliseconds."""
    return AudioSegment(data=pcm, sample_width=2, frame_rate=48_000, channels=1)


MAX_LIFT_DB: Final = 30.0
"""Quieter speech is lifted to the loudness of all, but never so far that its noise becomes the sound."""

SILENCE_DB: Final = -60.0
"""Nothing below this is heard beside other people in a voice channel."""


def level(samples: NDArray[np.float32]) -> bytes:
    """Return ``samples`` (48 kHz mono, full scale at 1.0) as 16-bit PCM, as loud as all our speech.

    See `bot.audio.loudness`. Raises AudioError when there is nothing to be heard in them.
    """
    centred = samples - samples.mean(dtype=np.float64).astype(np.float32)
    if _decibels(float(np.square(centred).mean())) < SILENCE_DB:
        raise AudioError("silent")
    return _faded(to_pcm(samples_at(centred, SPEECH_LUFS, max_lift=MAX_LIFT_DB)))


def _decibels(power: float) -> float:
    return 10 * math.log10(power) if power > 0 else -math.inf


def _faded(pcm: bytes) -> bytes:
    faded: bytes = sound_of(pcm).fade_in(FADE_MS).fade_out(FADE_MS).raw_data
    return faded


Wave = NDArray[np.float32]

EDGE_SECONDS: Final = 0.06
"""Silence that stays before the first and after the last sound: soft consonants need a little room."""

FADE_SECONDS: Final = 0.008
"""At both ends of every part: too short to be heard, long enough that nothing clicks."""

_RATE: Final = 48_000
_WINDOW: Final = 240  # 5 ms
_SILENCE_BELOW_LOUDEST_DB: Final = -45.0
_SILENCE_DBFS: Final = -60.0


async def trimmed(speech: SpeechSound) -> SpeechSound:
    """Return ``speech`` with at most 60 ms of silence at each end, faded there; empty if all is silence."""
    return await run_batch(trimmed_sound, speech)


def sounding_range(samples: NDArray[np.int16]) -> tuple[int, int]:
    """Return where the sound in ``samples`` begins and ends; (0, 0) if all is silence."""
    if not len(samples):
        return 0, 0
    wave, whole = samples.astype(np.float32), len(samples) - len(samples) % _WINDOW
    windows, rest = wave[:whole].reshape(-1, _WINDOW), wave[whole:]
    energy = np.einsum("ws,ws->w", windows, windows)
    if len(rest):
        energy = np.append(energy, rest @ rest)
    power = energy / np.float32(_WINDOW * 32_768**2)
    floor = max(float(power.max()) * 10 ** (_SILENCE_BELOW_LOUDEST_DB / 10), 10 ** (_SILENCE_DBFS / 10))
    loud = np.flatnonzero(power > floor)
    if not len(loud):
        return 0, 0
    return int(loud[0]) * _WINDOW, min(len(samples), (int(loud[-1]) + 1) * _WINDOW)


def trimmed_sound(speech: SpeechSound) -> SpeechSound:
    """Do what `trimmed` does, in this thread."""
    return SpeechSound(to_pcm(_joins_faded(_cut(speech))))


def _cut(speech: SpeechSound) -> Wave:
    samples = np.frombuffer(speech.pcm, "<i2")
    start, end = sounding_range(samples)
    edge = round(EDGE_SECONDS * _RATE) if end else 0
    kept = samples[max(0, start - edge) : end + edge]
    return kept.astype(np.float32) / np.float32(32_768)


def _joins_faded(wave: Wave) -> Wave:
    length = min(round(FADE_SECONDS * _RATE), len(wave) // 2)
    if not length:
        return wave
    ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / length)).astype(np.float32)
    wave = wave.copy()
    wave[:length] *= ramp
    wave[len(wave) - length :] *= ramp[::-1]
    return wave


_TONES: Final = (660.0, 880.0)
_TONE_SECONDS: Final = 0.14
_TONE_PAUSE_SECONDS: Final = 0.25
_TONE_PEAK: Final = 0.1
"""Two soft tones upwards, well below speech: they announce, and do not startle."""

ANNOUNCEMENT_SECONDS: Final = len(_TONES) * _TONE_SECONDS + _TONE_PAUSE_SECONDS
"""What `announced` puts before a speech."""


def announced(speech: SpeechSound) -> SpeechSound:
    """Return ``speech`` after two soft tones, which say that the voice of a real person is imitated."""
    if not speech.pcm:
        return speech
    times = np.arange(round(_TONE_SECONDS * _RATE)) / _RATE
    tones = [
        _joins_faded((_TONE_PEAK * np.sin(2 * np.pi * tone * times)).astype(np.float32)) for tone in _TONES
    ]
    silence = np.zeros(round(_TONE_PAUSE_SECONDS * _RATE), np.float32)
    return SpeechSound(to_pcm(np.concatenate([*tones, silence])) + speech.pcm)

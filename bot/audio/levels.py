"""How loud speech is: measured, brought into a range that hurts nobody, and faded at its ends."""

from __future__ import annotations

import math
import warnings
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot.errors import AudioError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pydub misses an ffmpeg that it is never asked to run
    from pydub import AudioSegment

PEAK_CEILING: Final = 0.89
"""A little under −1 dBFS: decoders overshoot, and this keeps them from clipping."""

RMS_CEILING_DB: Final = -16.0
"""The loudest that speech may be while it lasts; a full-scale tone would be an attack on ears."""

RMS_WISH_DB: Final = -20.0
MAX_LIFT_DB: Final = 12.0
"""Quieter speech is lifted towards the wish, but never so far that its noise becomes the sound."""

SILENCE_DB: Final = -60.0
"""Nothing below this is heard beside other people in a voice channel."""

FADE_MS: Final = 10
"""Long enough that a cut wave does not click, too short to be heard."""

_WINDOW: Final = 960  # 20 ms at 48 kHz
_PAUSE_DB: Final = -30.0  # a window this far below the loudest is a pause, not speech


def level(samples: NDArray[np.float32]) -> bytes:
    """Return ``samples`` (48 kHz mono, full scale at 1.0) as levelled 16-bit PCM.

    Raises AudioError when there is nothing to be heard in them.
    """
    centred = samples - samples.mean(dtype=np.float64).astype(np.float32)
    loudness = _speech_decibels(centred)
    if _decibels(float(np.square(centred).mean())) < SILENCE_DB:
        raise AudioError("silent")
    scaled = centred * np.float32(32_768 * _gain(loudness, float(np.abs(centred).max())))
    return _faded(np.rint(scaled).astype("<i2").tobytes())


def _gain(loudness: float, peak: float) -> float:
    """Return one factor for the whole sound, so that nothing is distorted."""
    decibels = 0.0
    if loudness > RMS_CEILING_DB:
        decibels = RMS_CEILING_DB - loudness
    elif loudness < RMS_WISH_DB:
        decibels = min(RMS_WISH_DB - loudness, MAX_LIFT_DB)
    return min(10 ** (decibels / 20), PEAK_CEILING / peak)


def _speech_decibels(samples: NDArray[np.float32]) -> float:
    """Return the RMS level of the parts that are not pauses, in dBFS."""
    whole = samples[: len(samples) - len(samples) % _WINDOW].reshape(-1, _WINDOW)
    power = np.square(whole).mean(axis=1)
    loudest = float(power.max())
    return _decibels(float(power[power >= loudest * 10 ** (_PAUSE_DB / 10)].mean()))


def _decibels(power: float) -> float:
    return 10 * math.log10(power) if power > 0 else -math.inf


def _faded(pcm: bytes) -> bytes:
    sound = AudioSegment(data=pcm, sample_width=2, frame_rate=48_000, channels=1)
    faded: bytes = sound.fade_in(FADE_MS).fade_out(FADE_MS).raw_data
    return faded

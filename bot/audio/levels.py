"""Speech brought to the one loudness of all utterances, and faded at its ends."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot.audio.loudness import SPEECH_LUFS, samples_at, to_pcm
from bot.audio.pydub_sound import FADE_MS, sound_of
from bot.errors import AudioError

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

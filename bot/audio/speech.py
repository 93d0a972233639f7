"""From the WAV that the TTS gateway sent to speech that may be played or uploaded."""

from __future__ import annotations

import asyncio
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from bot import limits
from bot.audio.levels import level
from bot.audio.wav import WRITTEN_RATE, WavSound, parse_wav
from bot.errors import AudioError
from bot.models import Speech

MIN_SECONDS: Final = 0.05
"""The shortest sound that can be a word."""


async def speech_from_wav(wav: bytes, *, text: str) -> Speech:
    """Return the speech in ``wav``: 48 kHz mono, safe to hear, faded at both ends.

    Raises AudioError when the bytes are no WAV we accept, when there is nothing to be heard, and
    when it is too short, or too long for ``text``.
    """
    return await asyncio.to_thread(_prepare, wav, plausible_seconds(text))


def plausible_seconds(text: str) -> float:
    """Return the longest that speech of ``text`` can be, in seconds."""
    plausible = limits.PLAUSIBLE_SECONDS_BASE + limits.PLAUSIBLE_SECONDS_PER_CHARACTER * len(text)
    return min(plausible, limits.MAX_AUDIO_SECONDS)


def _prepare(wav: bytes, max_seconds: float) -> Speech:
    sound = parse_wav(wav, max_seconds=max_seconds)
    if sound.seconds < MIN_SECONDS:
        raise AudioError(f"only {sound.seconds:.3f} s of sound")
    return Speech(level(_at_48_khz(sound)))


def _at_48_khz(sound: WavSound) -> NDArray[np.float32]:
    """Return the samples at 48 kHz, full scale at 1.0; in float, where resampling may overshoot."""
    if sound.rate == WRITTEN_RATE:
        return sound.samples.astype(np.float32) / np.float32(32_768)
    resampler = av.AudioResampler(format="flt", layout="mono", rate=WRITTEN_RATE)
    frame = av.AudioFrame.from_ndarray(sound.samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = sound.rate
    try:
        resampled = [*resampler.resample(frame), *resampler.resample(None)]
    except av.FFmpegError as error:
        raise AudioError(f"could not be resampled from {sound.rate} Hz") from error
    return np.concatenate([part.to_ndarray()[0] for part in resampled], dtype=np.float32)

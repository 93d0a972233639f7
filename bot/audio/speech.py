"""From the WAV that the TTS gateway sent to speech that may be played or uploaded."""

from __future__ import annotations

from typing import Final

import numpy as np

from bot import limits
from bot.audio.levels import level
from bot.audio.resampling import Resampler
from bot.audio.wav import parse_wav
from bot.audio.workers import on_the_whole
from bot.errors import AudioError
from bot.models import Speech

MIN_SECONDS: Final = 0.05
"""The shortest sound that can be a word."""


async def speech_from_wav(wav: bytes, *, text: str) -> Speech:
    """Return the speech in ``wav``: 48 kHz mono, safe to hear, faded at both ends.

    Raises AudioError when the bytes are no WAV we accept, when there is nothing to be heard, and
    when it is too short, or too long for ``text``.
    """
    return await on_the_whole(_prepare, wav, plausible_seconds(text))


def plausible_seconds(text: str) -> float:
    """Return the longest that speech of ``text`` can be, in seconds."""
    plausible = limits.PLAUSIBLE_SECONDS_BASE + limits.PLAUSIBLE_SECONDS_PER_CHARACTER * len(text)
    return min(plausible, limits.MAX_AUDIO_SECONDS)


def _prepare(wav: bytes, max_seconds: float) -> Speech:
    sound = parse_wav(wav, max_seconds=max_seconds)
    if sound.seconds < MIN_SECONDS:
        raise AudioError(f"only {sound.seconds:.3f} s of sound")
    resampler = Resampler(sound.rate)
    return Speech(level(np.concatenate([resampler.feed(sound.samples), resampler.finish()])))

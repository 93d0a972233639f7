"""The ends of a part of speech: silence trimmed, and no click where it is joined to another."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot.audio.loudness import to_pcm
from bot.audio.workers import on_the_whole
from bot.models import Speech

Wave = NDArray[np.float32]

EDGE_SECONDS: Final = 0.06
"""Silence that stays before the first and after the last sound: soft consonants need a little room."""

FADE_SECONDS: Final = 0.008
"""At both ends of every part: too short to be heard, long enough that nothing clicks."""

_RATE: Final = 48_000
_WINDOW: Final = 240  # 5 ms
_SILENCE_BELOW_LOUDEST_DB: Final = -45.0
_SILENCE_DBFS: Final = -60.0


async def trimmed(speech: Speech) -> Speech:
    """Return ``speech`` with at most 60 ms of silence at each end, faded there; empty if all is silence."""
    return await on_the_whole(_trimmed, speech)


def sounding_range(samples: NDArray[np.int16]) -> tuple[int, int]:
    """Return where the sound in ``samples`` begins and ends; (0, 0) if all is silence."""
    if not len(samples):
        return 0, 0
    padded = np.pad(samples, (0, -len(samples) % _WINDOW)).reshape(-1, _WINDOW)
    power = np.square(padded.astype(np.float32)).mean(axis=1) / np.float32(32_768**2)
    floor = max(float(power.max()) * 10 ** (_SILENCE_BELOW_LOUDEST_DB / 10), 10 ** (_SILENCE_DBFS / 10))
    loud = np.flatnonzero(power > floor)
    if not len(loud):
        return 0, 0
    return int(loud[0]) * _WINDOW, min(len(samples), (int(loud[-1]) + 1) * _WINDOW)


def _trimmed(speech: Speech) -> Speech:
    return Speech(to_pcm(_faded(_cut(speech))))


def _cut(speech: Speech) -> Wave:
    samples = np.frombuffer(speech.pcm, "<i2")
    start, end = sounding_range(samples)
    edge = round(EDGE_SECONDS * _RATE) if end else 0
    kept = samples[max(0, start - edge) : end + edge]
    return kept.astype(np.float32) / np.float32(32_768)


def _faded(wave: Wave) -> Wave:
    length = min(round(FADE_SECONDS * _RATE), len(wave) // 2)
    if not length:
        return wave
    ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / length)).astype(np.float32)
    wave = wave.copy()
    wave[:length] *= ramp
    wave[len(wave) - length :] *= ramp[::-1]
    return wave

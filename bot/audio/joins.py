"""Segments put together: silence trimmed, one loudness, pauses between them, and no clicks."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot.audio.loudness import PEAK_CEILING, loudness, samples_at, to_pcm
from bot.models import Speech

Wave = NDArray[np.float32]

EDGE_SECONDS: Final = 0.06
"""Silence that stays before the first and after the last sound: soft consonants need a little room."""

FADE_SECONDS: Final = 0.008
"""At both ends of every part: too short to be heard, long enough that nothing clicks."""

QUIETEST_LUFS: Final = -50.0
"""A part below this is not brought up: it holds breath, not words."""

_RATE: Final = 48_000
_WINDOW: Final = 240  # 5 ms
_SILENCE_BELOW_LOUDEST_DB: Final = -45.0
_SILENCE_DBFS: Final = -60.0


async def trimmed(speech: Speech) -> Speech:
    """Return ``speech`` with at most 60 ms of silence at each end, faded there; empty if all is silence."""
    return await asyncio.to_thread(_trimmed, speech)


async def joined(parts: Sequence[Speech], pauses: Sequence[float]) -> Speech:
    """Return ``parts`` in a row, trimmed, all at the loudness of the whole, with silence between them.

    ``pauses`` are the seconds after each part but the last; one more, after the last, is left out. The length
    is that of the trimmed parts and the pauses. Raises ValueError when their numbers do not fit.
    """
    if len(pauses) not in (len(parts), len(parts) - 1):
        raise ValueError(f"{len(parts)} parts and {len(pauses)} pauses")
    return await asyncio.to_thread(_joined, parts, pauses)


def silence(seconds: float) -> Speech:
    """Return this much silence, for what is played part by part."""
    return Speech(bytes(2 * round(seconds * _RATE)))


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


def _joined(parts: Sequence[Speech], pauses: Sequence[float]) -> Speech:
    if not parts:
        return Speech(b"")
    waves = [_cut(part) for part in parts]
    common = loudness(np.concatenate(waves), full_scale=1.0)
    row: list[Wave] = []
    for wave, pause in zip(waves, (*pauses[: len(parts) - 1], 0.0), strict=True):
        row += [_faded(_matched(wave, common)), np.zeros(round(pause * _RATE), np.float32)]
    return Speech(to_pcm(np.concatenate(row)))


def _cut(speech: Speech) -> Wave:
    samples = np.frombuffer(speech.pcm, "<i2")
    start, end = sounding_range(samples)
    edge = round(EDGE_SECONDS * _RATE) if end else 0
    kept = samples[max(0, start - edge) : end + edge]
    return kept.astype(np.float32) / np.float32(32_768)


def _matched(wave: Wave, lufs: float) -> Wave:
    own = loudness(wave, full_scale=1.0)
    if math.isinf(lufs) or own < QUIETEST_LUFS:
        return wave
    # Raised past the ceiling, the limiter takes care of the peaks; what is at its level stays as it is.
    if abs(own - lufs) < 0.1 and float(np.abs(wave).max()) <= PEAK_CEILING:
        return wave
    return samples_at(wave, lufs)


def _faded(wave: Wave) -> Wave:
    length = min(round(FADE_SECONDS * _RATE), len(wave) // 2)
    if not length:
        return wave
    ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / length)).astype(np.float32)
    wave = wave.copy()
    wave[:length] *= ramp
    wave[len(wave) - length :] *= ramp[::-1]
    return wave

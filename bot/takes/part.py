"""One take as a part of an utterance: trimmed, as loud as the others, in whole frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from bot.audio.joins import sounding_range, trimmed
from bot.audio.loudness import brought_to, speech_loudness
from bot.audio.opus import (
    FRAME_SAMPLES,
    FRAME_SECONDS,
    LOOKAHEAD_SAMPLES,
    SILENCE_FRAME,
    opus_frames,
)
from bot.audio.workers import on_the_whole
from bot.models import Speech

_RATE: Final = 48_000
_FRAME_BYTES: Final = 2 * FRAME_SAMPLES
_NEAR_LU: Final = 0.3  # nobody hears less, and every change of level costs a little


@dataclass(frozen=True, slots=True)
class Part:
    """Whole frames of sound and their PCM, equally long.

    ``lead`` and ``tail`` are the silence at its beginning and its end, in seconds.
    """

    pcm: bytes = field(repr=False)
    frames: tuple[bytes, ...] = field(repr=False)
    lead: float
    tail: float

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return len(self.pcm) / (2 * _RATE)


async def part_of(speech: Speech, *, lufs: float | None = None) -> Part:
    """Return ``speech`` trimmed and at this loudness (as it is, if None).

    Raises AudioError when there is nothing to be heard in it.
    """
    speech = await trimmed(speech)
    if lufs is not None and abs(await speech_loudness(speech) - lufs) > _NEAR_LU:
        speech = await brought_to(speech, lufs)
    # The encoder lags behind: room for that, so that as many frames come out as samples go in.
    count = -(-(len(speech.pcm) // 2 + LOOKAHEAD_SAMPLES) // FRAME_SAMPLES)
    pcm = speech.pcm.ljust(count * _FRAME_BYTES, b"\0")
    frames = await opus_frames(Speech(pcm[: len(pcm) - 2 * LOOKAHEAD_SAMPLES]))
    return await played_part(Speech(pcm), frames)


async def played_part(speech: Speech, frames: tuple[bytes, ...]) -> Part:
    """Return what was played as it was: ``frames``, and ``speech`` made as long as they are."""
    pcm = speech.pcm.ljust(len(frames) * _FRAME_BYTES, b"\0")[: len(frames) * _FRAME_BYTES]
    return Part(pcm, frames, *await on_the_whole(_silence_around, pcm))


def pause_between(before: Part, after: Part, pause: float) -> Part:
    """Return what is missing between two parts so that ``pause`` seconds of silence are heard there."""
    count = max(0, round((pause - before.tail - after.lead) / FRAME_SECONDS))
    seconds = count * FRAME_SECONDS
    return Part(bytes(count * _FRAME_BYTES), (SILENCE_FRAME,) * count, seconds, seconds)


def _silence_around(pcm: bytes) -> tuple[float, float]:
    samples = np.frombuffer(pcm, "<i2")
    start, end = sounding_range(samples)
    return start / _RATE, (len(samples) - end) / _RATE

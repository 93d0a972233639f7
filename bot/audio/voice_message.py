"""Speech as a voice message: what Discord's app shows as a bubble with a waveform."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from bot.audio.export import OPUS_BITRATES, encoded
from bot.audio.info_tags import NO_TAGS
from bot.audio.workers import on_the_whole
from bot.errors import AudioError
from bot.models import Speech

MAX_POINTS: Final = 256
POINT_SECONDS: Final = 0.1
"""Discord takes so many points, and its own app makes one for each tenth of a second."""

_CURVE: Final = 0.7  # lifts the weak syllables, which a straight scale draws as dots
_FLAT: Final = 0.05  # of the loudest: with less between the points the eye sees a line


@dataclass(frozen=True, slots=True)
class VoiceMessage:
    """One voice message: Ogg Opus, 48 kHz mono; ``waveform`` is base64 of one byte for each point."""

    ogg: bytes = field(repr=False)
    seconds: float
    waveform: str = field(repr=False)


async def voice_message(speech: Speech, *, tags: Mapping[str, str] = NO_TAGS) -> VoiceMessage:
    """Return ``speech`` as a voice message, its file with ``tags`` as comments.

    ``tags`` go by their INFO names, see `bot.audio.info_tags`. Raises AudioError when there is no sound, or
    the encoder fails.
    """
    return await on_the_whole(_voice_message, speech, tags)


def _voice_message(speech: Speech, tags: Mapping[str, str]) -> VoiceMessage:
    if not speech.pcm:
        raise AudioError("no sound for a voice message")
    try:
        ogg = encoded("ogg", "libopus", OPUS_BITRATES[0], speech.pcm, tags=tags)
    except av.FFmpegError as error:
        raise AudioError("could not be written as a voice message") from error
    points = _waveform(np.frombuffer(speech.pcm, "<i2"))
    return VoiceMessage(ogg, speech.seconds, base64.b64encode(points.tobytes()).decode("ascii"))


def _waveform(samples: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Return how loud each tenth of a second is, 255 for the loudest; of longer parts if there are many."""
    count = max(1, min(MAX_POINTS, round(len(samples) / 48_000 / POINT_SECONDS)))
    parts = np.array_split(samples, count)
    powers = [np.square(part.astype(np.float32)).mean() if len(part) else 0.0 for part in parts]
    heights = np.sqrt(np.array(powers, np.float64))
    loudest = float(heights.max())
    if loudest == 0 or (count > 1 and loudest - float(heights.min()) < _FLAT * loudest):
        heights, loudest = np.sin(np.pi * (np.arange(count) + 0.5) / count), 1.0  # one steady sound: an arch
    points: NDArray[np.uint8] = np.rint(255 * (heights / loudest) ** _CURVE).astype(np.uint8)
    return points

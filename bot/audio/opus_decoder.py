"""Opus frames back to sound."""

from __future__ import annotations

from collections.abc import Sequence

import av
import numpy as np
from numpy.typing import NDArray

from bot.audio.limiter import Limiter
from bot.audio.loudness import PEAK_CEILING, to_pcm
from bot.audio.opus import LOOKAHEAD_SAMPLES
from bot.audio.resampling import RATE, Resampler
from bot.audio.workers import on_the_whole
from bot.errors import AudioError
from bot.models import Speech

Samples = NDArray[np.int16]


class OpusDecoder:
    """Decodes frames to 48 kHz 16-bit mono samples as they come.

    The sound lags behind what was encoded by `LOOKAHEAD_SAMPLES`.
    """

    def __init__(self) -> None:
        self._decoder = av.AudioCodecContext.create("libopus", "r")
        self._decoder.sample_rate, self._decoder.layout = RATE, "mono"

    def feed(self, frames: Sequence[bytes]) -> Samples:
        """Return the samples of ``frames``. Raises AudioError when one cannot be decoded."""
        try:
            decoded = [sound for frame in frames for sound in self._decoder.decode(av.Packet(frame))]
        except av.FFmpegError as error:
            raise AudioError("an Opus frame cannot be decoded") from error
        return np.concatenate([np.zeros(0, np.int16), *(sound.to_ndarray().reshape(-1) for sound in decoded)])


async def speech_from_frames(frames: Sequence[bytes], *, rest_is_missing: bool = False) -> Speech:
    """Return what listeners hear of ``frames``: as long and as loud, no sample above −1 dBFS.

    Raises AudioError when they cannot be decoded.
    """
    return Speech(await on_the_whole(_decoded, frames), rest_is_missing)


def _decoded(frames: Sequence[bytes]) -> bytes:
    wave = Resampler(RATE).feed(OpusDecoder().feed(frames))
    wave = np.pad(wave[LOOKAHEAD_SAMPLES:], (0, min(LOOKAHEAD_SAMPLES, len(wave))))
    limiter = Limiter(PEAK_CEILING)  # the encoder is not exact, least of all about peaks
    return to_pcm(np.concatenate([limiter.feed(wave), limiter.finish()]))

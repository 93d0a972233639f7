"""Speech made softer or louder for one voice channel, never above the ceiling of all speech."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bot.audio.live_gain import STEP_SAMPLES, Limiter
from bot.audio.loudness import PEAK_CEILING
from bot.audio.opus import OpusDecoder, OpusEncoder

Samples = NDArray[np.int16]


class Amplifier:
    """Takes 48 kHz 16-bit samples in parts; gives as many back, ``gain`` times as strong, 4 ms later.

    What the gain would bring above the ceiling, the limiter brings down. With a gain of 1 the samples pass
    as they are, at once.
    """

    def __init__(self, gain: float) -> None:
        self._gain = np.float32(gain / 32_768)
        self._limiter = None if gain == 1.0 else Limiter(PEAK_CEILING)
        self._rest = np.zeros(0, np.float32)  # less than a step of the limiter

    def feed(self, samples: Samples) -> Samples:
        """Return what is ready."""
        if self._limiter is None:
            return samples
        wave = np.concatenate([self._rest, samples * self._gain])
        whole = len(wave) - len(wave) % STEP_SAMPLES
        self._rest = wave[whole:]
        return _as_samples(self._limiter.feed(wave[:whole]))

    def finish(self) -> Samples:
        """Return what is left; with it, as much as went in has come out."""
        if self._limiter is None:
            return np.zeros(0, np.int16)
        missing = -len(self._rest) % STEP_SAMPLES
        last = self._limiter.feed(np.pad(self._rest, (0, missing)))
        wave = np.concatenate([last, self._limiter.finish()])
        return _as_samples(wave[: len(wave) - missing])


class FrameAmplifier:
    """Takes Opus frames of 20 ms and gives frames back that sound ``gain`` times as strong, 10 ms later.

    For one voice channel that is to hear what others hear at another volume. For one thread at a time; it
    takes about 4 ms for a second of sound. Raises AudioError when a frame cannot be decoded.
    """

    def __init__(self, gain: float) -> None:
        self._amplifier = Amplifier(gain)
        self._decoder = OpusDecoder()
        self._encoder = OpusEncoder()

    def feed(self, frames: Sequence[bytes]) -> list[bytes]:
        """Return the frames that are full."""
        return self._encoder.feed(self._amplifier.feed(self._decoder.feed(frames)))

    def finish(self) -> list[bytes]:
        """Return the last frames."""
        return [*self._encoder.feed(self._amplifier.finish()), *self._encoder.finish()]


def _as_samples(wave: NDArray[np.float32]) -> Samples:
    samples: Samples = np.clip(np.rint(wave * np.float32(32_768)), -32_768, 32_767).astype(np.int16)
    return samples

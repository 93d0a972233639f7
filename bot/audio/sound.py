"""Sound as samples: 48 kHz in all that we do, and any other rate brought to it, in parts as it comes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from bot.errors import AudioError

Samples = NDArray[np.int16]
Wave = NDArray[np.float32]

RATE: Final = 48_000
"""Discord's rate in Hz, and the only one we work with."""


@dataclass(frozen=True, slots=True)
class SpeechSound:
    """Samples of speech: validated, levelled 48 kHz 16-bit mono PCM, little-endian."""

    pcm: bytes = field(repr=False)

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return len(self.pcm) / (2 * RATE)


@contextmanager
def seeing_one_core() -> Iterator[None]:
    """Let this thread see one core of the machine, where the system can do that.

    With their first frame PyAV's resamplers and encoders make a filter graph, for which FFmpeg starts a
    thread for each core that it sees (libavfilter/pthread.c), and those never have anything to do. With a
    hundred encoders on two cores they were 200.
    """
    set_affinity = getattr(os, "sched_setaffinity", None)
    if set_affinity is None:
        yield
        return
    cores = os.sched_getaffinity(0)
    try:
        set_affinity(0, {min(cores)})
        yield
    finally:
        set_affinity(0, cores)


class Resampler:
    """Turns 16-bit mono samples of ``rate`` Hz into samples at 48 kHz, full scale at 1.0.

    The result is in float, where resampling may overshoot. 48 kHz goes through untouched, anything else
    comes out up to a millisecond late.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._resampler = None
        self._is_begun = False
        if rate != RATE:
            self._resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)

    def feed(self, samples: Samples) -> Wave:
        """Return what is ready. Raises AudioError."""
        if self._resampler is None:
            return np.multiply(samples, np.float32(1 / 32_768), dtype=np.float32)
        if not len(samples):
            return np.zeros(0, np.float32)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = self._rate
        return self._resampled(self._resampler, frame)

    def finish(self) -> Wave:
        """Return what is left. Raises AudioError."""
        if self._resampler is None:
            return np.zeros(0, np.float32)
        return self._resampled(self._resampler, None)

    def _resampled(self, resampler: av.AudioResampler, frame: av.AudioFrame | None) -> Wave:
        try:
            with nullcontext() if self._is_begun else seeing_one_core():
                resampled = resampler.resample(frame)
            self._is_begun = True
            parts = [part.to_ndarray()[0] for part in resampled]
        except av.FFmpegError as error:
            raise AudioError(f"could not be resampled from {self._rate} Hz") from error
        return np.concatenate([np.zeros(0, np.float32), *parts], dtype=np.float32)

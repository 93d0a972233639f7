"""Sound as samples, in parts as they come: any rate brought to 48 kHz, and speech made faster or slower."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from bot.audio.workers import Pieces
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


_TICK: Final = Fraction(1, RATE)
_SAMPLES_AT_ONCE: Final = RATE  # small enough never to hold the GIL long


class Stretcher:
    """Makes 48 kHz 16-bit mono speech ``tempo`` times as fast, its pitch unchanged: FFmpeg's atempo (WSOLA).

    0.5 to 2. How the samples were cut into parts makes no difference; 60 ms go in before the first come out.
    """

    def __init__(self, tempo: float) -> None:
        self._graph = av.filter.Graph()
        self._graph.threads = 1  # FFmpeg would start one for each core, and those had nothing to do
        source = self._graph.add_abuffer(format="s16", sample_rate=RATE, layout="mono", time_base=_TICK)
        stretch, sink = self._graph.add("atempo", f"{tempo:.3f}"), self._graph.add("abuffersink")
        source.link_to(stretch)
        stretch.link_to(sink)
        self._graph.configure()
        self._fed = 0

    def feed(self, samples: Samples) -> Samples:
        """Return what is ready. Raises AudioError."""
        if not len(samples):
            return samples
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._fed, _TICK
        self._fed += len(samples)
        return self._stretched(frame)

    def finish(self) -> Samples:
        """Return what is left. Raises AudioError."""
        return self._stretched(None)

    def _stretched(self, frame: av.AudioFrame | None) -> Samples:
        ready: list[Samples] = [np.zeros(0, np.int16)]
        try:
            self._graph.push(frame)
            while True:
                part = self._graph.pull()
                assert isinstance(part, av.AudioFrame), "there is no picture in it"  # noqa: S101
                ready.append(part.to_ndarray()[0])
        except (av.BlockingIOError, av.EOFError):  # no more of it is ready, or ever will be
            return np.concatenate(ready, dtype=np.int16)
        except av.FFmpegError as error:
            raise AudioError("its tempo could not be changed") from error


def stretched(speech: SpeechSound, tempo: float) -> Pieces[SpeechSound]:
    """Return ``speech`` as a `Stretcher` makes it; it is work in pieces, see `bot.audio.workers`."""
    stretcher, samples = Stretcher(tempo), np.frombuffer(speech.pcm, "<i2")
    made: list[Samples] = []
    for start in range(0, len(samples), _SAMPLES_AT_ONCE):
        made.append(stretcher.feed(samples[start : start + _SAMPLES_AT_ONCE]))
        yield
    return SpeechSound(np.concatenate([*made, stretcher.finish()]).astype("<i2", copy=False).tobytes())

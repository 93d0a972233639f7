"""Streams of speech: the bytes of a WAV in, whole or as they come, Opus frames and speech out."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot import limits
from bot.audio.edit import level
from bot.audio.live_gain import GainMemory, Leveller
from bot.audio.opus import OpusEncoder
from bot.audio.resampling import Resampler
from bot.audio.wav import WavStream, parse_wav
from bot.audio.workers import run_batch, run_realtime
from bot.errors import AudioError
from bot.models import Speech

MIN_SECONDS: Final = 0.05
"""The shortest sound that can be a word."""


async def speech_from_wav(wav: bytes, *, text: str) -> Speech:
    """Return the speech in ``wav``: 48 kHz mono, safe to hear, faded at both ends.

    Raises AudioError when the bytes are no WAV we accept, when there is nothing to be heard, and
    when it is too short, or too long for ``text``.
    """
    return await run_batch(_prepare, wav, plausible_seconds(text))


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


FrameListener = Callable[[Sequence[bytes]], None]
"""Called in the event loop with the next 20 ms Opus frames; it must not block and must not raise."""

NOTHING_KNOWN: Final = GainMemory()

_FIRST_BYTES: Final = 12 * 1024  # the header and an eighth of a second of 48 kHz mono: enough to begin
_BYTES_WORTH_A_CALL: Final = 8 * 1024  # less at a time costs more than it is worth ...
_SHARE_WORTH_A_CALL: Final = 16  # ... and later a sixteenth: whoever sends faster than it is heard is ahead
_BYTES_AT_ONCE: Final = 64 * 1024  # the most that a download hands on: 0.7 s of 48 kHz mono, 6 ms of work
_FIRST_FRAMES: Final = math.ceil(MIN_SECONDS / 0.02)  # less than a word is not handed out


@dataclass(frozen=True, slots=True)
class StreamedSpeech:
    """What was handed out as frames, whole; and what the next take of the same origin will need."""

    speech: Speech
    gains: GainMemory


async def speech_from_chunks(
    chunks: AsyncIterator[bytes],
    on_frames: FrameListener,
    *,
    text: str,
    gains: GainMemory = NOTHING_KNOWN,
) -> StreamedSpeech:
    """Return the speech of a WAV that arrives in ``chunks``, after handing on its frames as they come.

    The work is done in worker threads, a little at a time, so that fast senders wait. Raises AudioError as
    `bot.audio.stream.speech_from_wav` does; also, when that is found out only then, after the first frames.
    What ``chunks`` raises goes through.
    """
    work = SpeechStream(text=text, gains=gains)
    waiting, wanted, size, done = b"", _FIRST_BYTES, _FIRST_BYTES, 0
    async for chunk in chunks:
        waiting += chunk
        while len(waiting) >= wanted:
            piece, waiting = waiting[:size], waiting[size:]
            if frames := await run_realtime(work.feed, piece):
                on_frames(frames)
            done += len(piece)
            wanted, size = max(_BYTES_WORTH_A_CALL, done // _SHARE_WORTH_A_CALL), _BYTES_AT_ONCE
            wanted = min(wanted, size)
    for last_work in (partial(work.feed, waiting), work.finish):
        if frames := await run_realtime(last_work):
            on_frames(frames)
    return work.result()


class SpeechStream:
    """The work behind `speech_from_chunks`, for one thread at a time.

    Levels are those of `Leveller`: it begins with the gain that earlier takes needed, because the loudness
    of the whole is not known before its end. Nothing is handed out before there is something to be heard,
    so a silent take is refused unheard.
    """

    def __init__(self, *, text: str, gains: GainMemory = NOTHING_KNOWN) -> None:
        self._gains = gains
        self._wav = WavStream(max_seconds=plausible_seconds(text))
        self._leveller = Leveller(gains.known())
        self._encoder = OpusEncoder()
        self._resampler: Resampler | None = None
        self._held: list[bytes] = []
        self._handed_out = False
        self._pcm: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the frames that can be heard now that ``chunk`` is there. Raises AudioError."""
        self._take(self._wav.feed(chunk))
        enough = self._handed_out or len(self._held) >= _FIRST_FRAMES
        return self._released() if enough and self._leveller.is_audible else []

    def finish(self) -> list[bytes]:
        """Return the last frames. Raises AudioError."""
        self._take(self._wav.finish())
        if self._resampler is None or self._wav.seconds < MIN_SECONDS:
            raise AudioError(f"only {self._wav.seconds:.3f} s of sound")
        last = [self._leveller.feed(self._resampler.finish()), self._leveller.finish()]
        if self._leveller.is_silent:
            raise AudioError("silent")
        self._encode(np.concatenate(last))
        self._held += self._encoder.finish()
        return self._released()

    def result(self) -> StreamedSpeech:
        """Return the whole, after `finish`."""
        needed = self._leveller.needed_gain
        gains = self._gains if math.isnan(needed) else self._gains.with_take(needed)
        return StreamedSpeech(Speech(b"".join(self._pcm)), gains)

    def _take(self, samples: NDArray[np.int16]) -> None:
        if self._wav.header is None:
            return
        if self._resampler is None:
            self._resampler = Resampler(self._wav.header.rate)
        self._encode(self._leveller.feed(self._resampler.feed(samples)))

    def _encode(self, samples: NDArray[np.int16]) -> None:
        self._pcm.append(samples.astype("<i2", copy=False).tobytes())
        self._held += self._encoder.feed(samples)

    def _released(self) -> list[bytes]:
        frames, self._held = self._held, []
        self._handed_out = self._handed_out or bool(frames)
        return frames

"""Streams of speech: the bytes of a WAV in, whole or as they come, Opus frames and speech out."""

from __future__ import annotations

import math
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot import limits
from bot.audio.edit import EDGE_SECONDS, level, sounding_range
from bot.audio.live_gain import GainMemory, Leveller
from bot.audio.opus import OpusEncoder
from bot.audio.quality import LONG_SLACK_SECONDS, LONGEST, early_defect_in
from bot.audio.sound import Resampler, SpeechSound, Stretcher
from bot.audio.wav import WavHeader, WavStream, parse_wav
from bot.audio.workers import Deadline, run_batch, run_realtime
from bot.errors import AudioError
from bot.models import FRAME_SECONDS
from bot.text.speaking_time import speaking_seconds

MIN_SECONDS: Final = 0.05
"""The shortest sound that can be a word."""


async def speech_from_wav(wav: bytes, *, text: str) -> SpeechSound:
    """Return the speech in ``wav``: 48 kHz mono, safe to hear, faded at both ends.

    Raises AudioError when the bytes are no WAV we accept, when there is nothing to be heard, and
    when it is too short, or too long for ``text``.
    """
    return await run_batch(prepared, wav, text)


def plausible_seconds(text: str) -> float:
    """Return the longest that speech of ``text`` can be, in seconds."""
    plausible = limits.PLAUSIBLE_SECONDS_BASE + limits.PLAUSIBLE_SECONDS_PER_CHARACTER * len(text)
    return min(plausible, limits.MAX_AUDIO_SECONDS)


def prepared(wav: bytes, text: str) -> SpeechSound:
    """Do what `speech_from_wav` does, in this thread."""
    sound = parse_wav(wav, max_seconds=plausible_seconds(text))
    if sound.seconds < MIN_SECONDS:
        raise AudioError(f"only {sound.seconds:.3f} s of sound")
    resampler = Resampler(sound.rate)
    return SpeechSound(level(np.concatenate([resampler.feed(sound.samples), resampler.finish()])))


def longest_seconds(text: str) -> float:
    """Return the longest that speech of ``text`` may be before what follows is no part of it, in seconds."""
    return min(LONGEST * speaking_seconds(text) + LONG_SLACK_SECONDS, plausible_seconds(text))


def shortened(speech: SpeechSound, text: str) -> SpeechSound:
    """Return no more of ``speech`` than ``text`` can last."""
    return SpeechSound(speech.pcm[: 2 * int(48_000 * longest_seconds(text))])


_LOOKED_AT_ONCE: Final = 4_096  # bytes: a header that is longer is read again only after so many more


class DurationLimiter:
    """Limiter of the bytes of a WAV: it lets through the longest that its ``text`` can last."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.was_needed = False
        """Whether there was more."""

    async def chunks(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        """Pass ``chunks`` on, none before the header is whole; what follows the longest is not fetched.

        Raises AudioError when they are no WAV that we accept, or when the header says that it is too long or
        too short for the text: nothing has been passed on then.
        """
        waiting, looked_at, left = b"", -_LOOKED_AT_ONCE, None
        async for chunk in chunks:
            waiting += chunk
            if left is None and len(waiting) - looked_at >= _LOOKED_AT_ONCE:
                looked_at = len(waiting)
                left = await run_realtime(self._longest_bytes, waiting)
            if left is None:
                continue
            yield waiting[:left]
            left, waiting = left - len(waiting), b""
            if left < 0:
                self.was_needed = True
                return
        if waiting:
            yield waiting

    def _longest_bytes(self, beginning: bytes) -> int | None:
        """Return how much of the WAV that begins like this may be passed on; None: the header goes on."""
        if defect := early_defect_in(beginning, self._text):
            raise AudioError(defect)
        header = WavHeader.read(beginning)
        if header is None:
            return None
        longest = header.block_bytes * int(header.rate * longest_seconds(self._text))
        if header.data_bytes is not None and header.data_bytes <= longest:  # and notes may follow
            return sys.maxsize
        return header.data_start + longest


NOTHING_KNOWN: Final = GainMemory()

_FIRST_FRAMES: Final = math.ceil(MIN_SECONDS / 0.02)  # less than a word is not handed out


@dataclass(frozen=True, slots=True)
class StreamedSpeech:
    """Speech that was handed out as frames, whole; and the gains for the next of the same origin.

    ``natural`` is the same as it was made, before it became faster or slower.
    """

    speech: SpeechSound
    natural: SpeechSound
    gains: GainMemory


class SpeechStream:
    """Speech from a WAV that comes in pieces: the work behind `frames_of`, for one thread at a time.

    Levels are those of `Leveller`: it begins with the gain that earlier generations needed, because the
    loudness of the whole is not known before its end. Nothing is handed out before there is something to be
    heard, so a silent generation is refused unheard. It is handed out ``tempo`` times as fast as it comes.
    """

    def __init__(self, *, text: str, gains: GainMemory = NOTHING_KNOWN, tempo: float = 1.0) -> None:
        self._gains = gains
        self._wav = WavStream(max_seconds=plausible_seconds(text))
        self._leveller = Leveller(gains.known())
        self._encoder = OpusEncoder()
        self._resampler: Resampler | None = None
        self._held: list[bytes] = []
        self._handed_out = False
        self._pcm = bytearray()  # as one block, which goes back to the system when it is freed
        self._stretcher = None if tempo == 1.0 else Stretcher(tempo)
        self._natural = bytearray()  # where there is a stretcher

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the frames that can be heard now that ``chunk`` is there. Raises AudioError."""
        self._add(self._wav.feed(chunk))
        enough = self._handed_out or len(self._held) >= _FIRST_FRAMES
        return self._released() if enough and self._leveller.is_audible else []

    def finish(self) -> list[bytes]:
        """Return the last frames. Raises AudioError."""
        self._add(self._wav.finish())
        if self._resampler is None or self._wav.seconds < MIN_SECONDS:
            raise AudioError(f"only {self._wav.seconds:.3f} s of sound")
        last = [self._leveller.feed(self._resampler.finish()), self._leveller.finish()]
        if self._leveller.is_silent:
            raise AudioError("silent")
        self._encode(np.concatenate(last))
        if self._stretcher is not None:
            self._hold(self._stretcher.finish())
        self._held += self._encoder.finish()
        return self._released()

    def result(self) -> StreamedSpeech:
        """Return the whole, once, after `finish`."""
        needed = self._leveller.needed_gain
        gains = self._gains if math.isnan(needed) else self._gains.with_generation(needed)
        speech, self._pcm = SpeechSound(bytes(self._pcm)), bytearray()
        natural, self._natural = SpeechSound(bytes(self._natural)), bytearray()
        return StreamedSpeech(speech, natural if self._stretcher else speech, gains)

    def _add(self, samples: NDArray[np.int16]) -> None:
        if self._wav.header is None:
            return
        if self._resampler is None:
            self._resampler = Resampler(self._wav.header.rate)
        self._encode(self._leveller.feed(self._resampler.feed(samples)))

    def _encode(self, samples: NDArray[np.int16]) -> None:
        if self._stretcher is not None:
            self._natural += samples.astype("<i2", copy=False).data
            samples = self._stretcher.feed(samples)
        self._hold(samples)

    def _hold(self, samples: NDArray[np.int16]) -> None:
        self._pcm += samples.astype("<i2", copy=False).data
        self._held += self._encoder.feed(samples)

    def _released(self) -> list[bytes]:
        frames, self._held = self._held, []
        self._handed_out = self._handed_out or bool(frames)
        return frames


_FIRST_BYTES: Final = 12 * 1024  # the header and an eighth of a second of 48 kHz mono: enough to begin
_BYTES_WORTH_A_CALL: Final = 8 * 1024  # less at a time costs more than it is worth ...
_SHARE_WORTH_A_CALL: Final = 16  # ... and later a sixteenth: whoever sends faster than it is heard is ahead
_BYTES_AT_ONCE: Final = 64 * 1024  # the most that a download hands on: 0.7 s of 48 kHz mono, 6 ms of work


async def frames_of(
    chunks: AsyncIterator[bytes], stream: SpeechStream, deadline: Deadline | None = None
) -> AsyncGenerator[list[bytes]]:
    """Yield the Opus frames of a WAV that arrives in ``chunks``; after the last ``stream`` has its speech.

    The work is done in a worker thread, a little at a time, so that fast senders wait; and the longer, the
    later its ``deadline`` is. Raises AudioError as
    `speech_from_wav` does; also, when that is found out only then, after the first frames. What ``chunks``
    raises goes through.
    """
    deadline = deadline or Deadline()
    waiting, wanted, size, done = b"", _FIRST_BYTES, _FIRST_BYTES, 0
    async for chunk in chunks:
        waiting += chunk
        while len(waiting) >= wanted:
            piece, waiting = waiting[:size], waiting[size:]
            if frames := await deadline.run(stream.feed, piece):
                deadline.add(len(frames) * FRAME_SECONDS)
                yield frames
            done += len(piece)
            wanted, size = max(_BYTES_WORTH_A_CALL, done // _SHARE_WORTH_A_CALL), _BYTES_AT_ONCE
            wanted = min(wanted, size)
    for work in (partial(stream.feed, waiting), stream.finish):
        if frames := await deadline.run(work):
            deadline.add(len(frames) * FRAME_SECONDS)
            yield frames


HELD_FRAMES: Final = 25
"""Half a second: as much silence as speech may end with and still be followed by more without a gap."""

_AT_ONCE_FRAMES: Final = 10  # are never held: playing begins with fewer


class HeldFrames:
    """Frames held back: the newest half second waits until more comes, so that a silent end can be left out.

    What was released cannot be taken back.
    """

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._released = 0

    def add(self, frames: list[bytes]) -> list[bytes]:
        """Return the frames that can be heard now that ``frames`` have come."""
        self._held += frames
        return self._release(max(len(self._held) - HELD_FRAMES, _AT_ONCE_FRAMES - self._released))

    def finish(self, speech: SpeechSound) -> list[bytes]:
        """Return the last frames of what is ``speech`` as a whole, without the silence after it."""
        return self._release(len(self._held) - silent_frames(speech)) if self._held else []

    def _release(self, count: int) -> list[bytes]:
        released, self._held = self._held[: max(count, 0)], self._held[max(count, 0) :]
        self._released += len(released)
        return released


def silent_frames(speech: SpeechSound) -> int:
    """Return how many frames at the end of ``speech`` hold nothing but silence that is not wanted."""
    samples = np.frombuffer(speech.pcm, "<i2")
    silence = (len(samples) - sounding_range(samples)[1]) / 48_000
    return max(0, int((silence - EDGE_SECONDS) / FRAME_SECONDS))

"""Maker: the one object behind which samples are touched; outside it sound is bytes, frames and values."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from bot.audio import formats, opus, quality
from bot.audio.edit import sounding_range, trimmed
from bot.audio.formats import AudioFile, SoundboardClip, VoiceMessage
from bot.audio.live_gain import GainMemory
from bot.audio.loudness import brought_to, speech_loudness
from bot.audio.opus import FRAME_SAMPLES, FRAME_SECONDS, LOOKAHEAD_SAMPLES, SILENCE_FRAME, opus_frames
from bot.audio.stream import (
    NOTHING_KNOWN,
    DurationLimiter,
    HeldFrames,
    SpeechStream,
    frames_of,
    shortened,
    speech_from_wav,
)
from bot.audio.wav import NO_TAGS, write_wav
from bot.audio.workers import run_batch
from bot.models import Speech

_RATE: Final = 48_000
_FRAME_BYTES: Final = 2 * FRAME_SAMPLES
_NEAR_LU: Final = 0.3  # nobody hears less, and every change of level costs a little


@dataclass(frozen=True, slots=True)
class CheckedSpeech:
    """Speech of one generation, no longer than its text can last; ``defect`` is what is wrong with it."""

    speech: Speech
    defect: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """Part of an utterance: whole frames of sound and their PCM, equally long.

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


class LiveSpeech:
    """Speech that is heard while its WAV comes in: iterate it, once, for its Opus frames.

    After the last of them `checked` and `gains` are there. Closing it (`contextlib.aclosing`) ends the work,
    and the reading of its bytes. Raises AudioError, and what reading raises, also after the first frames.
    """

    def __init__(
        self, chunks: AsyncGenerator[bytes], *, text: str, gains: GainMemory, drops_silent_end: bool
    ) -> None:
        self._text = text
        self._drops_silent_end = drops_silent_end
        self._frames = self._heard(chunks, gains)
        self.checked: CheckedSpeech
        """The whole, after the last frames."""
        self.gains = gains
        """What the next generation of the same origin needs, after the last frames."""

    def __aiter__(self) -> AsyncIterator[list[bytes]]:
        return self._frames

    async def aclose(self) -> None:
        """End it."""
        await self._frames.aclose()

    async def _heard(self, chunks: AsyncGenerator[bytes], gains: GainMemory) -> AsyncGenerator[list[bytes]]:
        limiter, stream = DurationLimiter(self._text), SpeechStream(text=self._text, gains=gains)
        held = HeldFrames() if self._drops_silent_end else None
        async with (
            aclosing(chunks),
            aclosing(limiter.chunks(chunks)) as limited,
            aclosing(frames_of(limited, stream)) as batches,
        ):
            async for frames in batches:
                if released := held.add(frames) if held else frames:
                    yield released
        whole = await run_batch(stream.result)
        if held and (released := await run_batch(held.finish, whole.speech)):
            yield released
        self.gains = whole.gains
        seconds = whole.speech.seconds
        cut = f"cut off after {seconds:.1f} s" if limiter.was_needed else None
        self.checked = CheckedSpeech(whole.speech, cut or await quality.find_defect(whole.speech, self._text))


class Maker:
    """Maker of sound: it encodes, judges, levels and cuts speech, in a few worker threads.

    Whoever uses it passes bytes, frames and `Speech` on, and looks into none of them.
    """

    def start(
        self,
        chunks: AsyncGenerator[bytes],
        *,
        text: str,
        gains: GainMemory = NOTHING_KNOWN,
        drops_silent_end: bool = False,
    ) -> LiveSpeech:
        """Return the speech of a WAV that arrives in ``chunks``, to be heard as it comes.

        ``gains`` are those of earlier generations. ``drops_silent_end``: more follows it, so silence at its
        end is left out.
        """
        return LiveSpeech(chunks, text=text, gains=gains, drops_silent_end=drops_silent_end)

    async def speech(self, wav: bytes, *, text: str) -> CheckedSpeech:
        """Return the speech in a whole WAV, judged by its text. Raises AudioError if it cannot be used."""
        speech = await speech_from_wav(wav, text=text)
        return CheckedSpeech(shortened(speech, text), await quality.find_defect(speech, text))

    async def find_defect(self, speech: Speech, text: str) -> str | None:
        """Return what is wrong with ``speech`` of ``text``, for the log; None if nothing was found."""
        return await quality.find_defect(speech, text)

    async def loudness(self, speech: Speech) -> float:
        """Return the loudness of ``speech`` in LUFS."""
        return await speech_loudness(speech)

    async def part(self, speech: Speech, *, lufs: float | None = None) -> Part:
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
        return await self.played_part(Speech(pcm), frames)

    async def played_part(self, speech: Speech, frames: Sequence[bytes]) -> Part:
        """Return what was played as it was: ``frames``, and ``speech`` made as long as they are."""
        pcm = speech.pcm.ljust(len(frames) * _FRAME_BYTES, b"\0")[: len(frames) * _FRAME_BYTES]
        return Part(pcm, tuple(frames), *await run_batch(_silence_around, pcm))

    async def frames(self, speech: Speech) -> tuple[bytes, ...]:
        """Return ``speech`` as Opus frames of 20 ms. Raises AudioError."""
        return await opus_frames(speech)

    async def decoded(self, frames: Sequence[bytes], *, rest_is_missing: bool = False) -> Speech:
        """Return what listeners hear of ``frames``. Raises AudioError."""
        return await opus.speech_from_frames(frames, rest_is_missing=rest_is_missing)

    async def wav(self, speech: Speech) -> bytes:
        """Return ``speech`` as a WAV."""
        return await run_batch(write_wav, speech.pcm)

    async def file(self, speech: Speech, *, max_bytes: int, tags: Mapping[str, str] = NO_TAGS) -> AudioFile:
        """Return the best file of ``speech`` with at most ``max_bytes``. Raises AudioError if none fits."""
        return await formats.export(speech, max_bytes=max_bytes, tags=tags)

    async def voice_message(self, speech: Speech, *, tags: Mapping[str, str] = NO_TAGS) -> VoiceMessage:
        """Return ``speech`` as a voice message. Raises AudioError."""
        return await formats.voice_message(speech, tags=tags)

    async def soundboard_clip(self, speech: Speech, *, tags: Mapping[str, str] = NO_TAGS) -> SoundboardClip:
        """Return the beginning of ``speech`` as a sound for a soundboard. Raises AudioError."""
        return await formats.soundboard_clip(speech, tags=tags)

    async def speech_from_file(self, data: bytes, *, name: str) -> Speech:
        """Return the speech in a file that `file` has made. Raises AudioError."""
        return await formats.speech_from_file(data, name=name)


def pause_between(before: Part, after: Part, pause: float) -> Part:
    """Return what is missing between two parts so that ``pause`` seconds of silence are heard there."""
    count = max(0, round((pause - before.tail - after.lead) / FRAME_SECONDS))
    seconds = count * FRAME_SECONDS
    return Part(bytes(count * _FRAME_BYTES), (SILENCE_FRAME,) * count, seconds, seconds)


def _silence_around(pcm: bytes) -> tuple[float, float]:
    samples = np.frombuffer(pcm, "<i2")
    start, end = sounding_range(samples)
    return start / _RATE, (len(samples) - end) / _RATE
